#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "study/estimate.hpp"
#include "study/plan.hpp"
#include "study/run_study.hpp"

/// How long a study will take by the clock, and how far each of its phases is.
namespace probedarts::study {

/// What some workers make of the tasks that are left.
struct Schedule {
  double seconds = 0.0;     ///< by the clock, of the tasks whose time is known
  double memory_mib = 0.0;  ///< the most that runs at the same time hold together
  std::size_t unknown = 0;  ///< tasks whose time is not known, which count as taking none
};

/// Carries out the tasks that are left in thought, as `run_study` does: whoever is free takes the
/// ready task with the longest chain behind it; of one worker the first in the plan.
/// \param left  of each task: what it still takes. Those that run have begun already.
/// \param workers  at least 1; more when more are running now.
Schedule schedule(const Plan& plan, const std::vector<TaskState>& states,
                  const std::vector<std::optional<Cost>>& left, int workers);

/// What each task still takes. Of those that run, by the epochs that they have written so far: the
/// mean of these times the number left. That also stands for tasks of the same flags of which
/// nothing else is known.
std::vector<std::optional<Cost>> costs_left(const Plan& plan, const Progress& progress,
                                            const std::vector<std::optional<Cost>>& costs,
                                            const StudyFolder& folder);

/// Numbers of tasks of a phase by their state, in the order of TaskState.
struct PhaseCount {
  Phase phase = Phase::kSearch;
  std::array<std::size_t, 5> states = {};
  std::size_t all() const;
};

/// Of each phase that has tasks.
std::vector<PhaseCount> count_phases(const Plan& plan, const std::vector<TaskState>& states);

}  // namespace probedarts::study
