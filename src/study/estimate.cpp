#include "study/estimate.hpp"

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "study/child_process.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;

/// The seconds of each epoch, as epochs.jsonl tells them.
std::vector<double> epoch_seconds(const fs::path& run) {
  std::vector<double> seconds;
  const std::string text = read_file(run / "epochs.jsonl");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto line = nlohmann::json::parse(text.substr(at, end - at));
    seconds.push_back(line.at("seconds").at("total").get<double>());
    at = end + 1;
  }
  return seconds;
}

Measurement measure_one(const Task& task, const StudyFolder& folder,
                        const RunStudyOptions& options) {
  const std::string name = content_hash(cost_key(task));
  const fs::path base = folder.path / "measure";
  fs::remove_all(base / name);
  fs::create_directories(base);
  const int threads = std::max(1, options.threads / options.workers);
  std::vector<std::string> arguments = task.arguments;  // later flags win
  for (const std::string& extra : {std::string("--epochs=2"), "--out=" + (base / name).string(),
                                   fmt::format("--threads={}", threads), std::string("--json")}) {
    arguments.push_back(extra);
  }
  std::erase_if(arguments, [&](const std::string& argument) {
    return argument.starts_with("--epochs=") && &argument != &arguments[arguments.size() - 4];
  });
  options.say(fmt::format("measuring two epochs: {}", task.label));
  const double started = monotonic_seconds();
  ChildProcess child(options.program, arguments, base / (name + ".out"), base / (name + ".log"),
                     threads);
  std::optional<ChildEnd> end;
  while (!(end = child.ended())) {
    if (const int signal = options.interrupted()) {
      throw Interrupted(fmt::format("study: stopped by signal {}", signal), signal);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const double whole = monotonic_seconds() - started;
  if (end->exit_code != 0) {
    throw UserError(fmt::format("study: measuring '{}' failed with exit code {}; see '{}'",
                                task.label, end->exit_code, (base / (name + ".log")).string()));
  }
  const std::vector<double> seconds = epoch_seconds(base / name);
  require(seconds.size() == 2, "a measurement has two epochs");
  fs::remove_all(base / name);
  return {cost_key(task), std::max(0.0, whole - seconds[0] - seconds[1]), seconds[1],
          end->memory_mib};
}

}  // namespace

std::string cost_key(const Task& task) {
  std::string key;
  for (const std::string& argument : task.arguments) {
    if (!argument.starts_with("--seed=") && !argument.starts_with("--epochs=") &&
        !argument.starts_with("--genotype=") && !argument.starts_with("{run:")) {
      key += argument + '\n';
    }
  }
  return key;
}

std::vector<Measurement> measure(const Plan& plan, const StudyFolder& folder,
                                 const RunStudyOptions& options) {
  std::vector<Measurement> measured;
  std::set<std::string> seen;
  for (const Task& task : plan.tasks) {
    if (task.kind == TaskKind::kSearch && seen.insert(cost_key(task)).second) {
      measured.push_back(measure_one(task, folder, options));
    }
  }
  return measured;
}

std::vector<std::optional<Cost>> estimate(const Plan& plan, const Progress& progress,
                                          const std::vector<Measurement>& measured) {
  struct Sum {
    double seconds = 0.0, memory = 0.0, runs = 0.0;
  };
  std::map<std::pair<std::string, int>, Sum> known;
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    if (progress.states[i] == TaskState::kDone) {
      Sum& sum = known[{cost_key(plan.tasks[i]), plan.tasks[i].epochs}];
      sum.seconds += progress.records[i].seconds;
      sum.memory = std::max(sum.memory, progress.records[i].memory_mib);
      sum.runs += 1.0;
    }
  }
  std::map<std::string, const Measurement*> by_key;
  for (const Measurement& one : measured) {
    by_key[one.key] = &one;
  }
  std::vector<std::optional<Cost>> costs(plan.tasks.size());
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const Task& task = plan.tasks[i];
    if (progress.states[i] == TaskState::kDone) {
      costs[i] = Cost{progress.records[i].seconds, progress.records[i].memory_mib};
    } else if (task.kind == TaskKind::kSelect) {
      costs[i] = Cost{};
    } else if (const auto found = known.find({cost_key(task), task.epochs}); found != known.end()) {
      costs[i] = Cost{found->second.seconds / found->second.runs, found->second.memory};
    } else if (by_key.contains(cost_key(task)) && task.epochs > 0) {
      const Measurement& one = *by_key.at(cost_key(task));
      costs[i] = Cost{one.start_seconds + task.epochs * one.epoch_seconds, one.memory_mib};
    }
  }
  return costs;
}

}  // namespace probedarts::study
