#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

/// Where the reference numbers and the real images lie. A clone without them skips the tests that
/// need them; with PROBEDARTS_REQUIRE_SHARED set (as in .ci/run) a missing file is a failure
/// instead.
namespace probedarts::testing {

inline std::filesystem::path shared_folder() {
  const char* set = std::getenv("PROBEDARTS_SHARED");
  return set != nullptr ? std::filesystem::path(set)
                        : std::filesystem::path(PROBEDARTS_SOURCE_DIR).parent_path() / "shared";
}

inline std::filesystem::path golden_folder() {
  const char* set = std::getenv("PROBEDARTS_GOLDEN");
  return set != nullptr ? std::filesystem::path(set) : shared_folder() / "golden";
}

inline bool shared_is_required() { return std::getenv("PROBEDARTS_REQUIRE_SHARED") != nullptr; }

/// All files of a golden group with this ending, sorted: every case found is tested, whatever its
/// name.
inline std::vector<std::filesystem::path> golden_cases(const std::string& group,
                                                       const std::string& ending = ".json") {
  std::vector<std::filesystem::path> found;
  const std::filesystem::path folder = golden_folder() / group;
  if (std::filesystem::is_directory(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ending) {
        found.push_back(entry.path());
      }
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace probedarts::testing

/// Skips (or fails, see above) the running test unless `path` exists.
#define PROBEDARTS_NEEDS(path)                                                                     \
  if (!std::filesystem::exists(path)) {                                                            \
    if (probedarts::testing::shared_is_required()) {                                               \
      FAIL() << (path) << " is missing";                                                           \
    }                                                                                              \
    GTEST_SKIP() << (path) << " is absent; set PROBEDARTS_SHARED to the folder of reference data"; \
  }
