#pragma once

namespace probedarts {

/// Version of this software, for example "0.1.0".
const char* version();

/// Commit this binary was built from ("-dirty" when the tree had changes), or "unknown".
const char* commit();

}  // namespace probedarts
