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
///
/// PROBEDARTS_GOLDEN names another folder of reference cases of the same form: any file, case and
/// row names, any sizes. Such a folder need not hold every group, nor every kind of case within
/// one: what is absent altogether is skipped with a line that says so, whether or not shared files
/// are required. A file that one of its cases names must be there.
namespace probedarts::testing {

inline std::filesystem::path shared_folder() {
  const char* set = std::getenv("PROBEDARTS_SHARED");
  return set != nullptr ? std::filesystem::path(set)
                        : std::filesystem::path(PROBEDARTS_SOURCE_DIR).parent_path() / "shared";
}

inline bool golden_is_given() { return std::getenv("PROBEDARTS_GOLDEN") != nullptr; }

inline std::filesystem::path golden_folder() {
  return golden_is_given() ? std::filesystem::path(std::getenv("PROBEDARTS_GOLDEN"))
                           : shared_folder() / "golden";
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

/// Skips the running test when the golden group is absent, or fails where all groups are required:
/// in the default folder. A folder that PROBEDARTS_GOLDEN names must exist, and a group in it must
/// hold a case.
#define PROBEDARTS_NEEDS_GROUP(group)                                                 \
  if (probedarts::testing::golden_cases(group).empty()) {                             \
    const auto absent_folder = probedarts::testing::golden_folder() / (group);        \
    if (!probedarts::testing::golden_is_given()) {                                    \
      PROBEDARTS_NEEDS(absent_folder);                                                \
    } else if (std::filesystem::is_directory(probedarts::testing::golden_folder()) && \
               !std::filesystem::exists(absent_folder)) {                             \
      GTEST_SKIP() << "group " << (group) << " is absent from the folder that "       \
                   << "PROBEDARTS_GOLDEN names";                                      \
    }                                                                                 \
    FAIL() << absent_folder << " holds no case";                                      \
  }

/// Ends a test that has gone through every case it found: `count` of them held what it looks for.
/// With none it is skipped in a folder that PROBEDARTS_GOLDEN names and fails in the default one.
#define PROBEDARTS_FOUND(count, what)                                                        \
  if ((count) == 0) {                                                                        \
    if (probedarts::testing::golden_is_given()) {                                            \
      GTEST_SKIP() << "no case of the folder that PROBEDARTS_GOLDEN names holds " << (what); \
    }                                                                                        \
    FAIL() << "no case of " << probedarts::testing::golden_folder() << " holds " << (what);  \
  }
