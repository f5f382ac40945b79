#include "study/predictions.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/mean_and_sd.hpp"
#include "study/task_results.hpp"

namespace probedarts::study {
namespace {

constexpr std::uint64_t kSeed = 1;

/// A cell on its way through the phases.
struct FollowedCell {
  std::size_t row = 0;
  std::optional<double> search, quick, test;  ///< accuracies, 0..1
  SearchProbes probes = {};
};

/// Which of a row's candidates its choice took.
std::optional<std::size_t> chosen_candidate(const Row& row, const Plan& plan,
                                            const Progress& progress) {
  if (!row.select || progress.states[*row.select] != TaskState::kDone) {
    return std::nullopt;
  }
  const auto choice = nlohmann::json::parse(progress.records[*row.select].result, nullptr, false);
  for (std::size_t i = 0; i < row.quicks.size(); ++i) {
    if (choice.is_object() && choice.value("from", "") == plan.tasks[row.quicks[i]].id) {
      return i;
    }
  }
  return std::nullopt;
}

std::optional<double> mean_test_accuracy(const Row& row, const Progress& progress) {
  std::vector<double> scores;
  if (!row.trained.empty() && row.trained[0].phase == Phase::kFinal) {
    for (const std::size_t task : row.trained[0].evaluations) {
      if (const auto accuracy = test_accuracy(progress, task)) {
        scores.push_back(*accuracy);
      }
    }
  }
  return scores.empty() ? std::nullopt : std::optional(mean_and_sd(scores).mean);
}

/// All candidates of all rows; those that were chosen have a test.
std::vector<FollowedCell> follow_cells(const Plan& plan, const Progress& progress,
                                       const std::vector<std::vector<SearchProbes>>& probes) {
  std::vector<FollowedCell> cells;
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    const Row& row = plan.rows[r];
    const auto chosen = chosen_candidate(row, plan, progress);
    for (std::size_t i = 0; i < row.quicks.size(); ++i) {
      FollowedCell cell{r, {}, validation_accuracy(progress, row.quicks[i], "best_error"), {}};
      if (i < row.searches.size()) {
        cell.search = validation_accuracy(progress, row.searches[i], "valid_error");
        cell.probes = probes.empty() ? SearchProbes{} : probes.at(r).at(i);
      }
      if (chosen == i) {
        cell.test = mean_test_accuracy(row, progress);
      }
      cells.push_back(cell);
    }
  }
  return cells;
}

class Predictor {
 public:
  Predictor(const Plan& plan, const Progress& progress,
            const std::vector<std::vector<SearchProbes>>& probes)
      : plan_(plan), cells_(follow_cells(plan, progress, probes)) {}

  std::vector<Prediction> all() {
    const auto search = [](const FollowedCell& cell) { return cell.search; };
    const auto quick = [](const FollowedCell& cell) { return cell.quick; };
    const auto test = [](const FollowedCell& cell) { return cell.test; };
    const std::string of_chosen = " of the cell chosen";
    const std::string accuracy = "search validation accuracy";
    const std::string quick_accuracy = "quick validation accuracy";
    add(accuracy, quick_accuracy, search, quick);
    add(accuracy + of_chosen, "mean test accuracy", search, test);
    add(quick_accuracy + of_chosen, "mean test accuracy", quick, test);
    for (std::size_t p = 0; p < kSearchProbes.size(); ++p) {
      const auto probe = [p](const FollowedCell& cell) { return cell.probes[p]; };
      const std::string name = std::string(kSearchProbes[p]) + " of the search";
      add(name, quick_accuracy, probe, quick);
      add(name + " of the cell chosen", "mean test accuracy", probe, test);
    }
    return std::move(all_);
  }

 private:
  /// Cells that may be compared have one number.
  std::size_t stratum_of(const FollowedCell& cell, Within within) {
    if (within == Within::kSetting) {
      return cell.row;
    }
    const GridPoint& point = plan_.rows[cell.row].point;
    return strata_.try_emplace({point.data, point.size}, strata_.size()).first->second;
  }

  void add(const std::string& from, const std::string& to, const auto& x_of, const auto& y_of) {
    std::vector<RankPoint> pooled, apart;
    std::map<std::size_t, std::set<std::size_t>> rows_of_stratum;
    for (const FollowedCell& cell : cells_) {
      const std::optional<double> x = x_of(cell);
      const std::optional<double> y = y_of(cell);
      if (x && y) {
        pooled.push_back({*x, *y, stratum_of(cell, Within::kDataSet)});
        apart.push_back({*x, *y, stratum_of(cell, Within::kSetting)});
        rows_of_stratum[pooled.back().stratum].insert(cell.row);
      }
    }
    Prediction all{from, to, correlate_ranks(pooled, kSeed), Within::kDataSet, false};
    if (all.found.points == 0) {
      return;
    }
    const RankCorrelation within = correlate_ranks(apart, kSeed);
    const bool several = std::any_of(rows_of_stratum.begin(), rows_of_stratum.end(),
                                     [](const auto& rows) { return rows.second.size() > 1; });
    all.pooled = several && within.points > 0;  // without points each setting has a single cell
    if (all.pooled) {
      all.found.tau_interval.reset();
      all.found.p.reset();
    }
    all_.push_back(all);
    if (all.pooled) {
      all_.push_back({from, to, within, Within::kSetting, false});
    }
  }

  const Plan& plan_;
  std::vector<FollowedCell> cells_;
  std::map<std::pair<std::string, std::string>, std::size_t> strata_;
  std::vector<Prediction> all_;
};

}  // namespace

std::vector<Prediction> predict_all(const Plan& plan, const Progress& progress,
                                    const std::vector<std::vector<SearchProbes>>& probes) {
  return Predictor(plan, progress, probes).all();
}

std::string sentence_of(const Prediction& prediction) {
  const RankCorrelation& found = prediction.found;
  const std::string what = fmt::format(
      "{} and {}, {} cells{}: ", prediction.from, prediction.to, found.points,
      found.strata > 1 || prediction.within == Within::kSetting
          ? fmt::format(
                " within {} {}", found.strata,
                prediction.within == Within::kSetting ? "settings" : "data sets or image sizes")
          : "");
  if (!found.tau) {
    return what + "no rank correlation, since one side is constant.";
  }
  const std::string interval = found.tau_interval
                                   ? fmt::format(" (95 % interval {:.2f} to {:.2f})",
                                                 found.tau_interval->low, found.tau_interval->high)
                                   : "";
  const std::string p =
      prediction.pooled
          ? "; of several settings together, whose cells are alike, so neither interval nor p"
          : fmt::format(", p = {:.3g}", *found.p);
  return what + fmt::format("Kendall's tau-b {:.2f}{}, Spearman's rho {:.2f}{}.", *found.tau,
                            interval, *found.rho, p);
}

}  // namespace probedarts::study
