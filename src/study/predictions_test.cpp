#include "study/predictions.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probedarts::study {
namespace {

Plan plan_of(const std::string& phases, const std::string& grid) {
  return make_plan(parse_study("phases = " + phases + "\nseeds = [1, 2, 3]\n" + grid, "s.toml",
                               {{}, {}, {"resnet18"}}));
}

Progress done(const Plan& plan) {
  return {std::vector<TaskState>(plan.tasks.size(), TaskState::kDone),
          std::vector<Record>(plan.tasks.size())};
}

void set_error(Progress& progress, std::size_t task, const char* key, double error) {
  progress.records[task].result = fmt::format("{{\"{}\": {}}}", key, error);
}

TEST(Predictions, CorrelateSearchWithQuickTraining) {
  const Plan plan = plan_of("[\"search\", \"quick\"]", "[grid]\ndata = \"d\"\n");
  Progress progress = done(plan);
  const double search[] = {0.1, 0.2, 0.3};
  const double quick[] = {0.3, 0.1, 0.4};
  for (std::size_t i = 0; i < 3; ++i) {
    set_error(progress, plan.rows[0].searches[i], "valid_error", search[i]);
    set_error(progress, plan.rows[0].quicks[i], "best_error", quick[i]);
  }
  const std::vector<Prediction> all = predict_all(plan, progress);
  ASSERT_EQ(all.size(), 1U);
  // tau: 2 pairs agree, 1 does not; rho = 1 - 6 (1 + 1) / (3 (9 - 1)); |rho| >= 1/2 in all 6 ways.
  EXPECT_EQ(sentence_of(all[0]),
            "search validation accuracy and quick validation accuracy, 3 cells: Kendall's tau-b "
            "0.33, Spearman's rho 0.50, p = 1.");
}

TEST(Predictions, CompareCellsWithinDataSetsAlone) {
  const Plan plan = plan_of("[\"search\", \"quick\"]", "[grid]\ndata = [\"easy\", \"hard\"]\n");
  Progress progress = done(plan);
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t i = 0; i < 3; ++i) {
      const double step = 0.01 * static_cast<double>(i);
      const double level = row == 0 ? 0.1 : 0.5;
      set_error(progress, plan.rows[row].searches[i], "valid_error", level + step);
      set_error(progress, plan.rows[row].quicks[i], "best_error", level - step);
    }
  }
  EXPECT_EQ(sentence_of(predict_all(plan, progress).at(0)),
            "search validation accuracy and quick validation accuracy, 6 cells within 2 data sets "
            "or image sizes: Kendall's tau-b -1.00 (95 % interval -1.00 to -1.00), Spearman's rho "
            "-1.00, p = 0.0556.");
}

TEST(Predictions, GiveNoPForCellsOfSeveralSettingsTogether) {
  const Plan plan = plan_of("[\"search\", \"quick\"]", "[grid]\ndata = \"d\"\nnodes = [2, 3]\n");
  Progress progress = done(plan);
  const double up[] = {0.0, 0.01, 0.02};
  const double across[] = {0.02, 0.0, 0.01};
  for (std::size_t row = 0; row < 2; ++row) {
    const double level = row == 0 ? 0.1 : 0.5;  // settings move both, cells within them neither
    for (std::size_t i = 0; i < 3; ++i) {
      set_error(progress, plan.rows[row].searches[i], "valid_error", level + up[i]);
      set_error(progress, plan.rows[row].quicks[i], "best_error", level + across[i]);
    }
  }
  const std::vector<Prediction> all = predict_all(plan, progress);
  ASSERT_EQ(all.size(), 2U);
  // Of 15 pairs the 9 between the settings agree and one in each of them: (11 - 4) / 15.
  EXPECT_EQ(sentence_of(all[0]),
            "search validation accuracy and quick validation accuracy, 6 cells: Kendall's tau-b "
            "0.47, Spearman's rho 0.66; of several settings together, whose cells are alike, so "
            "neither interval nor p.");
  // Within each, one pair of three agrees.
  EXPECT_NEAR(all[1].found.tau.value(), -1.0 / 3.0, 1e-12);
  EXPECT_EQ(all[1].within, Within::kSetting);
  EXPECT_TRUE(all[1].found.p.has_value());
}

TEST(Predictions, FollowTheCellThatWasChosenToItsTest) {
  const Plan plan = plan_of("[\"search\", \"quick\", \"select\", \"final\"]",
                            "[grid]\ndata = \"d\"\nnodes = [2, 3, 4]\n[final]\nruns = 1\n");
  Progress progress = done(plan);
  for (std::size_t r = 0; r < 3; ++r) {
    const Row& row = plan.rows[r];
    const double rank = static_cast<double>(r);
    for (std::size_t i = 0; i < 3; ++i) {  // those not chosen say nothing about tests
      set_error(progress, row.searches[i], "valid_error", i == 1 ? 0.1 + 0.1 * rank : 0.5 - rank);
      set_error(progress, row.quicks[i], "best_error", 0.2);
    }
    set_error(progress, row.quicks[1], "best_error", 0.1 * (2.0 - rank));
    progress.records[*row.select].result =
        fmt::format("{{\"from\": \"{}\"}}", plan.tasks[row.quicks[1]].id);
    progress.records[row.trained[0].evaluations[0]].result =
        fmt::format("{{\"evaluations\": [{{\"measures\": {{\"accuracy\": {{\"value\": {}}}}}}}]}}",
                    0.9 - 0.1 * rank);
  }
  const std::vector<Prediction> all = predict_all(plan, progress);
  ASSERT_EQ(all.size(), 4U);  // the first pair twice: pooled, and within settings
  EXPECT_EQ(sentence_of(all[2]),
            "search validation accuracy of the cell chosen and mean test accuracy, 3 cells: "
            "Kendall's tau-b 1.00, Spearman's rho 1.00, p = 0.333.");
  EXPECT_EQ(sentence_of(all[3]),
            "quick validation accuracy of the cell chosen and mean test accuracy, 3 cells: "
            "Kendall's tau-b -1.00, Spearman's rho -1.00, p = 0.333.");
}

TEST(Predictions, CompareWhatProbesForetellAndLeaveOutThoseAbsent) {
  const Plan plan = plan_of("[\"search\", \"quick\"]", "[grid]\ndata = \"d\"\n");
  Progress progress = done(plan);
  for (std::size_t i = 0; i < 3; ++i) {
    set_error(progress, plan.rows[0].quicks[i], "best_error", 0.1 * static_cast<double>(i));
  }
  const std::optional<double> no = std::nullopt;
  const std::vector<Prediction> all = predict_all(
      plan, progress, {{{0.1, 3.0, no, no, 0.5}, {0.2, 2.0, no, no, 0.5}, {0.3, no, no, no, 0.5}}});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(sentence_of(all[0]),
            "mean stable rank of the search and quick validation accuracy, 3 cells: Kendall's "
            "tau-b -1.00, Spearman's rho -1.00, p = 0.333.");
  EXPECT_EQ(sentence_of(all[1]),
            "largest eigenvalue of the search and quick validation accuracy, 2 cells: Kendall's "
            "tau-b 1.00, Spearman's rho 1.00, p = 1.");
  EXPECT_EQ(sentence_of(all[2]),
            "share without parameters of the search and quick validation accuracy, 3 cells: no "
            "rank correlation, since one side is constant.");
}

TEST(Predictions, SayThatAConstantSideHasNoOrderAndNothingOfASingleCell) {
  const Plan plan = plan_of("[\"search\", \"quick\"]", "[grid]\ndata = \"d\"\n");
  Progress progress = done(plan);
  set_error(progress, plan.rows[0].searches[0], "valid_error", 0.1);
  set_error(progress, plan.rows[0].quicks[0], "best_error", 0.1);
  EXPECT_THAT(predict_all(plan, progress), ::testing::IsEmpty());
  set_error(progress, plan.rows[0].searches[1], "valid_error", 0.1);
  set_error(progress, plan.rows[0].quicks[1], "best_error", 0.2);
  EXPECT_EQ(sentence_of(predict_all(plan, progress).at(0)),
            "search validation accuracy and quick validation accuracy, 2 cells: no rank "
            "correlation, since one side is constant.");
}

}  // namespace
}  // namespace probedarts::study
