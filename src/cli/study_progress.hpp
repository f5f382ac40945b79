#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "study/estimate.hpp"
#include "study/plan.hpp"
#include "study/run_study.hpp"

namespace probedarts::cli {

/// "waiting", "running", "done", "failed" or "blocked".
const char* name_of(study::TaskState state);

/// Number of runs in each state, by its name.
nlohmann::json counts_json(const study::Progress& progress);

/// What `study status` says: runs in each state, in all and of each phase, failures with their
/// reasons, and the time left. \param progress  with those that run marked.
struct Status {
  const std::string& name;
  const study::Plan& plan;
  const study::Progress& progress;
  const std::vector<std::optional<study::Cost>>& costs;
  const study::StudyFolder& folder;
};
nlohmann::json status_json(const Status& status);
std::string status_text(const Status& status);

}  // namespace probedarts::cli
