#include "study/outlook.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>

#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts::study {
namespace {

using nlohmann::json;

/// Epochs that a run has written, and their seconds. The last line may be half written.
struct Epochs {
  int count = 0;
  double seconds = 0.0;
};

Epochs epochs_of(const std::filesystem::path& run) {
  Epochs epochs;
  if (!std::filesystem::exists(run / "epochs.jsonl")) {
    return epochs;
  }
  const std::string text = read_file(run / "epochs.jsonl");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const json line = json::parse(text.substr(at, end - at), nullptr, false);
    const json::json_pointer total("/seconds/total");
    if (line.contains(total) && line[total].is_number()) {
      ++epochs.count;
      epochs.seconds += line[total].get<double>();
    }
    at = end + 1;
  }
  return epochs;
}

/// Tasks that are carried out in thought.
class Simulation {
 public:
  Simulation(const Plan& plan, const std::vector<TaskState>& states,
             const std::vector<std::optional<Cost>>& left, int workers)
      : plan_(plan), states_(states), left_(left), order_(states.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    if (workers > 1) {
      const std::vector<double> chains = longest_chains(plan, left);
      std::stable_sort(order_.begin(), order_.end(),
                       [&](std::size_t a, std::size_t b) { return chains[a] > chains[b]; });
    }
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (states_[i] == TaskState::kRunning) {
        begin(i);
      }
    }
    workers_ = std::max(static_cast<std::size_t>(workers), running_.size());
  }

  Schedule run() {
    fill();
    while (!running_.empty()) {
      const auto next = std::min_element(running_.begin(), running_.end());
      result_.seconds = next->first;
      memory_mib_ -= cost_of(next->second).memory_mib;
      states_[next->second] = TaskState::kDone;
      running_.erase(next);
      fill();
    }
    return result_;
  }

 private:
  Cost cost_of(std::size_t i) const { return left_[i].value_or(Cost{}); }

  void begin(std::size_t i) {
    states_[i] = TaskState::kRunning;
    running_.emplace_back(result_.seconds + cost_of(i).seconds, i);
    memory_mib_ += cost_of(i).memory_mib;
    result_.memory_mib = std::max(result_.memory_mib, memory_mib_);
    result_.unknown += !left_[i];
  }

  void fill() {
    for (const std::size_t i : order_) {
      if (running_.size() >= workers_) {
        return;
      }
      const std::vector<std::size_t>& needs = plan_.tasks[i].needs;
      if (states_[i] == TaskState::kWaiting &&
          std::none_of(needs.begin(), needs.end(), [&](std::size_t need) {
            return states_[need] == TaskState::kWaiting || states_[need] == TaskState::kRunning;
          })) {
        begin(i);
      }
    }
  }

  const Plan& plan_;
  std::vector<TaskState> states_;
  const std::vector<std::optional<Cost>>& left_;
  std::vector<std::size_t> order_;
  std::size_t workers_ = 1;
  std::vector<std::pair<double, std::size_t>> running_;  ///< end, task
  double memory_mib_ = 0.0;
  Schedule result_;
};

}  // namespace

Schedule schedule(const Plan& plan, const std::vector<TaskState>& states,
                  const std::vector<std::optional<Cost>>& left, int workers) {
  require(workers >= 1 && states.size() == plan.tasks.size() && left.size() == states.size(),
          "a schedule is of all tasks and at least one worker");
  return Simulation(plan, states, left, workers).run();
}

std::vector<std::optional<Cost>> costs_left(const Plan& plan, const Progress& progress,
                                            const std::vector<std::optional<Cost>>& costs,
                                            const StudyFolder& folder) {
  std::vector<std::optional<Cost>> left = costs;
  std::map<std::string, double> epoch_seconds;  // of what runs, by cost_key
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const Task& task = plan.tasks[i];
    if (progress.states[i] != TaskState::kRunning || task.epochs == 0) {
      continue;
    }
    const Epochs written = epochs_of(folder.run(task.id));
    if (written.count > 0) {
      const double each = written.seconds / written.count;
      epoch_seconds.emplace(cost_key(task), each);
      left[i] = Cost{std::max(0, task.epochs - written.count) * each,
                     costs[i] ? costs[i]->memory_mib : 0.0};
    }
  }
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const auto found = epoch_seconds.find(cost_key(plan.tasks[i]));
    if (!left[i] && found != epoch_seconds.end()) {
      left[i] = Cost{plan.tasks[i].epochs * found->second, 0.0};
    }
  }
  return left;
}

std::size_t PhaseCount::all() const {
  return std::accumulate(states.begin(), states.end(), std::size_t{0});
}

std::vector<PhaseCount> count_phases(const Plan& plan, const std::vector<TaskState>& states) {
  std::vector<PhaseCount> counts;
  for (std::size_t phase = 0; phase < std::size(kPhaseNames); ++phase) {
    PhaseCount count{static_cast<Phase>(phase), {}};
    for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
      if (plan.tasks[i].phase == count.phase) {
        ++count.states[static_cast<std::size_t>(states[i])];
      }
    }
    if (count.all() > 0) {
      counts.push_back(count);
    }
  }
  return counts;
}

}  // namespace probedarts::study
