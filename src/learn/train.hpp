#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/run_folder.hpp"
#include "learn/train_config.hpp"

/// Training of one network from scratch or from a checkpoint (docs/method.md, docs/train.md).
namespace probedarts::learn {

/// What a finished training leaves, beside its folder.
struct TrainResult {
  std::filesystem::path run;
  int epochs = 0;
  std::uint64_t seed = 0;
  double train_error = 0.0, valid_error = 0.0;  ///< of the last epoch
  double best_error = 0.0;                      ///< smallest validation error
  int best_epoch = 0;
  double seconds = 0.0;  ///< of this call
};

/// Trains into a new run folder. \throws UserError; Diverged (the folder keeps the last good epoch
/// and the best one); Interrupted (go on with resume_training).
TrainResult run_training(const TrainConfig& config, const std::filesystem::path& out,
                         RunFolder::IfExists if_exists);

/// Goes on with a run from its checkpoint: the same bits as if it had never stopped.
/// \param machine_options  values of `is_machine_option` keys to use instead of the stored ones.
TrainResult resume_training(const std::filesystem::path& run,
                            const nlohmann::json& machine_options);

/// What trainings of one call leave.
struct TrainResults {
  std::vector<TrainResult> finished;
  std::vector<std::string> diverged;  ///< "run-2 (seed 4)"
};

/// Trains `config.runs` times with the seeds seed, seed + 1, ... into OUT/run-1, OUT/run-2, ...,
/// and writes OUT/summary.json: every run's errors, their mean and standard deviation (n - 1). A
/// run that diverges is listed as such and left out of the mean; the others go on. OUT/runs.json
/// holds the configuration. \throws Diverged when none finishes.
TrainResults run_trainings(const TrainConfig& config, const std::filesystem::path& out,
                           RunFolder::IfExists if_exists);

/// Whether a folder is one of `run_trainings`.
bool holds_several_runs(const std::filesystem::path& out);

/// The runs in such a folder that did not diverge, in order. \throws UserError before all have
/// ended.
std::vector<std::filesystem::path> finished_runs(const std::filesystem::path& out);

/// Goes on with those: finished runs stay as they are, missing ones are begun.
TrainResults resume_trainings(const std::filesystem::path& out,
                              const nlohmann::json& machine_options);

}  // namespace probedarts::learn
