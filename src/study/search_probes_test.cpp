#include "study/search_probes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

using ::testing::DoubleEq;
using ::testing::Optional;

TEST(ReadSearchProbes, TakesTheLastWholeLine) {
  const testing::ScratchFolder scratch;
  const SearchProbes probes = read_search_probes(scratch.write(
      "epochs.jsonl",
      R"({"probe": {"stable_rank": [9]}, "eigenvalue": {"largest": 9}})"
      "\n"
      R"({"probe": {"stable_rank": [0.25, null, 0.75], "velocity": [null, -0.25, 0.5]}, "eigenvalue": {"largest": 2.5},)"
      R"( "gap": {"derived_error": 0.5, "gap": 0.125}, "alignment": {"cosine": -0.5},)"
      R"( "collapse": {"normal": {"parameter_free_share": 0.375}}})"
      "\n{\"probe\""));
  EXPECT_THAT(probes[0], Optional(DoubleEq(0.5)));  // of the two that did not fail
  EXPECT_THAT(probes[1], Optional(DoubleEq(2.5)));
  EXPECT_THAT(probes[2], Optional(DoubleEq(0.125)));
  EXPECT_THAT(probes[3], Optional(DoubleEq(-0.5)));
  EXPECT_THAT(probes[4], Optional(DoubleEq(0.375)));
  EXPECT_THAT(probes[5], Optional(DoubleEq(0.125)));
}

TEST(ReadSearchProbes, FindsALineLongerThanItReadsAtFirst) {
  const testing::ScratchFolder scratch;
  const std::string first = "{\"pad\": \"" + std::string(200000, 'x') + "\"}\n";
  const std::string last = "{\"pad\": \"" + std::string(300000, 'y') + R"(", "gap": {"gap": 1}})";
  EXPECT_THAT(read_search_probes(scratch.write("a", first + last + "\n"))[2],
              Optional(DoubleEq(1.0)));
  EXPECT_THAT(read_search_probes(scratch.write("b", last + "\n" + std::string(100000, 'z')))[2],
              Optional(DoubleEq(1.0)));
}

TEST(ReadSearchProbes, LeavesOutWhatWasNotMeasured) {
  const testing::ScratchFolder scratch;
  EXPECT_EQ(
      read_search_probes(scratch.write(
          "epochs.jsonl", "{\"probe\": {\"stable_rank\": [null]}, \"gap\": {\"gap\": null}}\n")),
      SearchProbes{});
}

TEST(ReadSearchProbes, RefusesADamagedFile) {
  const testing::ScratchFolder scratch;
  const auto file = scratch.write("epochs.jsonl", "{\"probe\": \n");
  try {
    read_search_probes(file);
    FAIL() << "should have refused";
  } catch (const UserError& error) {
    EXPECT_EQ(error.what(), "run folder: the last line of '" + file.string() +
                                "' is no valid JSON; restore the file or repeat the run");
  }
}

}  // namespace
}  // namespace probedarts::study
