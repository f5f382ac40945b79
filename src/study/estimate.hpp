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
};

/// What decides the time of a task beside its epochs: its flags without seed, epochs and cell.
std::string cost_key(const Task& task);

/// One short run that stands for all of its key.
struct Measurement {
  std::string key;
  double start_seconds = 0.0;  ///< before and after the epochs
  double epoch_seconds = 0.0;
  double memory_mib = 0.0;
};

/// Runs each kind of search of the plan for two epochs and times the second, one after the other,
/// in `folder`/measure. Trainings are not measured yet. \throws UserError when a run fails.
std::vector<Measurement> measure(const Plan& plan, const StudyFolder& folder,
                                 const RunStudyOptions& options);

/// Expected cost of each task: its own record where it is done, else the mean of done ones of its
/// key and epochs, else a measurement, else nothing.
std::vector<std::optional<Cost>> estimate(const Plan& plan, const Progress& progress,
                                          const std::vector<Measurement>& measured);

}  // namespace probedarts::study
