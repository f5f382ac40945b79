#include "data/csv.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.hpp"
#include "data/dataset.hpp"
#include "support/mutation.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::data {
namespace {

using probedarts::testing::mutate;
using ::testing::ElementsAre;
using testing::ScratchFolder;
using testing::sentence_of;

std::vector<std::string> first_record(std::string_view text) {
  return parse_csv(text, "t.csv").at(0).fields;
}

TEST(ParseCsv, SplitsAtCommas) { EXPECT_THAT(first_record("a,,b c"), ElementsAre("a", "", "b c")); }

TEST(ParseCsv, KeepsCommasAndDoubledQuotesOfQuotedFields) {
  EXPECT_THAT(first_record("\"a,b\",\"say \"\"x\"\"\",\"\""), ElementsAre("a,b", "say \"x\"", ""));
}

TEST(ParseCsv, CountsLinesInsideQuotes) {
  const auto rows = parse_csv("\"a\nb\",1\r\n\nc,2", "t.csv");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0].fields, ElementsAre("a\nb", "1"));
  EXPECT_THAT(rows[1].fields, ElementsAre("c", "2"));
  EXPECT_EQ(rows[1].line, 4U);
}

TEST(ParseCsv, TakesALineWithAndWithoutItsEndAsTheSame) {
  EXPECT_EQ(parse_csv("a,b\n", "t.csv").size(), 1U);
  EXPECT_EQ(parse_csv("a,b", "t.csv").size(), 1U);
  EXPECT_EQ(parse_csv("a,b\r\n", "t.csv").at(0).fields.at(1), "b");
}

TEST(ParseCsv, KeepsAnEmptyLastField) { EXPECT_THAT(first_record("a,\n"), ElementsAre("a", "")); }

TEST(ParseCsv, SkipsAByteOrderMark) {
  EXPECT_THAT(first_record("\xEF\xBB\xBF"
                           "a"),
              ElementsAre("a"));
}

TEST(ParseCsv, RefusesAQuoteThatIsNeverClosed) {
  EXPECT_EQ(sentence_of([] { parse_csv("a\n\"b,\nc", "t.csv"); }),
            "t.csv: line 2: a quote is opened and never closed; close it or double it");
}

TEST(ParseCsv, RefusesTextAfterAClosingQuote) {
  EXPECT_EQ(sentence_of([] { parse_csv("\"a\"b", "t.csv"); }),
            "t.csv: line 1: text follows a closing quote; double the quotes inside a quoted field");
}

// Any damage ends in a data set or in a UserError: nothing else may be thrown, and no sanitizer may
// complain.
TEST(LabelsCsvReader, SurvivesMutations) {
  const ScratchFolder folder;
  for (int k = 1; k <= 4; ++k) {
    folder.write(fmt::format("{}.png", k));
  }
  const std::vector<std::string> seeds = {
      "file,split,label,group\n1.png,train,a,p\n2.png,train,b,q\n\"3.png\",test,a,r\n",
      "file,split,x,y,n\r\n1.png,train,1,0,5\r\n2.png,train,0,1,0\r\n4.png,valid,1,1,2\r\n"};
  int opened = 0;
  int refused = 0;
  for (std::uint64_t trial = 0; trial < 800; ++trial) {
    Stream stream(7, "csv mutation", 0, trial);
    folder.write("labels.csv", mutate(seeds[stream.below(seeds.size())], stream));
    try {
      const Dataset dataset = open_dataset(folder.path());
      EXPECT_GE(dataset.classes.size(), 2U);
      ++opened;
    } catch (const UserError& error) {
      EXPECT_FALSE(std::string(error.what()).empty());
      ++refused;
    }
  }
  EXPECT_GT(opened, 0);  // the mutations reach past the first check
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace probedarts::data
