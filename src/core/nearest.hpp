#pragma once

#include <optional>
#include <string>
#include <vector>

namespace probedarts {

/// The known name nearest to a misspelt one (edit distance at most 3, and at most half its length),
/// if any. Cost: O(product of the lengths) for each known name.
std::optional<std::string> nearest(const std::string& name, const std::vector<std::string>& known);

}  // namespace probedarts
