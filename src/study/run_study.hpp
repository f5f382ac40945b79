#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "study/ledger.hpp"
#include "study/plan.hpp"

/// Carrying out a plan, and how far it has come.
namespace probedarts::study {

/// Where things lie in the folder of a study.
struct StudyFolder {
  std::filesystem::path path;
  std::filesystem::path data_root;  ///< where relative data sets lie; empty: the working folder
  /// Where `data_root` is noted for the next process.
  std::filesystem::path data_root_txt() const { return path / "data_root.txt"; }
  std::filesystem::path study_toml() const { return path / "study.toml"; }
  std::filesystem::path data_json() const { return path / "data.json"; }
  std::filesystem::path measure_json() const { return path / "measure.json"; }
  /// Texts of the cells that the study file names by files or run folders.
  std::filesystem::path genotypes_json() const { return path / "genotypes.json"; }
  std::filesystem::path ledger() const { return path / "ledger"; }
  std::filesystem::path run(const std::string& id) const { return path / "runs" / id; }
  std::filesystem::path out(const std::string& id) const { return path / "logs" / (id + ".out"); }
  std::filesystem::path log(const std::string& id) const { return path / "logs" / (id + ".log"); }
  /// What the test `id` said of each image.
  std::filesystem::path predictions(const std::string& id) const {
    return path / "predictions" / (id + ".csv");
  }
};

struct RunStudyOptions {
  std::filesystem::path program;  ///< this program, started again for each run
  int workers = 1;                ///< runs at the same time
  int threads = 1;                ///< in all, divided among the workers
  int shard = 1, shards = 1;      ///< this process begins with every shards-th task from shard on
  double stale_seconds = 600.0;   ///< see Ledger
  double renew_seconds = 15.0;    ///< between signs of life for the claims of what runs
  bool retry_failed = false;
  std::function<void(const std::string&)> say;  ///< one line for people
  std::function<int()> interrupted;             ///< the signal that asks us to stop, or 0
  /// Called with the data set of each run before it starts; what it throws ends the study.
  std::function<void(const std::string&)> check_data = {};
};

/// "--data=x" with the folder that x lies in; any other argument as it is.
std::string locate_data(const std::string& argument, const StudyFolder& folder);

/// Where a task stands. Blocked: something it needs failed.
enum class TaskState { kWaiting, kRunning, kDone, kFailed, kBlocked };

struct Progress {
  std::vector<TaskState> states;  ///< of each task
  std::vector<Record> records;    ///< of each task; empty ones for what has not ended
  std::size_t count(TaskState state) const;
};

/// What the ledger says of every task. Cost: one small file a task that ended.
Progress read_progress(const Plan& plan, const Ledger& ledger);

/// Runs all that is left of a plan; what has ended, here or elsewhere, is not repeated. A run that
/// was killed goes on from its checkpoint. Failures are recorded and the rest goes on, but for want
/// of space, which ends the study: that run stays waiting.
/// Shares the folder with other processes on any machine: each begins with its own shard, then
/// takes what nobody holds, so that no machine idles and none is waited for in vain.
/// \throws UserError when another process runs the same shard, or the disk is full.
/// \throws Interrupted after a signal; claims are given back.
Progress run_study(const Plan& plan, const StudyFolder& folder, const RunStudyOptions& options);

}  // namespace probedarts::study
