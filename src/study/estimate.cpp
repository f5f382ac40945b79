#include "study/estimate.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "study/child_process.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kDefaultNodes = 4;  ///< of `probedarts search`

bool starts_with_any(const std::string& text, std::initializer_list<const char*> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](const char* start) { return text.starts_with(start); });
}

/// The value of "--flag=value", or nothing.
std::optional<std::string> value_of(const std::vector<std::string>& arguments,
                                    const std::string& flag) {
  for (const std::string& argument : arguments) {
    if (argument.starts_with(flag)) {
      return argument.substr(flag.size());
    }
  }
  return std::nullopt;
}

/// Cells of the size of those that a task will be given: random ones where a search has to find it.
std::vector<std::string> stand_ins(const Plan& plan, const Task& task) {
  std::vector<std::string> cells;
  for (const std::size_t need : task.needs) {
    const Task& giver = plan.tasks[need];
    if (giver.kind == TaskKind::kSelect) {
      return stand_ins(plan, giver);
    }
    const auto cell = value_of(giver.arguments, "--genotype=");
    if (giver.kind == TaskKind::kTrain && cell && cell->find('{') == std::string::npos) {
      cells.push_back(*cell);
    } else if (giver.kind == TaskKind::kTrain) {
      return stand_ins(plan, giver);
    } else {
      int nodes = kDefaultNodes;
      const std::string text = value_of(giver.arguments, "--nodes=").value_or("");
      std::from_chars(text.data(), text.data() + text.size(), nodes);
      for (int k = 0; k < kStandIns; ++k) {
        cells.push_back(random_cell(nodes, k));
      }
      return cells;
    }
    if (cells.size() == static_cast<std::size_t>(kStandIns)) {
      break;
    }
  }
  return cells;
}

/// The arguments that stand for a search or a training: one list, or one for each stand-in.
std::vector<std::vector<std::string>> variants(const Plan& plan, const Task& task) {
  std::vector<std::string> arguments;
  bool open = false;
  for (const std::string& argument : task.arguments) {
    if (argument.starts_with("--genotype={")) {
      open = true;
    } else if (!starts_with_any(argument, {"--seed=", "--epochs="})) {
      arguments.push_back(argument);
    }
  }
  if (!open) {
    return {arguments};
  }
  std::vector<std::vector<std::string>> all;
  for (const std::string& cell : stand_ins(plan, task)) {
    all.push_back(arguments);
    all.back().push_back("--genotype=" + cell);
  }
  return all;
}

std::string key_of(std::vector<std::string> arguments) {
  std::sort(arguments.begin() + 1, arguments.end());
  std::string key;
  for (const std::string& argument : arguments) {
    key += argument + '\n';
  }
  return content_hash(key);
}

std::string key_of_explanation(const Task& task) { return "explain " + task.id; }

/// An epoch as epochs.jsonl tells it.
struct EpochSeconds {
  double total = 0.0;
  double probes = 0.0;  ///< of what --probe asks for; within the total
};

std::vector<EpochSeconds> epoch_seconds(const fs::path& run) {
  std::vector<EpochSeconds> epochs;
  const std::string text = read_file(run / "epochs.jsonl");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const json seconds = json::parse(text.substr(at, end - at)).at("seconds");
    epochs.push_back({seconds.at("total").get<double>(), 0.0});
    for (const char* probe : {"eigenvalue", "gap", "alignment"}) {
      epochs.back().probes += seconds.value(probe, 0.0);
    }
    at = end + 1;
  }
  return epochs;
}

/// In how many of its epochs a task measures what --probe asks for: every K-th and the last.
int probed_epochs(const Task& task) {
  const std::string text = value_of(task.arguments, "--probe-every=").value_or("1");
  int every = 1;
  std::from_chars(text.data(), text.data() + text.size(), every);
  every = std::max(every, 1);
  const int due = (task.epochs + every - 1) / every;
  return due + (task.epochs > 0 && (task.epochs - 1) % every != 0 ? 1 : 0);
}

class Measurer {
 public:
  Measurer(const Plan& plan, const StudyFolder& folder, const RunStudyOptions& options)
      : plan_(plan), folder_(folder), options_(options), base_(folder.path / "measure") {
    fs::remove_all(base_);
    fs::create_directories(base_);
  }

  std::vector<Measurement> measure_all() {
    for (const Task& task : plan_.tasks) {
      if (task.kind == TaskKind::kSearch || task.kind == TaskKind::kTrain) {
        for (const std::vector<std::string>& arguments : variants(plan_, task)) {
          measure_run(task, arguments);
        }
      } else if (task.kind == TaskKind::kEvaluate) {
        for (const auto& arguments : variants(plan_, plan_.tasks[task.needs.front()])) {
          measure_test(task, key_of(arguments));
        }
      } else if (task.kind == TaskKind::kExplain) {
        measure_explanation(task);
      }
    }
    fs::remove_all(base_);
    std::vector<Measurement> all;
    for (auto& [key, one] : measured_) {
      all.push_back(std::move(one));
    }
    return all;
  }

 private:
  void measure_run(const Task& task, const std::vector<std::string>& arguments) {
    const std::string key = key_of(arguments);
    if (measured_.contains(key)) {
      return;
    }
    const auto data = value_of(arguments, "--data=");
    const auto size = value_of(arguments, "--size=");
    if (decoded_.emplace(arguments[0], data.value_or(""), size.value_or("")).second) {
      time(arguments, 1, base_ / "decode");  // later runs find the images decoded
      fs::remove_all(base_ / "decode");
    }
    options_.say(fmt::format("measuring two epochs: {}", task.label));
    const Cost whole = time(arguments, 2, base_ / key);
    const std::vector<EpochSeconds> epochs = epoch_seconds(base_ / key);
    require(epochs.size() == 2, "a measurement has two epochs");
    Measurement one;
    one.key = key;
    one.start_seconds = std::max(0.0, whole.seconds - epochs[0].total - epochs[1].total);
    one.epoch_seconds = epochs[1].total - epochs[1].probes;
    one.probe_seconds = epochs[1].probes;
    one.memory_mib = whole.memory_mib;
    one.busy = whole.processor_seconds / whole.seconds;
    measured_[key] = one;
  }

  void measure_test(const Task& task, const std::string& key) {
    Measurement& training = measured_.at(key);
    if (!training.test) {
      std::vector<std::string> arguments = task.arguments;
      arguments[1] = (base_ / key).string();  // in the place of {run:ID}
      training.test = run(arguments);
    }
  }

  void measure_explanation(const Task& task) {
    std::vector<std::string> arguments;
    std::size_t next = 0;
    for (const std::string& argument : task.arguments) {
      if (argument.starts_with("--run=")) {
        const Task& training = plan_.tasks[task.needs[next++]];
        const std::string key = key_of(variants(plan_, training).front());
        arguments.push_back("--run=" + (base_ / key).string());
      } else {
        arguments.push_back(argument);
      }
    }
    arguments.insert(arguments.begin() + 1, "--out=" + (base_ / task.id).string());
    options_.say("measuring: " + task.label);
    const Cost cost = run(arguments);
    const std::string key = key_of_explanation(task);
    Measurement one;
    one.key = key;
    one.start_seconds = cost.seconds;
    one.memory_mib = cost.memory_mib;
    one.busy = cost.processor_seconds / cost.seconds;
    measured_[key] = one;
  }

  Cost time(std::vector<std::string> arguments, int epochs, const fs::path& out) {
    arguments.push_back(fmt::format("--epochs={}", epochs));
    arguments.push_back("--out=" + out.string());
    return run(arguments);
  }

  Cost run(std::vector<std::string> arguments) {
    const int threads = std::max(1, options_.threads / options_.workers);
    arguments.insert(arguments.begin() + 1, {fmt::format("--threads={}", threads), "--json"});
    for (std::string& argument : arguments) {
      argument = locate_data(argument, folder_);
    }
    const fs::path log = base_ / "log";
    const double started = monotonic_seconds();
    const auto errors = ChildLog::open(log);
    require(errors.has_value(), "the folder is new, and the child before has ended");
    ChildProcess child(options_.program, arguments, base_ / "out", *errors, threads);
    std::optional<ChildEnd> end;
    while (!(end = child.ended())) {
      if (const int signal = options_.interrupted()) {
        throw Interrupted(fmt::format("study: stopped by signal {}", signal), signal);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (end->exit_code != 0) {
      throw UserError(fmt::format("study: measuring '{}' failed with exit code {}; see '{}'",
                                  fmt::join(arguments, " "), end->exit_code, log.string()));
    }
    return {monotonic_seconds() - started, end->memory_mib, end->processor_seconds};
  }

  const Plan& plan_;
  const StudyFolder& folder_;
  const RunStudyOptions& options_;
  fs::path base_;
  std::map<std::string, Measurement> measured_;
  std::set<std::tuple<std::string, std::string, std::string>> decoded_;
};

json to_json(const Measurement& one) {
  json stored = {{"key", one.key},
                 {"start_seconds", one.start_seconds},
                 {"epoch_seconds", one.epoch_seconds},
                 {"probe_seconds", one.probe_seconds},
                 {"memory_mib", one.memory_mib},
                 {"busy", one.busy}};
  if (one.test) {
    stored["test"] = {{"seconds", one.test->seconds},
                      {"memory_mib", one.test->memory_mib},
                      {"processor_seconds", one.test->processor_seconds}};
  }
  return stored;
}

/// The mean of what is known of several runs; nothing when one of them is not known.
std::optional<Cost> mean_of(const std::vector<std::optional<Cost>>& costs) {
  Cost mean;
  for (const std::optional<Cost>& cost : costs) {
    if (!cost) {
      return std::nullopt;
    }
    mean.seconds += cost->seconds / static_cast<double>(costs.size());
    mean.processor_seconds += cost->processor_seconds / static_cast<double>(costs.size());
    mean.memory_mib = std::max(mean.memory_mib, cost->memory_mib);
  }
  return costs.empty() ? std::nullopt : std::optional(mean);
}

/// What measurements say of a task.
std::optional<Cost> from_measurements(const Plan& plan, const Task& task,
                                      const std::map<std::string, const Measurement*>& by_key) {
  const auto find = [&](const std::string& key) {
    const auto found = by_key.find(key);
    return found == by_key.end() ? nullptr : found->second;
  };
  std::vector<std::optional<Cost>> costs;
  if (task.kind == TaskKind::kExplain) {
    const Measurement* one = find(key_of_explanation(task));
    costs.push_back(one == nullptr ? std::nullopt
                                   : std::optional(Cost{one->start_seconds, one->memory_mib,
                                                        one->start_seconds * one->busy}));
    return mean_of(costs);
  }
  const bool test = task.kind == TaskKind::kEvaluate;
  for (const auto& arguments : variants(plan, test ? plan.tasks[task.needs.front()] : task)) {
    const Measurement* one = find(key_of(arguments));
    if (one == nullptr || (!test && task.epochs == 0)) {
      costs.emplace_back();
    } else if (test) {
      costs.push_back(one->test);
    } else {
      const double seconds = one->start_seconds + task.epochs * one->epoch_seconds +
                             probed_epochs(task) * one->probe_seconds;
      costs.push_back(Cost{seconds, one->memory_mib, seconds * one->busy});
    }
  }
  return mean_of(costs);
}

}  // namespace

std::string cost_key(const Task& task) {
  std::string key;
  for (const std::string& argument : task.arguments) {
    if (!starts_with_any(argument, {"--seed=", "--epochs=", "--genotype=", "{run:"})) {
      key += argument + '\n';
    }
  }
  return key;
}

std::vector<Measurement> measure(const Plan& plan, const StudyFolder& folder,
                                 const RunStudyOptions& options) {
  std::vector<Measurement> measured = Measurer(plan, folder, options).measure_all();
  json stored = json::array();
  for (const Measurement& one : measured) {
    stored.push_back(to_json(one));
  }
  write_file_atomically(folder.measure_json(), stored.dump(1) + "\n");
  return measured;
}

std::vector<Measurement> read_measurements(const StudyFolder& folder) {
  if (folder.path.empty() || !fs::exists(folder.measure_json())) {
    return {};
  }
  std::vector<Measurement> measured;
  try {
    for (const json& stored : json::parse(read_file(folder.measure_json()))) {
      Measurement one;
      one.key = stored.at("key").get<std::string>();
      one.start_seconds = stored.at("start_seconds").get<double>();
      one.epoch_seconds = stored.at("epoch_seconds").get<double>();
      one.probe_seconds = stored.value("probe_seconds", 0.0);
      one.memory_mib = stored.at("memory_mib").get<double>();
      one.busy = stored.value("busy", 0.0);
      if (stored.contains("test")) {
        one.test = Cost{stored.at("test").at("seconds").get<double>(),
                        stored.at("test").at("memory_mib").get<double>(),
                        stored.at("test").value("processor_seconds", 0.0)};
      }
      measured.push_back(std::move(one));
    }
  } catch (const json::exception&) {
    throw UserError(fmt::format("study: '{}' is damaged; delete it and measure again",
                                folder.measure_json().string()));
  }
  return measured;
}

std::vector<std::optional<Cost>> estimate(const Plan& plan, const Progress& progress,
                                          const std::vector<Measurement>& measured) {
  struct Sum {
    double seconds = 0.0, processor = 0.0, memory = 0.0, runs = 0.0;
  };
  std::map<std::pair<std::string, int>, Sum> known;
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    if (progress.states[i] == TaskState::kDone) {
      Sum& sum = known[{cost_key(plan.tasks[i]), plan.tasks[i].epochs}];
      sum.seconds += progress.records[i].seconds;
      sum.processor += progress.records[i].processor_seconds;
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
      costs[i] = Cost{progress.records[i].seconds, progress.records[i].memory_mib,
                      progress.records[i].processor_seconds};
    } else if (task.kind == TaskKind::kSelect) {
      costs[i] = Cost{};
    } else if (const auto measured_cost = from_measurements(plan, task, by_key)) {
      costs[i] = measured_cost;
    } else if (const auto found = known.find({cost_key(task), task.epochs}); found != known.end()) {
      const Sum& sum = found->second;
      costs[i] = Cost{sum.seconds / sum.runs, sum.memory, sum.processor / sum.runs};
    }
  }
  return costs;
}

std::vector<double> longest_chains(const Plan& plan,
                                   const std::vector<std::optional<Cost>>& costs) {
  double dearest = 0.0;
  for (const auto& cost : costs) {
    dearest = std::max(dearest, cost ? cost->seconds : 0.0);
  }
  if (dearest == 0.0) {
    dearest = 1.0;  // nothing is known yet: chains are counted in tasks
  }
  std::vector<double> after(costs.size(), 0.0);  // the longest chain that waits for the task
  std::vector<double> chains(costs.size());
  for (std::size_t i = costs.size(); i-- > 0;) {
    chains[i] = after[i] + (costs[i] ? costs[i]->seconds : dearest);
    for (const std::size_t need : plan.tasks[i].needs) {
      after[need] = std::max(after[need], chains[i]);
    }
  }
  return chains;
}

}  // namespace probedarts::study
