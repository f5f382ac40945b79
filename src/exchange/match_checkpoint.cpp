#include "exchange/match_checkpoint.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include "core/errors.hpp"

namespace probedarts::exchange {
namespace {

bool is_one_of(const std::string& name, const std::vector<std::string>& globs) {
  return std::any_of(globs.begin(), globs.end(), [&name](const std::string& glob) {
    return ::fnmatch(glob.c_str(), name.c_str(), 0) == 0;
  });
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// What is wrong with a tensor of the right name, or "".
std::string misfit(const WantedTensor& wanted, const StoredTensor& got) {
  if (got.shape != wanted.shape) {
    return fmt::format("'{}' should be {} and is {}", wanted.name, shape_text(wanted.shape),
                       shape_text(got.shape));
  }
  if (is_floating(got.type) != is_floating(wanted.type)) {
    return fmt::format("'{}' should be {} and is {}", wanted.name, element_name(wanted.type),
                       element_name(got.type));
  }
  return "";
}

[[noreturn]] void report_misfits(const std::string& source, const std::vector<std::string>& misfits,
                                 std::size_t wanted, std::size_t got) {
  constexpr std::size_t kShown = 3;
  const std::size_t shown = std::min(kShown, misfits.size());
  const auto first = misfits.begin();
  const std::string more =
      misfits.size() > shown ? fmt::format(", and {} more", misfits.size() - shown) : "";
  throw UserError(fmt::format(
      "{}: does not fit the network: {}{} ({} tensors wanted, {} in the checkpoint); choose the "
      "network that it was made for",
      source, fmt::join(first, first + static_cast<std::ptrdiff_t>(shown), ", "), more, wanted,
      got));
}

}  // namespace

MatchedCheckpoint match_checkpoint(const TensorFile& checkpoint,
                                   std::span<const WantedTensor> wanted, const MatchRules& rules,
                                   const std::string& source) {
  MatchedCheckpoint matched;
  std::vector<std::string> misfits;
  std::set<std::string> names;
  for (const WantedTensor& want : wanted) {
    names.insert(want.name);
    const auto found = checkpoint.tensors.find(want.name);
    const bool replaceable = is_one_of(want.name, rules.replaceable);
    if (found == checkpoint.tensors.end()) {
      if (replaceable || is_one_of(want.name, rules.optional)) {
        matched.kept.push_back(want.name);
      } else {
        misfits.push_back(fmt::format("'{}' {} is missing", want.name, shape_text(want.shape)));
      }
      continue;
    }
    const std::string problem = misfit(want, found->second);
    if (problem.empty()) {
      matched.tensors.emplace(want.name, found->second.converted_to(want.type));
    } else if (replaceable) {
      matched.kept.push_back(want.name);
    } else {
      misfits.push_back(problem);
    }
  }
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (names.count(name) != 0) {
      continue;
    }
    matched.unused.push_back(name);
    if (!is_one_of(name, rules.optional) && !is_one_of(name, rules.replaceable)) {
      misfits.push_back(fmt::format("'{}' {} is not wanted", name, shape_text(tensor.shape)));
    }
  }
  if (!misfits.empty()) {
    report_misfits(source, misfits, wanted.size(), checkpoint.tensors.size());
  }
  return matched;
}

}  // namespace probedarts::exchange
