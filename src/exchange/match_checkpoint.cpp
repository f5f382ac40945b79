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

/// The first three; where tensors are missing and others are there instead, one of those among
/// them, because a prefix or another network is told by the names that are there.
[[noreturn]] void report_misfits(const std::string& source, std::vector<std::string> misfits,
                                 const std::vector<std::string>& superfluous, std::size_t wanted,
                                 std::size_t got) {
  constexpr std::size_t kShown = 3;
  const std::size_t all = misfits.size() + superfluous.size();
  const std::size_t others = kShown - std::min(kShown - 1, misfits.size());
  misfits.resize(std::min(misfits.size(), superfluous.empty() ? kShown : kShown - 1));
  misfits.insert(
      misfits.end(), superfluous.begin(),
      superfluous.begin() + static_cast<std::ptrdiff_t>(std::min(others, superfluous.size())));
  const std::string more =
      all > misfits.size() ? fmt::format(", and {} more", all - misfits.size()) : "";
  throw UserError(fmt::format(
      "{}: does not fit the network: {}{} ({} tensors wanted, {} in the checkpoint); choose the "
      "network that it was made for",
      source, fmt::join(misfits, ", "), more, wanted, got));
}

}  // namespace

MatchedCheckpoint match_checkpoint(const TensorFile& checkpoint,
                                   std::span<const WantedTensor> wanted, const MatchRules& rules,
                                   const std::string& source) {
  MatchedCheckpoint matched;
  std::vector<std::string> misfits;
  std::vector<std::string> superfluous;
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
      superfluous.push_back(fmt::format("'{}' {} is not wanted", name, shape_text(tensor.shape)));
    }
  }
  if (!misfits.empty() || !superfluous.empty()) {
    report_misfits(source, std::move(misfits), superfluous, wanted.size(),
                   checkpoint.tensors.size());
  }
  return matched;
}

}  // namespace probedarts::exchange
