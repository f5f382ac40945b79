#include "study/tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

const KnownFlags kTableFlags = {{}, {}, {"resnet18"}};

/// A study of two settings with three seeds; results of the searches as given.
Findings findings_of(const std::vector<std::string>& results) {
  const Plan plan = make_plan(
      parse_study("phases = \"search\"\nseeds = [1, 2, 3]\n[grid]\ndata = \"d\"\nnodes = [2, 3]\n",
                  "s.toml", kTableFlags));
  Progress progress{std::vector<TaskState>(6, TaskState::kWaiting), std::vector<Record>(6)};
  for (std::size_t i = 0; i < results.size(); ++i) {
    progress.states[i] = TaskState::kDone;
    progress.records[i].done = true;
    progress.records[i].result = results[i];
  }
  return read_findings("a_b", plan, progress, {});
}

std::vector<std::string> errors(const std::vector<std::string>& values) {
  std::vector<std::string> results;
  for (const std::string& value : values) {
    results.push_back("{\"valid_error\": " + value + "}");
  }
  return results;
}

const std::vector<std::string> kSix = errors({"0.10", "0.12", "0.14", "0.20", "0.21", "0.25"});

TEST(Tables, PrintMeansWithTheirSdAsThePaperDoes) {
  EXPECT_EQ(render(findings_of(kSix), TableFormat::kLatex),
            "\\begin{tabular}{lr}\n\\hline\n & search validation accuracy \\\\\n\\hline\n"
            "N=2 & $88.00_{2.00}$ \\\\\nN=3 & $78.00_{2.65}$ \\\\\n\\hline\n\\end{tabular}\n");
}

TEST(Tables, GiveNumbersAsCsv) {
  // Student's: 0.88 -+ 4.3027 * 0.02 / sqrt(3). The bootstrap's ends are a value each: with three
  // runs 1/27 > 2.5 % of resamples hold one thrice.
  EXPECT_EQ(render(findings_of(kSix), TableFormat::kCsv),
            "row,measure,runs,mean,sd,low,high,images,groups,images_low,images_high,bootstrap_low,"
            "bootstrap_high\n"
            "N=2,search validation accuracy,3,0.880000,0.020000,0.830317,0.929683,,,,,0.860000,"
            "0.900000\n"
            "N=3,search validation accuracy,3,0.780000,0.026458,0.714276,0.845724,,,,,0.750000,"
            "0.800000\n");
}

TEST(Tables, OfManyPairsSayThoseWithTheBestRowOfEachDataSet) {
  const auto row = [](const char* name, double score) { return ScoredRow{name, {1}, {score}}; };
  const Measured measured{"m",
                          {row("a", 0.5), row("b", 0.9), row("c", 0.7), row("other", 0.95)},
                          {"d", "d", "d", "e"},
                          {}};
  std::vector<Comparison> pairs(11);  // one more than are always said
  for (Comparison& pair : pairs) {
    pair.first = "a";
    pair.second = "c";
  }
  pairs[3].second = "b";
  pairs[7].first = "b";
  Findings findings;
  EXPECT_THAT(worth_saying(findings, measured, pairs), ::testing::SizeIs(2));
  EXPECT_THAT(note_on_pairs(2, 11), ::testing::HasSubstr("Only those 2 of 11 comparisons"));
  findings.all_pairs = true;
  EXPECT_THAT(worth_saying(findings, measured, pairs), ::testing::SizeIs(11));
  findings.all_pairs = false;
  pairs.pop_back();
  EXPECT_THAT(worth_saying(findings, measured, pairs), ::testing::SizeIs(10));
  EXPECT_EQ(note_on_pairs(10, 10), "");
}

TEST(Tables, SayInWordsWhatCanBeConcluded) {
  const std::string text = render(findings_of(kSix), TableFormat::kMarkdown);
  EXPECT_THAT(text, ::testing::StartsWith("# a\\_b\n\n| | search validation accuracy |\n"));
  EXPECT_THAT(text,
              ::testing::HasSubstr("| N=2 | 88.00<sub>2.00</sub> (83.03 to 92.97; 3 runs) |\n"));
  EXPECT_THAT(text,
              ::testing::HasSubstr("- N=2 and N=3 are not distinguishable with 3 paired runs: "
                                   "+10.00 points (too few for a 95 % interval; were differences "
                                   "normal, 7.52 to 12.48), sign-flip test p = 0.25; about 6 would "
                                   "be needed at the difference and spread seen."
                                   "\n"));
}

TEST(Tables, SayWhatIsMissing) {
  const std::string text = render(findings_of(errors({"0.10"})), TableFormat::kMarkdown);
  EXPECT_THAT(text, ::testing::HasSubstr("Not finished: 5 runs have no result yet.\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("| N=2 | 90.00 |\n| N=3 | - |\n"));
  EXPECT_EQ(render(findings_of({}), TableFormat::kMarkdown),
            "# a\\_b\n\nNot finished: 6 runs have no result yet.\n\nNo results yet.\n");
}

TEST(Tables, CompareRowsOnTheSameTestImages) {
  const testing::ScratchFolder scratch;
  const Plan plan = make_plan(parse_study(
      "phases = \"final\"\n[grid]\ndata = \"d\"\n[rows]\nnetworks = [\"resnet18\", \"senet18\"]\n"
      "[final]\nruns = 1\n",
      "s.toml", {{}, {}, {"resnet18", "senet18"}}));
  Progress progress{std::vector<TaskState>(4, TaskState::kDone), std::vector<Record>(4)};
  const StudyFolder folder{scratch.path(), {}};
  for (const int row : {0, 1}) {
    const std::size_t test = plan.rows[static_cast<std::size_t>(row)].trained[0].evaluations[0];
    progress.records[test].result =
        "{\"evaluations\": [{\"measures\": {\"accuracy\": {\"value\": " +
        std::string(row == 0 ? "1.0" : "0.5") + "}}}]}";
    std::string csv = "image,group,right\n";
    for (int i = 0; i < 20; ++i) {
      csv += std::to_string(i) + ",," + (row == 0 || i % 2 == 0 ? "1" : "0") + "\n";
    }
    scratch.write("predictions/" + plan.tasks[test].id + ".csv", csv);
  }
  const Findings findings = read_findings("s", plan, progress, {}, folder);
  const std::string text = render(findings, TableFormat::kMarkdown);
  EXPECT_THAT(text, ::testing::HasSubstr("## Over test images: test accuracy\n"));
  EXPECT_THAT(text,
              ::testing::HasSubstr("| resnet18 | 100.00 | 100.00 to 100.00 | 20 | not known |\n"));
  // 10 images differ, all in favour of one: McNemar's p is 2 / 2^10.
  EXPECT_THAT(text, ::testing::HasSubstr(
                        "- On 20 images, resnet18 is better than senet18: +50.00 "
                        "points (95 % interval 25.00 to 75.00), sign-flip test p = 0.00195.\n"));
  EXPECT_THAT(
      render(findings, TableFormat::kCsv),
      ::testing::HasSubstr("resnet18,test accuracy,1,1.000000,,,,20,,1.000000,1.000000,,\n"));
}

TEST(Tables, ComparesAllRandomCellsWithAllSearchedOnes) {
  const Plan plan = make_plan(
      parse_study("phases = [\"search\", \"quick\"]\nseeds = [1, 2]\n[grid]\ndata = \"d\"\nnodes = "
                  "2\n[rows]\nrandom = 3\n",
                  "s.toml", kTableFlags));
  Progress progress{std::vector<TaskState>(plan.tasks.size(), TaskState::kDone),
                    std::vector<Record>(plan.tasks.size())};
  for (std::size_t i = 0; i < 2; ++i) {
    progress.records[plan.rows[0].searches[i]].result = "{\"valid_error\": 0.1}";
    progress.records[plan.rows[0].quicks[i]].result =
        i == 0 ? "{\"best_error\": 0.1}" : "{\"best_error\": 0.2}";
  }
  for (std::size_t k = 0; k < 3; ++k) {
    progress.records[plan.rows[1].quicks[k]].result =
        "{\"best_error\": 0." + std::to_string(3 + k) + "}";
  }
  const Findings findings = read_findings("s", plan, progress, {});
  ASSERT_EQ(findings.comparisons.size(), 2U);
  ASSERT_EQ(findings.comparisons[1].size(), 1U);
  EXPECT_THAT(findings.comparisons[1][0].sentence,
              ::testing::StartsWith("searched and random are not distinguishable with 2 runs "
                                    "against 3: +25.00 points, permutation test p = 0.2; about "));
}

}  // namespace
}  // namespace probedarts::study
