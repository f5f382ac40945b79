#include "study/search_trace.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

const testing::ScratchFolder& scratch() {
  static const testing::ScratchFolder folder;
  return folder;
}

SearchTrace read(const std::string& text) {
  scratch().write("epochs.jsonl", text);
  return read_search_trace(scratch().path() / "epochs.jsonl");
}

std::string refusal(const std::string& text) {
  try {
    read(text);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

std::string sentence(int line, const std::string& complaint) {
  return "run folder: line " + std::to_string(line) + " of '" +
         (scratch().path() / "epochs.jsonl").string() + "' " + complaint +
         "; restore the file or repeat the run";
}

/// One edge a cell; normal weights 0.01 .. 0.08, reduction ones 0.11 .. 0.18.
constexpr const char* kAlpha =
    "\"alpha_softmax\":{\"normal\":[[0.01,0.02,0.03,0.04,0.05,0.06,0.07,0.08]],"
    "\"reduce\":[[0.11,0.12,0.13,0.14,0.15,0.16,0.17,0.18]]}";

std::string line_with(const std::string& ranks) {
  return std::string(
             "{\"epoch\":0,\"train\":{\"loss\":9,\"error\":0.5},\"valid\":{\"loss\":null,") +
         "\"error\":0.75},\"lr\":{\"schedule\":1e-3,\"layers\":[1,[2,{\"error\":3}]]}," + kAlpha +
         ",\"note\":\"a \\\"quote\\\", ] and }\",\"probe\":{\"stable_rank\":" + ranks +
         ",\"rank_in\":[7]},\"seconds\":1}\n";
}

TEST(SearchTrace, HoldsErrorsRanksAndWeightsOfEveryEpoch) {
  const SearchTrace trace = read(line_with("[0.25, null,1e-2]") + line_with("[1,0,3]"));
  EXPECT_THAT(trace.train_error, ::testing::ElementsAre(0.5, 0.5));
  EXPECT_THAT(trace.valid_error, ::testing::ElementsAre(0.75, 0.75));
  ASSERT_EQ(trace.layers, 3U);
  EXPECT_EQ(trace.rank(0, 0), 0.25F);
  EXPECT_TRUE(std::isnan(trace.rank(0, 1)));
  EXPECT_EQ(trace.rank(0, 2), 0.01F);
  EXPECT_EQ(trace.rank(1, 2), 3.0F);
  ASSERT_EQ(trace.edges, 1U);
  EXPECT_EQ(trace.weight(1, 0, 0, 7), 0.08F);
  EXPECT_EQ(trace.weight(0, 1, 0, 0), 0.11F);
}

TEST(SearchTrace, TakesTheFieldsInAnyOrder) {
  const SearchTrace trace =
      read("{\"probe\":{\"rank_in\":[],\"stable_rank\":[0.5]}," + std::string(kAlpha) +
           ",\"valid\":{\"error\":1},\"x\":true,\"train\":{\"error\":0}}\n");
  EXPECT_THAT(trace.train_error, ::testing::ElementsAre(0.0));
  EXPECT_THAT(trace.valid_error, ::testing::ElementsAre(1.0));
  EXPECT_EQ(trace.rank(0, 0), 0.5F);
  EXPECT_EQ(trace.weight(0, 0, 0, 0), 0.01F);
}

TEST(SearchTrace, NeedsNoMoreThanErrorsAndLeavesOutTheLastBrokenLine) {
  const SearchTrace trace = read(
      "{\"epoch\":0,\"train\":{\"error\":0.5},\"valid\":{\"error\":0.75},\"probe\":{\"error\":1}}\n"
      "{\"epoch\":1,\"train\":{\"error\":0},\"valid\":{\"error\":1}}\n{\"epo");
  EXPECT_THAT(trace.train_error, ::testing::ElementsAre(0.5, 0.0));
  EXPECT_THAT(trace.valid_error, ::testing::ElementsAre(0.75, 1.0));
  EXPECT_EQ(trace.layers, 0U);
  EXPECT_EQ(trace.edges, 0U);
}

TEST(SearchTrace, RefusesLinesThatDoNotFit) {
  EXPECT_EQ(refusal("{\"epoch\":0}\n"), sentence(1, "has no training and validation error"));
  EXPECT_EQ(refusal(line_with("[1,2]") + line_with("[1]")),
            sentence(2, "has 1 stable ranks and 16 edge weights where 2 and 16 belong"));
  for (const char* text : {"\n", "{\n", "nothing\n", "{\"train\":{\"error\":}}\n", "{\"a\n",
                           "{\"train\":[1,2}\n", "{\"a\":\"\\\n", "{\"a\"1}\n"}) {
    EXPECT_EQ(refusal(text), sentence(1, "is no valid JSON")) << text;
  }
}

}  // namespace
}  // namespace probedarts::study
