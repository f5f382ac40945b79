#include "report/findings.hpp"

#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/sample_run.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::report {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// A run whose epochs say these shares of kept edges without parameters.
report::Run run_with_shares(const std::vector<double>& shares) {
  const testing::ScratchFolder temp;
  std::vector<nlohmann::json> epochs;
  for (const double share : shares) {
    epochs.push_back(testing::sample_epoch(static_cast<int>(epochs.size()), share));
  }
  testing::write_run(temp.path() / "run", testing::sample_head(), epochs);
  return read_run(temp.path() / "run");
}

TEST(Findings, SayFromWhichEpochOnMostKeptEdgesCarryNoParameters) {
  EXPECT_THAT(
      findings(run_with_shares({0.5, 1.0, 0.5, 1.0, 1.0})),
      Contains(
          "Normal cell: 2 of 2 kept edges carry no parameters at the end (2 pools, 0 skips); from "
          "epoch 3 on more than half carry none."));
}

TEST(Findings, SayWhenItWasSoFromTheStart) {
  EXPECT_THAT(findings(run_with_shares({1.0, 1.0})),
              Contains("Reduction cell: 2 of 2 kept edges carry no parameters at the end (2 pools, "
                       "0 skips); more "
                       "than half have carried none since the first epoch."));
}

TEST(Findings, DoNotCallHalfACollapse) {
  EXPECT_THAT(
      findings(run_with_shares({1.0, 0.5})),
      Contains("Normal cell: 1 of 2 kept edges carry no parameters at the end (1 pool, 0 skips)."));
}

TEST(Findings, CompareValidationWithTraining) {
  EXPECT_THAT(
      findings(run_with_shares({0.5})),
      Contains("Validation error ends 12.5 points above training error (37.5 % and 25.0 %)."));
}

TEST(Findings, SayWhenTheCellsLastChanged) {
  auto run = run_with_shares({0.5, 0.5, 0.5, 0.5});
  EXPECT_THAT(findings(run), Contains("The derived cells never changed."));
  run.epochs[0].architecture->genotype.normal.genes[0].primitive = space::Primitive::kSkipConnect;
  run.epochs[1].architecture->genotype.normal.genes[0].primitive = space::Primitive::kSkipConnect;
  EXPECT_THAT(findings(run),
              Contains("The derived cells last changed at epoch 2 (the last epoch is 3)."));
}

TEST(Findings, SayWhichEpochOfATrainingWasBest) {
  const testing::ScratchFolder temp;
  std::vector<nlohmann::json> epochs;
  for (const double error : {0.5, 0.25, 0.25, 0.375}) {
    epochs.push_back(testing::sample_train_epoch(static_cast<int>(epochs.size())));
    epochs.back()["valid"]["error"] = error;
  }
  testing::write_run(temp.path() / "run", testing::sample_train_head(), epochs);
  const std::vector<std::string> said = findings(read_run(temp.path() / "run"));
  EXPECT_THAT(said, Contains("Validation error is smallest at epoch 1 (25.0 %); the last epoch is "
                             "3 (37.5 %)."));
  EXPECT_THAT(said, Not(Contains(HasSubstr("Architecture weights"))));
}

TEST(Findings, SayHowManyConvolutionsHaveNoStableRank) {
  auto run = run_with_shares({0.5, 0.5});
  EXPECT_THAT(findings(run), Contains("Stable rank is 0 in 33.3 % of the convolutions at the last "
                                      "epoch (33.3 % after the first): "
                                      "nothing in those rises above the noise of their weights."));
  run.epochs[1].stable_rank[2] = 0.25;
  EXPECT_THAT(findings(run),
              Contains("Stable rank is above 0 in every convolution at the last epoch; after the "
                       "first it was 0 in 33.3 % of them."));
}

TEST(Findings, CountFailedFactorisations) {
  auto run = run_with_shares({0.5, 0.5});
  EXPECT_THAT(findings(run), Not(Contains(HasSubstr("factorisation"))));
  run.epochs[1].failed_layers = 1;
  EXPECT_THAT(
      findings(run),
      Contains("The factorisation failed 1 time; those points are left out of the curves."));
}

TEST(ZeroRankShare, CountsNeitherDepthwiseNorFailedLayers) {
  auto run = run_with_shares({0.5});
  EXPECT_DOUBLE_EQ(zero_rank_share(run, run.epochs[0]), 1.0 / 3.0);  // layers 0, 2, 3; layer 2 is 0
  run.epochs[0].stable_rank[3] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_DOUBLE_EQ(zero_rank_share(run, run.epochs[0]), 0.5);
}

}  // namespace
}  // namespace probedarts::report
