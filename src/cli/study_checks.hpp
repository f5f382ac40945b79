#pragma once

#include <string>

#include "study/plan.hpp"

namespace probedarts::cli {

/// Reads the flags of every kind of run of a plan as the run itself will, so that a slip in the
/// last phase is told before the first search and not after it.
/// \param where  the study file, for messages.
/// \throws UserError  one sentence that names the first run with a value that its command refuses.
/// Cost: milliseconds for each kind of run, whatever their number.
void check_flags(const study::Plan& plan, const std::string& where);

}  // namespace probedarts::cli
