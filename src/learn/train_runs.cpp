#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/mean_and_sd.hpp"
#include "core/progress.hpp"
#include "learn/options.hpp"
#include "learn/run_record.hpp"
#include "learn/train.hpp"

namespace probedarts::learn {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json summary_of(const std::vector<TrainResult>& results, double TrainResult::*figure) {
  std::vector<double> values;
  for (const TrainResult& result : results) {
    values.push_back(result.*figure);
  }
  const MeanSd found = mean_and_sd(values);
  return {{"mean", found.runs > 0 ? Json(found.mean) : Json(nullptr)},
          {"sd", found.sd ? Json(*found.sd) : Json(nullptr)}};
}

/// Runs every seed that is not finished, and writes the summary of all.
TrainResults train_all(const TrainConfig& config, const fs::path& out,
                       const nlohmann::json& machine_options) {
  TrainResults all;
  std::vector<TrainResult>& results = all.finished;
  Json runs = Json::array();
  std::string last;
  for (int i = 0; i < config.runs; ++i) {
    const std::string name = fmt::format("run-{}", i + 1);
    TrainConfig own = config;
    own.runs = 1;
    own.seed = config.seed + static_cast<std::uint64_t>(i);
    print_line(fmt::format("{} of {}, seed {}", name, config.runs, own.seed));
    try {
      const bool begun = fs::exists(out / name / "run.json");
      results.push_back(begun ? resume_training(out / name, machine_options)
                              : run_training(own, out / name, RunFolder::IfExists::kReplace));
    } catch (const Diverged& error) {
      last = fmt::format("{}: {}", name, error.what());
      print_line(last);
      all.diverged.push_back(fmt::format("{} (seed {})", name, own.seed));
      runs.push_back({{"run", name}, {"seed", own.seed}, {"diverged", error.what()}});
      continue;
    } catch (const Interrupted& stop) {
      throw Interrupted(fmt::format("stopped in {} of {}; go on with: probedarts train --resume {}",
                                    name, config.runs, out.string()),
                        stop.signal());
    }
    const TrainResult& result = results.back();
    runs.push_back({{"run", name},
                    {"seed", own.seed},
                    {"best_error", result.best_error},
                    {"best_epoch", result.best_epoch},
                    {"valid_error", result.valid_error},
                    {"train_error", result.train_error}});
  }
  const Json summary = {{"format", "probedarts-runs-summary"},
                        {"format_version", 1},
                        {"finished", results.size()},
                        {"best_error", summary_of(results, &TrainResult::best_error)},
                        {"valid_error", summary_of(results, &TrainResult::valid_error)},
                        {"train_error", summary_of(results, &TrainResult::train_error)},
                        {"runs", runs}};
  write_file_atomically(out / "summary.json", summary.dump(1) + "\n");
  if (results.empty()) {
    throw Diverged(fmt::format("all {} runs diverged, the last one in {}", config.runs, last));
  }
  return all;
}

void make_folder_of_runs(const fs::path& out, RunFolder::IfExists if_exists) {
  if (fs::exists(out) && !fs::is_directory(out)) {
    throw UserError(fmt::format("'{}' is a file, not a folder of runs; choose another with --out",
                                out.string()));
  }
  const bool occupied = fs::exists(out) && !fs::is_empty(out);
  if (occupied && !holds_several_runs(out)) {
    throw UserError(
        fmt::format("folder '{}' is not empty and holds no runs of one call; choose another with "
                    "--out",
                    out.string()));
  }
  if (occupied && if_exists == RunFolder::IfExists::kRefuse) {
    throw UserError(
        fmt::format("folder '{}' holds runs already; choose another with --out, go on with "
                    "--resume, or replace them with --force",
                    out.string()));
  }
  std::error_code error;
  fs::create_directories(out, error);
  if (error) {
    throw UserError(fmt::format("cannot make the folder '{}': {}; choose another with --out",
                                out.string(), error.message()));
  }
}

/// Every run-<n> in the folder is made anew, also those beyond the new number of runs.
void remove_old_runs(const fs::path& out) {
  fs::remove(out / "summary.json");
  for (int i = 1; fs::exists(out / fmt::format("run-{}", i) / "run.json"); ++i) {
    // Locks the run, so that one still in use is refused, and removes what it wrote.
    RunFolder::create(out / fmt::format("run-{}", i), RunFolder::IfExists::kReplace);
  }
}

}  // namespace

bool holds_several_runs(const fs::path& out) { return fs::exists(out / "runs.json"); }

std::vector<fs::path> finished_runs(const fs::path& out) {
  const fs::path summary = out / "summary.json";
  if (!fs::exists(summary)) {
    throw UserError(
        fmt::format("the runs in '{}' are not finished; go on with: probedarts train --resume {}",
                    out.string(), out.string()));
  }
  std::vector<fs::path> runs;
  try {
    const Json stored = Json::parse(read_file(summary));
    for (const Json& run : stored.at("runs")) {
      if (!run.contains("diverged")) {
        runs.push_back(out / run.at("run").get<std::string>());
      }
    }
  } catch (const Json::exception&) {
    throw UserError(fmt::format("'{}' is damaged; restore it or start again", summary.string()));
  }
  if (runs.empty()) {
    throw UserError(fmt::format(
        "all runs in '{}' diverged; train anew with a smaller --lr, into another folder",
        out.string()));
  }
  return runs;
}

TrainResults run_trainings(const TrainConfig& config, const fs::path& out,
                           RunFolder::IfExists if_exists) {
  validate(config);
  make_folder_of_runs(out, if_exists);
  remove_old_runs(out);
  const Json head = {
      {"format", "probedarts-runs"}, {"format_version", 1}, {"config", to_json(config)}};
  write_file_atomically(out / "runs.json", head.dump(1) + "\n");
  return train_all(config, out, nlohmann::json::object());
}

TrainResults resume_trainings(const fs::path& out, const nlohmann::json& machine_options) {
  const nlohmann::json head = nlohmann::json::parse(read_file(out / "runs.json"), nullptr, false);
  if (!says(head, "format", "probedarts-runs") || !head.contains("config") ||
      !head["config"].is_object()) {
    throw UserError(
        fmt::format("'{}' is damaged; restore it or start again", (out / "runs.json").string()));
  }
  nlohmann::json config = head["config"];
  config.update(machine_options);
  return train_all(train_config_from_json(config), out, machine_options);
}

}  // namespace probedarts::learn
