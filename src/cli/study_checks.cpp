#include "cli/study_checks.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.hpp"
#include "core/errors.hpp"
#include "study/estimate.hpp"

namespace probedarts::cli {
namespace {

/// The flags of a task, with a published cell where another run has still to give one.
std::vector<std::string> flags_of(const study::Task& task) {
  std::vector<std::string> flags(task.arguments.begin() + 1, task.arguments.end());
  std::erase_if(flags, [](const std::string& flag) { return flag.starts_with("--run="); });
  for (std::string& flag : flags) {
    if (flag.starts_with("--genotype={")) {
      flag = "--genotype=DARTS_ADP_N2";
    }
  }
  return flags;
}

}  // namespace

void check_flags(const study::Plan& plan, const std::string& where) {
  std::set<std::pair<study::TaskKind, std::string>> checked;
  for (const study::Task& task : plan.tasks) {
    const auto check = task.kind == study::TaskKind::kSearch    ? check_search_flags
                       : task.kind == study::TaskKind::kTrain   ? check_train_flags
                       : task.kind == study::TaskKind::kExplain ? check_explain_flags
                                                                : nullptr;
    if (check == nullptr || !checked.emplace(task.kind, study::cost_key(task)).second) {
      continue;
    }
    try {
      check(flags_of(task));
    } catch (const UserError& error) {
      throw UserError(fmt::format("study file '{}': {}: {}", where, task.label, error.what()));
    }
  }
}

}  // namespace probedarts::cli
