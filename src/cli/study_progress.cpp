#include "cli/study_progress.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/progress.hpp"
#include "study/outlook.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;
using study::TaskState;

constexpr const char* kStateNames[] = {"waiting", "running", "done", "failed", "blocked"};
constexpr TaskState kInSentences[] = {TaskState::kDone, TaskState::kRunning, TaskState::kWaiting,
                                      TaskState::kFailed, TaskState::kBlocked};

/// As many workers as there are runs now, at least one.
int workers_of(const study::Progress& progress) {
  return std::max(1, static_cast<int>(progress.count(TaskState::kRunning)));
}

study::Schedule left_of(const Status& status) {
  return study::schedule(
      status.plan, status.progress.states,
      study::costs_left(status.plan, status.progress, status.costs, status.folder),
      workers_of(status.progress));
}

/// "search: 8 runs: 3 done, 1 running, 4 waiting"
std::string phase_text(const study::PhaseCount& phase) {
  std::string parts;
  for (const TaskState state : kInSentences) {
    if (const std::size_t count = phase.states[static_cast<std::size_t>(state)]) {
      parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", count, name_of(state));
    }
  }
  return fmt::format("{}: {} run{}: {}\n", study::name_of(phase.phase), phase.all(),
                     phase.all() == 1 ? "" : "s", parts);
}

std::string time_left(const Status& status) {
  const std::size_t running = status.progress.count(TaskState::kRunning);
  if (running + status.progress.count(TaskState::kWaiting) == 0) {
    return "";
  }
  const study::Schedule left = left_of(status);
  if (left.seconds == 0.0 && left.unknown > 0) {
    return "time left unknown: no run has ended or written an epoch yet\n";
  }
  const std::string rest = left.unknown == 0
                               ? ""
                               : fmt::format(", and {} run{} of unknown time", left.unknown,
                                             left.unknown == 1 ? "" : "s");
  return running == 0
             ? fmt::format("{} of work left for one worker{}; nothing is running\n",
                           duration_text(left.seconds), rest)
             : fmt::format("{} left with {} run{} at a time, as now{}\n",
                           duration_text(left.seconds), running, running == 1 ? "" : "s", rest);
}

}  // namespace

const char* name_of(TaskState state) { return kStateNames[static_cast<std::size_t>(state)]; }

json counts_json(const study::Progress& progress) {
  json counts = json::object();
  for (const TaskState state : kInSentences) {
    counts[name_of(state)] = progress.count(state);
  }
  return counts;
}

json status_json(const Status& status) {
  json failures = json::array();
  for (std::size_t i = 0; i < status.plan.tasks.size(); ++i) {
    if (status.progress.states[i] == TaskState::kFailed) {
      failures.push_back({{"id", status.plan.tasks[i].id},
                          {"label", status.plan.tasks[i].label},
                          {"reason", status.progress.records[i].reason}});
    }
  }
  json phases = json::object();
  for (const study::PhaseCount& phase : study::count_phases(status.plan, status.progress.states)) {
    json counts = json::object();
    for (const TaskState state : kInSentences) {
      counts[name_of(state)] = phase.states[static_cast<std::size_t>(state)];
    }
    phases[std::string(study::name_of(phase.phase))] = counts;
  }
  const study::Schedule left = left_of(status);
  return {{"name", status.name},
          {"runs", counts_json(status.progress)},
          {"phases", phases},
          {"failures", failures},
          {"workers", workers_of(status.progress)},
          {"seconds_left", left.unknown == 0 ? json(left.seconds) : json(nullptr)},
          {"seconds_left_of_known", left.seconds},
          {"unknown", left.unknown}};
}

std::string status_text(const Status& status) {
  const study::Progress& progress = status.progress;
  std::string text =
      fmt::format("{}: {} runs: {} done, {} running, {} waiting, {} failed, {} blocked\n",
                  status.name, status.plan.tasks.size(), progress.count(TaskState::kDone),
                  progress.count(TaskState::kRunning), progress.count(TaskState::kWaiting),
                  progress.count(TaskState::kFailed), progress.count(TaskState::kBlocked));
  for (const study::PhaseCount& phase : study::count_phases(status.plan, progress.states)) {
    text += phase_text(phase);
  }
  for (std::size_t i = 0; i < status.plan.tasks.size(); ++i) {
    if (progress.states[i] == TaskState::kFailed) {
      text +=
          fmt::format("failed: {}: {}\n", status.plan.tasks[i].label, progress.records[i].reason);
    }
  }
  return text + time_left(status);
}

}  // namespace probedarts::cli
