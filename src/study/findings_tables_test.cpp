#include "study/findings_tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probedarts::study {
namespace {

Findings sample() {
  Comparison better;
  better.first = "N=2";
  better.second = "N=3, \"big\"";
  better.pairs = 8;
  better.difference = mean_and_sd(std::vector<double>{0.02, 0.04});
  better.interval = Interval{0.01, 0.05};
  better.p = 0.0078125;
  better.corrected_p = 0.015625;
  better.verdict = Verdict::kBetter;
  Comparison open;
  open.first = "N=2";
  open.second = "N_4";
  open.test = TestKind::kPermutation;
  open.first_runs = 4;
  open.second_runs = 8;
  open.needed = 12;
  Findings findings;
  findings.measures.push_back({"test accuracy", {}, {}, {}});
  findings.comparisons = {{better}};
  findings.image_comparisons = {{open}};
  findings.rows = {"N=2", "resnet18"};
  const std::optional<double> no = std::nullopt;
  findings.probes = {{{0.25, no, no, no, 0.5}, {0.75, no, no, no, 0.5}}, {}};
  findings.predictions.push_back(
      {"search validation accuracy", "quick validation accuracy", {12, 2, 0.5, 0.625, {}, 0.125}});
  findings.predictions.push_back({"a", "b", {2, 1, {}, {}, {}, {}}, Within::kSetting});
  return findings;
}

TEST(ComparisonTable, HasEveryComparisonOverRunsAndOverImages) {
  EXPECT_EQ(render(comparison_table(sample()), TableFormat::kCsv),
            "measure,over,first,second,test,pairs,first runs,second runs,difference,low,high,p,"
            "corrected p,verdict,needed\n"
            "test accuracy,runs,N=2,\"N=3, \"\"big\"\"\",sign-flip,8,,,0.03,0.01,0.05,0.0078125,"
            "0.015625,better,\n"
            "test accuracy,test images,N=2,N_4,permutation,,4,8,0,,,1,1,not distinguishable,12\n");
}

TEST(CorrelationTable, LeavesEmptyWhatThereIsNot) {
  EXPECT_EQ(
      render(correlation_table(sample()), TableFormat::kCsv),
      "from,to,within,cells,strata,tau-b,low,high,rho,p\n"
      "search validation accuracy,quick validation accuracy,data set and size,12,2,0.5,,,0.625,"
      "0.125\n"
      "a,b,setting,2,1,,,,,\n");
}

TEST(ProbeTable, HasWhatSearchesRecorded) {
  EXPECT_EQ(render(probe_table(sample()), TableFormat::kMarkdown),
            "| row | probe | searches | mean | sd |\n|---|---|---|---|---|\n"
            "| N=2 | mean stable rank | 2 | 0.5 | 0.353553 |\n"
            "| N=2 | share without parameters | 2 | 0.5 | 0 |\n");
  EXPECT_EQ(probe_text(probe_of(sample(), 0, 0)), "0.5 +- 0.35");
  EXPECT_EQ(probe_text(probe_of(sample(), 1, 0)), "-");
}

TEST(TextTables, EscapeWhatLatexWouldTakeForASign) {
  EXPECT_EQ(render(TextTable{{"a_b", "c"}, {{"", "1"}}}, TableFormat::kLatex),
            "\\begin{tabular}{ll}\n\\hline\na\\_b & c \\\\\n\\hline\n- & 1 \\\\\n\\hline\n"
            "\\end{tabular}\n");
}

}  // namespace
}  // namespace probedarts::study
