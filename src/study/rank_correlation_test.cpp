#include "study/rank_correlation.hpp"

#include <gtest/gtest.h>

namespace probedarts::study {
namespace {

constexpr double kSame = 1e-12;  // a few roundings of numbers below 1e3

std::vector<RankPoint> points_of(const std::vector<double>& x, const std::vector<double>& y,
                                 std::size_t stratum = 0) {
  std::vector<RankPoint> points;
  for (std::size_t i = 0; i < x.size(); ++i) {
    points.push_back({x[i], y[i], stratum});
  }
  return points;
}

std::vector<RankPoint> joined(std::vector<RankPoint> first, const std::vector<RankPoint>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

const std::vector<double> kX = {3, 1, 4, 1, 5, 9, 2, 6};
const std::vector<double> kY = {2, 7, 1, 8, 2, 8, 1, 8};

TEST(CorrelateRanks, IsKendallsAndSpearmansInOneStratum) {
  const RankCorrelation found = correlate_ranks(points_of(kX, kY), 1);
  EXPECT_EQ(found.points, 8U);
  EXPECT_EQ(found.strata, 1U);
  EXPECT_NEAR(found.tau.value(), kendall_tau_b(kX, kY).value(), kSame);
  EXPECT_NEAR(found.rho.value(), spearman(kX, kY).value(), kSame);
}

TEST(CorrelateRanks, DoesNotTakeTheDifferenceOfTwoDataSetsForForesight) {
  // Perfectly against each other within each; pooled, the two levels would look like agreement.
  const auto points =
      joined(points_of({1, 2, 3}, {3, 2, 1}), points_of({101, 102, 103}, {103, 102, 101}, 7));
  const RankCorrelation found = correlate_ranks(points, 1);
  EXPECT_DOUBLE_EQ(found.tau.value(), -1.0);
  EXPECT_DOUBLE_EQ(found.rho.value(), -1.0);
  EXPECT_EQ(found.strata, 2U);
  // Of 3! 3! ways two are as far: both in the same order, or both in the opposite one.
  EXPECT_NEAR(found.p.value(), 2.0 / 36.0, kSame);
}

TEST(CorrelateRanks, CountsAllWaysOfFewPoints) {
  // Of 4! ways, rho is 1 or -1 in two.
  EXPECT_NEAR(correlate_ranks(points_of({1, 2, 3, 4}, {1, 2, 3, 4}), 1).p.value(), 2.0 / 24.0,
              kSame);
  // sum d^2 = 2, rho 1/2: of the 6 ways those with |rho| >= 1/2 are all (rho 1, 1/2 twice, ...).
  EXPECT_NEAR(correlate_ranks(points_of({1, 2, 3}, {1, 3, 2}), 1).p.value(), 1.0, kSame);
}

TEST(CorrelateRanks, FindsAnOrderOfManyPointsAndNoneWhereThereIsNone) {
  std::vector<double> rising, alternating;
  for (int i = 0; i < 30; ++i) {
    rising.push_back(i);
    alternating.push_back(i % 2 == 0 ? i : 30 - i);
  }
  const RankCorrelation same = correlate_ranks(points_of(rising, rising), 1);
  EXPECT_NEAR(same.p.value(), 1.0 / 10001.0, kSame);  // none of the random ways is as far
  EXPECT_DOUBLE_EQ(same.tau_interval.value().low, 1.0);
  const RankCorrelation none = correlate_ranks(points_of(rising, alternating), 1);
  EXPECT_GT(none.p.value(), 0.5);
  EXPECT_LT(none.tau_interval.value().low, 0.0);
  EXPECT_GT(none.tau_interval.value().high, 0.0);
}

TEST(CorrelateRanks, IgnoresWhatMonotoneFunctionsDo) {
  std::vector<double> cubes;
  for (const double x : kX) {
    cubes.push_back(x * x * x);
  }
  const RankCorrelation a = correlate_ranks(points_of(kX, kY), 1);
  const RankCorrelation b = correlate_ranks(points_of(cubes, kY), 1);
  EXPECT_EQ(a.tau, b.tau);
  EXPECT_EQ(a.rho, b.rho);
  EXPECT_EQ(a.p, b.p);
  EXPECT_EQ(a.tau_interval.value().low, b.tau_interval.value().low);
}

TEST(CorrelateRanks, LeavesOutAPointAloneInItsStratumAndSaysNothingOfConstants) {
  const RankCorrelation alone =
      correlate_ranks(joined(points_of({1, 2}, {1, 2}), points_of({5}, {0}, 1)), 1);
  EXPECT_EQ(alone.points, 2U);
  EXPECT_EQ(alone.strata, 1U);
  EXPECT_DOUBLE_EQ(alone.tau.value(), 1.0);
  EXPECT_DOUBLE_EQ(alone.p.value(), 1.0);
  EXPECT_FALSE(alone.tau_interval.has_value());
  const RankCorrelation constant = correlate_ranks(points_of({1, 1, 1}, {1, 2, 3}), 1);
  EXPECT_EQ(constant.points, 3U);
  EXPECT_FALSE(constant.tau.has_value());
  EXPECT_FALSE(constant.p.has_value());
  EXPECT_FALSE(correlate_ranks({}, 1).tau.has_value());
}

}  // namespace
}  // namespace probedarts::study
