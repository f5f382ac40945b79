#include "report/findings.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace probedarts::report {
namespace {

// Places in kCollapseSignals.
constexpr std::size_t kFree = 0;
constexpr std::size_t kSkips = 1;
constexpr std::size_t kPools = 2;
constexpr std::size_t kEntropy = 3;

std::string counted(double share, int total, const char* what) {
  const long count = std::lround(share * total);
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// Since when, without a break until the end, more than half of the kept edges carry no parameters.
std::string parameter_free_sentence(const Run& run, std::size_t kind) {
  const Epoch& last = run.epochs.back();
  const int kept = 2 * last.architecture->genotype.nodes();
  const auto& signals = last.architecture->collapse[kind];
  std::string sentence =
      fmt::format("{} cell: {} of {} kept edges carry no parameters at the end ({}, {})",
                  kind == 0 ? "Normal" : "Reduction", std::lround(signals[kFree] * kept), kept,
                  counted(signals[kPools], kept, "pool"), counted(signals[kSkips], kept, "skip"));
  const auto broken = std::find_if(
      run.epochs.rbegin(), run.epochs.rend(),
      [kind](const Epoch& epoch) { return !(epoch.architecture->collapse[kind][kFree] > 0.5); });
  if (broken == run.epochs.rbegin()) {
    return sentence + ".";
  }
  if (broken == run.epochs.rend()) {
    return sentence + "; more than half have carried none since the first epoch.";
  }
  return fmt::format("{}; from epoch {} on more than half carry none.", sentence,
                     broken->epoch + 1);
}

std::string decision_sentence(const Run& run) {
  const auto& collapse = run.epochs.back().architecture->collapse;
  const double undecided = std::log(static_cast<double>(space::kPrimitiveCount));
  return fmt::format(
      "Architecture weights: mean entropy {:.2f} nats in normal and {:.2f} in reduction cells, "
      "where {:.2f} "
      "is undecided and 0 is one primitive an edge.",
      collapse[0][kEntropy], collapse[1][kEntropy], undecided);
}

std::string stability_sentence(const Run& run) {
  const auto changed = std::adjacent_find(
      run.epochs.rbegin(), run.epochs.rend(), [](const Epoch& later, const Epoch& before) {
        return later.architecture->genotype != before.architecture->genotype;
      });
  if (run.epochs.size() == 1) {
    return "Only one epoch is finished, so nothing can be said about how stable the cells are.";
  }
  if (changed == run.epochs.rend()) {
    return "The derived cells never changed.";
  }
  return fmt::format("The derived cells last changed at epoch {} (the last epoch is {}).",
                     changed->epoch, run.epochs.back().epoch);
}

std::string learning_sentence(const Run& run) {
  const double first = zero_rank_share(run, run.epochs.front());
  const double last = zero_rank_share(run, run.epochs.back());
  if (last == 0.0) {
    return fmt::format(
        "Stable rank is above 0 in every convolution at the last epoch; after the first it was 0 "
        "in "
        "{:.1f} % of them.",
        100 * first);
  }
  return fmt::format(
      "Stable rank is 0 in {:.1f} % of the convolutions at the last epoch ({:.1f} % after the "
      "first): nothing in those rises above the noise of their weights.",
      100 * last, 100 * first);
}

std::string gap_sentence(const Run& run) {
  const Epoch& last = run.epochs.back();
  const double points = 100 * (last.valid.error - last.train.error);
  return fmt::format(
      "Validation error ends {:.1f} points {} training error ({:.1f} % and {:.1f} %).",
      std::abs(points), points < 0 ? "below" : "above", 100 * last.valid.error,
      100 * last.train.error);
}

std::string best_sentence(const Run& run) {
  const Epoch& best = best_epoch(run);
  return fmt::format(
      "Validation error is smallest at epoch {} ({:.1f} %); the last epoch is {} ({:.1f} %).",
      best.epoch, 100 * best.valid.error, run.epochs.back().epoch,
      100 * run.epochs.back().valid.error);
}

}  // namespace

const Epoch& best_epoch(const Run& run) {
  return *std::min_element(
      run.epochs.begin(), run.epochs.end(),
      [](const Epoch& a, const Epoch& b) { return a.valid.error < b.valid.error; });
}

double zero_rank_share(const Run& run, const Epoch& epoch) {
  std::size_t known = 0;
  std::size_t zero = 0;
  for (std::size_t i = 0; i < run.layers.size(); ++i) {
    if (run.layers[i].role == "depthwise" || std::isnan(epoch.stable_rank[i])) {
      continue;
    }
    ++known;
    zero += epoch.stable_rank[i] == 0.0 ? 1U : 0U;
  }
  return known == 0 ? 0.0 : static_cast<double>(zero) / static_cast<double>(known);
}

std::string optimizer_name(const Run& run) {
  const std::string option = run.option("optimizer");
  if (option == "sgd") {
    return "SGD";
  }
  return option == "adas" ? "Adas" : option;
}

std::vector<std::string> findings(const Run& run) {
  std::vector<std::string> sentences;
  if (run.is_search()) {
    for (std::size_t kind = 0; kind < 2; ++kind) {
      sentences.push_back(parameter_free_sentence(run, kind));
    }
    sentences.push_back(decision_sentence(run));
    sentences.push_back(stability_sentence(run));
  } else {
    sentences.push_back(best_sentence(run));
  }
  sentences.push_back(learning_sentence(run));
  sentences.push_back(gap_sentence(run));
  std::size_t failures = 0;
  for (const Epoch& epoch : run.epochs) {
    failures += epoch.failed_layers;
  }
  if (failures > 0) {
    sentences.push_back(
        fmt::format("The factorisation failed {} time{}; those points are left out of the curves.",
                    failures, failures == 1 ? "" : "s"));
  }
  return sentences;
}

}  // namespace probedarts::report
