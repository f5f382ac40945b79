#pragma once

#include <optional>
#include <string>
#include <vector>

#include "study/plan.hpp"
#include "study/run_study.hpp"

/// What a plan will cost on this machine, from runs that have been timed.
namespace probedarts::study {

struct Cost {
  double seconds = 0.0;
  double memory_mib = 0.0;
  double processor_seconds = 0.0;  ///< of all threads; 0: not known
};

/// What decides the time of a task beside its epochs: its flags without seed, epochs and cell.
std::string cost_key(const Task& task);

/// One short run that stands for all of its key: searches and trainings with the same flags but for
/// seed and epochs, or one explanation.
struct Measurement {
  std::string key;
  double start_seconds = 0.0;  ///< before and after the epochs
  double epoch_seconds = 0.0;  ///< without what --probe asks for
  double probe_seconds = 0.0;  ///< of that, each time it is due
  double memory_mib = 0.0;
  std::optional<Cost> test = {};  ///< of a training: of its test
  double busy = 0.0;  ///< processor time over time by the clock: threads, less what others took
};

/// Runs each kind of search and of training for two epochs and times the second, tests each
/// training, and makes each explanation of what was trained, one after the other, in
/// `folder`/measure. A cell that no search has found yet is stood for by kStandIns random ones of
/// its size. Decoding a data set for its first run is left out. Keeps the results in
/// `folder`/measure.json. \throws UserError when a run fails.
std::vector<Measurement> measure(const Plan& plan, const StudyFolder& folder,
                                 const RunStudyOptions& options);
inline constexpr int kStandIns = 3;

/// What was measured before in a folder; nothing where that was never done.
/// \throws UserError when the file is damaged.
std::vector<Measurement> read_measurements(const StudyFolder& folder);

/// Expected cost of each task: its own record where it is done, else a measurement (of stand-ins:
/// their mean), else the mean of done ones of its key and epochs, else nothing.
std::vector<std::optional<Cost>> estimate(const Plan& plan, const Progress& progress,
                                          const std::vector<Measurement>& measured);

/// Seconds of the longest chain of tasks that begins with each: what a study cannot end sooner than
/// after the task starts. Started longest first, tasks leave no worker alone with a long one at the
/// end. A task of unknown cost counts as the dearest known one, so that it is tried early.
std::vector<double> longest_chains(const Plan& plan, const std::vector<std::optional<Cost>>& costs);

}  // namespace probedarts::study
