#include "study/run_study.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <thread>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "study/child_process.hpp"
#include "study/child_result.hpp"
#include "study/estimate.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kLookAroundSeconds = 1.0;  ///< between looks at what other processes finished
constexpr auto kPause = std::chrono::milliseconds(10);

/// Whether a task makes do with those of its needs that did not fail.
bool takes_what_is_left(const Task& task) {
  return task.kind == TaskKind::kSelect || task.kind == TaskKind::kExplain;
}

bool settled(TaskState state) {
  return state == TaskState::kDone || state == TaskState::kFailed || state == TaskState::kBlocked;
}

/// {run:ID} and {selected:ID} replaced.
std::string expand(std::string text, const StudyFolder& folder, const Plan& plan,
                   const std::vector<Record>& records) {
  if (text.find('{') == std::string::npos) {
    return text;
  }
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const std::string& id = plan.tasks[i].id;
    const std::string run = fmt::format("{{run:{}}}", id);
    const std::string selected = fmt::format("{{selected:{}}}", id);
    if (const std::size_t at = text.find(run); at != std::string::npos) {
      text.replace(at, run.size(), folder.run(id).string());
    }
    if (const std::size_t at = text.find(selected); at != std::string::npos) {
      text.replace(at, selected.size(),
                   json::parse(records[i].result).at("genotype").get<std::string>());
    }
  }
  return text;
}

/// The candidate with the least validation error; the first of equal ones.
Record select_candidate(const Task& task, const Plan& plan, const Progress& progress) {
  std::optional<std::size_t> best;
  double best_error = 0.0;
  for (const std::size_t need : task.needs) {
    if (progress.states[need] != TaskState::kDone) {
      continue;
    }
    const double error = json::parse(progress.records[need].result).at("best_error").get<double>();
    if (!best || error < best_error) {
      best = need;
      best_error = error;
    }
  }
  require(best.has_value(), "a choice has at least one candidate");
  const Task& chosen = plan.tasks[*best];
  std::string genotype;
  for (const std::string& argument : chosen.arguments) {
    constexpr std::string_view kFlag = "--genotype=";
    if (argument.starts_with(kFlag)) {
      genotype = argument.substr(kFlag.size());
    }
  }
  for (const std::size_t search : chosen.needs) {
    genotype = json::parse(progress.records[search].result).at("genotype_text").get<std::string>();
  }
  Record record;
  record.done = true;
  record.result = json({{"genotype", genotype},
                        {"from", chosen.id},
                        {"seed", chosen.seed},
                        {"valid_error", best_error}})
                      .dump();
  return record;
}

class Runner {
 public:
  Runner(const Plan& plan, const StudyFolder& folder, const RunStudyOptions& options)
      : plan_(plan),
        folder_(folder),
        options_(options),
        ledger_(folder.ledger(), options.stale_seconds),
        shard_(claim_shard()),
        measured_(read_measurements(folder)) {
    for (const char* part : {"runs", "logs", "predictions"}) {
      std::error_code error;
      fs::create_directories(folder.path / part, error);
      if (error) {
        report_file_failure("make", folder.path / part, error.value());
      }
    }
    look_around();
    if (options_.retry_failed) {
      forget_failures();
    }
    order_tasks();
  }

  Progress run() {
    for (;;) {
      if (const int signal = options_.interrupted()) {
        stop(signal);
      }
      renew();
      const bool moved = reap() | fill();
      if (jobs_.empty() && finished()) {
        ledger_.clean();
        return std::move(progress_);
      }
      if (!moved) {
        std::this_thread::sleep_for(kPause);
        if (static_cast<int>(jobs_.size()) < options_.workers &&
            monotonic_seconds() - looked_ > kLookAroundSeconds) {
          look_around();
        }
      }
    }
  }

 private:
  struct Job {
    std::size_t task;
    Claim claim;
    ChildProcess child;
    double started;
  };

  std::string shard_name() const {
    return fmt::format("shard-{}-of-{}", options_.shard, options_.shards);
  }

  Claim claim_shard() {
    auto claim = ledger_.claim(shard_name());
    if (!claim) {
      throw UserError(fmt::format(
          "study: shard {}/{} of '{}' is being run by {}; give each process its own --shard",
          options_.shard, options_.shards, folder_.path.string(),
          ledger_.holder(shard_name()).value_or("another process")));
    }
    return std::move(*claim);
  }

  /// Takes note of what ended elsewhere; reads only records that are new.
  void look_around() {
    looked_ = monotonic_seconds();
    if (progress_.states.empty()) {
      progress_ = read_progress(plan_, ledger_);
      return;
    }
    std::vector<std::string> ended = ledger_.ended();
    std::sort(ended.begin(), ended.end());
    for (std::size_t i = 0; i < plan_.tasks.size(); ++i) {
      const std::string& id = plan_.tasks[i].id;
      if (progress_.states[i] == TaskState::kWaiting &&
          std::binary_search(ended.begin(), ended.end(), id)) {
        if (const auto record = ledger_.record(id)) {
          settle(i, *record);
        }
      }
    }
  }

  void forget_failures() {
    for (std::size_t i = 0; i < plan_.tasks.size(); ++i) {
      if (progress_.states[i] == TaskState::kFailed) {
        ledger_.forget(plan_.tasks[i].id);
      }
    }
    progress_ = {};
    look_around();
  }

  /// Our shard's tasks before those of others. Among several workers the longest chains first (one
  /// worker takes as long in any order, and the plan's is easier to follow).
  void order_tasks() {
    ordered_ = true;
    order_.resize(plan_.tasks.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const std::vector<double> chains =
        options_.workers > 1 ? longest_chains(plan_, estimate(plan_, progress_, measured_))
                             : std::vector<double>(order_.size(), 0.0);
    const auto foreign = [&](std::size_t i) {
      return i % static_cast<std::size_t>(options_.shards) !=
             static_cast<std::size_t>(options_.shard - 1);
    };
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return std::tuple(foreign(a), -chains[a]) < std::tuple(foreign(b), -chains[b]);
    });
  }

  bool finished() const {
    return std::all_of(progress_.states.begin(), progress_.states.end(), settled);
  }

  bool ready(const Task& task) const {
    const auto is = [&](std::size_t need, TaskState state) {
      return progress_.states[need] == state;
    };
    return std::all_of(task.needs.begin(), task.needs.end(), [&](std::size_t need) {
      return is(need, TaskState::kDone) ||
             (takes_what_is_left(task) && settled(progress_.states[need]));
    });
  }

  void renew() {
    if (monotonic_seconds() - renewed_ < options_.renew_seconds) {
      return;
    }
    renewed_ = monotonic_seconds();
    shard_.renew();
    for (const Job& job : jobs_) {
      job.claim.renew();
    }
    std::erase_if(jobs_, [&](const Job& job) {  // a job that leaves the list is killed
      if (job.claim.lost()) {
        options_.say(
            fmt::format("given up, another process has taken it: {}", plan_.tasks[job.task].label));
        progress_.states[job.task] = TaskState::kWaiting;
        return true;
      }
      return false;
    });
  }

  /// Starts what can be started. \returns whether anything changed.
  bool fill() {
    bool moved = false;
    if (!ordered_ && options_.workers > 1) {
      order_tasks();  // more is known of what tasks take
    }
    for (const std::size_t i : order_) {
      if (static_cast<int>(jobs_.size()) >= options_.workers) {
        break;
      }
      if (progress_.states[i] != TaskState::kWaiting || !ready(plan_.tasks[i]) ||
          (refused_.contains(i) && refused_[i] >= looked_)) {
        continue;
      }
      auto claim = ledger_.claim(plan_.tasks[i].id);
      if (!claim) {
        refused_[i] = looked_;
        continue;
      }
      moved = true;
      if (const auto ended = ledger_.record(plan_.tasks[i].id)) {  // since we last looked
        settle(i, *ended);
        continue;
      }
      if (plan_.tasks[i].kind == TaskKind::kSelect) {
        const Record record = select_candidate(plan_.tasks[i], plan_, progress_);
        ledger_.write(plan_.tasks[i].id, record);
        settle(i, record);
      } else if (const auto log = ChildLog::open(folder_.log(plan_.tasks[i].id))) {
        start(i, std::move(*claim), *log);
      } else {
        refused_[i] = looked_;
      }
    }
    return moved;
  }

  void start(std::size_t i, Claim claim, const ChildLog& log) {
    const Task& task = plan_.tasks[i];
    if (options_.check_data) {
      options_.check_data(data_of(task));
    }
    const int threads = std::max(1, options_.threads / options_.workers);
    jobs_.push_back({i, std::move(claim),
                     ChildProcess(options_.program, arguments_of(task, threads),
                                  folder_.out(task.id), log, threads),
                     monotonic_seconds()});
    progress_.states[i] = TaskState::kRunning;
    options_.say(fmt::format("started: {}", task.label));
  }

  std::vector<std::string> arguments_of(const Task& task, int threads) const {
    std::vector<std::string> arguments;
    std::vector<std::string> extra = {fmt::format("--threads={}", threads), "--json"};
    const fs::path run = folder_.run(task.id);
    if (fs::exists(run / "run.json")) {
      arguments = {task.arguments[0], "--resume=" + run.string()};
    } else {
      for (const std::string& argument : without_failed(task)) {
        arguments.push_back(
            locate_data(expand(argument, folder_, plan_, progress_.records), folder_));
      }
      if (task.kind == TaskKind::kEvaluate) {
        extra.push_back("--predictions=" + folder_.predictions(task.id).string());
      } else {
        fs::remove_all(run);  // the beginning of a run that was killed before run.json
        extra.push_back("--out=" + run.string());
      }
    }
    const auto images = std::find(arguments.begin(), arguments.end(), "--");
    std::for_each(images, arguments.end(), [&](std::string& image) {
      image = image == "--" ? image : (folder_.data_root / image).string();
    });
    arguments.insert(images, extra.begin(), extra.end());
    return arguments;
  }

  /// The data set of a task: its own, or that of the training it tests.
  std::string data_of(const Task& task) const {
    for (const std::string& argument : task.arguments) {
      constexpr std::string_view kFlag = "--data=";
      if (argument.starts_with(kFlag)) {
        return argument.substr(kFlag.size());
      }
    }
    return task.needs.empty() ? "" : data_of(plan_.tasks[task.needs.front()]);
  }

  /// The arguments of a task, of an explanation without the networks whose training failed.
  std::vector<std::string> without_failed(const Task& task) const {
    std::vector<std::string> arguments = task.arguments;
    if (task.kind != TaskKind::kExplain) {
      return arguments;
    }
    for (const std::size_t need : task.needs) {
      const auto run = std::find(arguments.begin(), arguments.end(),
                                 fmt::format("--run={{run:{}}}", plan_.tasks[need].id));
      if (progress_.states[need] != TaskState::kDone && run != arguments.end()) {
        arguments.erase(run, run + 2);  // with its --name
      }
    }
    return arguments;
  }

  bool reap() {
    bool moved = false;
    for (std::size_t k = 0; k < jobs_.size();) {
      const auto end = jobs_[k].child.ended();
      if (!end) {
        ++k;
        continue;
      }
      conclude(jobs_[k], *end);
      jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(k));
      moved = true;
    }
    return moved;
  }

  void conclude(const Job& job, const ChildEnd& end) {
    const Task& task = plan_.tasks[job.task];
    if (end.exit_code > 128 && end.exit_code != 128 + SIGKILL && options_.interrupted() != 0) {
      progress_.states[job.task] = TaskState::kWaiting;  // it was asked to stop, as we were
      return;
    }
    if (end.exit_code != 0 && end.exit_code < 128) {
      if (const auto said = full_disk_sentence(folder_.log(task.id))) {
        // Every other run would fail as well. The task stays waiting, and what runs beside it is
        // killed with us and goes on from its checkpoint.
        throw UserError(
            fmt::format("study: {}: {} and go on with the same command", task.label, *said));
      }
    }
    Record record;
    record.exit_code = end.exit_code;
    record.seconds = monotonic_seconds() - job.started;
    record.memory_mib = end.memory_mib;
    record.processor_seconds = end.processor_seconds;
    record.done = end.exit_code == 0;
    if (record.done) {
      record.result = read_file(folder_.out(task.id));
      record.done = json::accept(record.result);
      record.reason = record.done ? "" : "printed no JSON";
    }
    if (record.done) {
      record.result = result_of_run(record.result, folder_.run(task.id) / "epochs.jsonl");
    } else {
      record.reason = failure_reason(end.exit_code, folder_.log(task.id));
    }
    ledger_.write(task.id, record);
    settle(job.task, record);
    options_.say(record.done
                     ? fmt::format("done in {}: {}", duration_text(record.seconds), task.label)
                     : fmt::format("failed: {}: {}", task.label, record.reason));
  }

  void settle(std::size_t i, const Record& record) {
    progress_.records[i] = record;
    progress_.states[i] = record.done ? TaskState::kDone : TaskState::kFailed;
    ordered_ = false;
    block_dependents();
  }

  void block_dependents();

  [[noreturn]] void stop(int signal) {
    for (const Job& job : jobs_) {
      job.child.signal(SIGTERM);
    }
    while (!jobs_.empty()) {
      if (!reap()) {
        std::this_thread::sleep_for(kPause);
      }
    }
    throw Interrupted(
        fmt::format("study: stopped by signal {}; go on with the same command", signal), signal);
  }

  const Plan& plan_;
  const StudyFolder& folder_;
  const RunStudyOptions& options_;
  Ledger ledger_;
  Claim shard_;
  Progress progress_;
  std::vector<Measurement> measured_;
  std::vector<std::size_t> order_;
  bool ordered_ = false;  ///< by what is known now
  std::vector<Job> jobs_;
  std::map<std::size_t, double> refused_;  ///< tasks held by others, with the look that saw it
  double looked_ = 0.0;
  double renewed_ = monotonic_seconds();
};

/// Marks what can no longer be run. Tasks stand after all they need, so one pass is enough.
void block(const Plan& plan, std::vector<TaskState>& states) {
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const Task& task = plan.tasks[i];
    if (states[i] != TaskState::kWaiting || task.needs.empty()) {
      continue;
    }
    const auto hopeless = [&](std::size_t need) {
      return states[need] == TaskState::kFailed || states[need] == TaskState::kBlocked;
    };
    const bool none_left = takes_what_is_left(task)
                               ? std::all_of(task.needs.begin(), task.needs.end(), hopeless)
                               : std::any_of(task.needs.begin(), task.needs.end(), hopeless);
    if (none_left) {
      states[i] = TaskState::kBlocked;
    }
  }
}

void Runner::block_dependents() { block(plan_, progress_.states); }

}  // namespace

std::string locate_data(const std::string& argument, const StudyFolder& folder) {
  constexpr std::string_view kFlag = "--data=";
  return argument.starts_with(kFlag)
             ? std::string(kFlag) + (folder.data_root / argument.substr(kFlag.size())).string()
             : argument;
}

std::size_t Progress::count(TaskState state) const {
  return static_cast<std::size_t>(std::count(states.begin(), states.end(), state));
}

Progress read_progress(const Plan& plan, const Ledger& ledger) {
  Progress progress;
  progress.states.assign(plan.tasks.size(), TaskState::kWaiting);
  progress.records.resize(plan.tasks.size());
  std::vector<std::string> ended = ledger.ended();
  std::sort(ended.begin(), ended.end());
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const std::string& id = plan.tasks[i].id;
    if (!std::binary_search(ended.begin(), ended.end(), id)) {
      continue;
    }
    if (const auto record = ledger.record(id)) {
      progress.records[i] = *record;
      progress.states[i] = record->done ? TaskState::kDone : TaskState::kFailed;
    }
  }
  block(plan, progress.states);
  return progress;
}

Progress run_study(const Plan& plan, const StudyFolder& folder, const RunStudyOptions& options) {
  require(options.workers >= 1 && options.threads >= 1 && options.shards >= 1 &&
              options.shard >= 1 && options.shard <= options.shards,
          "workers, threads and shards are at least one");
  return Runner(plan, folder, options).run();
}

}  // namespace probedarts::study
