#include "study/exact_tests.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "study/comparison.hpp"

namespace probedarts::study {
namespace {

using Values = std::vector<double>;

std::optional<Interval> of_pairs(const Values& differences) {
  return sign_flip_interval(differences, Values(differences.size(), 1.0), 0.05);
}

TEST(SignFlipInterval, OfSixReachesFromTheLeastToTheLargest) {
  // K = 0.025 * 64 rounded down = 1: the least and the largest mean of a subset, which are values.
  const auto interval = of_pairs({0.01, 0.015, -0.005, 0.02, 0.015, 0.016});
  EXPECT_DOUBLE_EQ(interval->low, -0.005);
  EXPECT_DOUBLE_EQ(interval->high, 0.02);
}

TEST(SignFlipInterval, IsNoneWhereTheTestRefusesNothing) {
  EXPECT_FALSE(of_pairs({0.1, 0.2, 0.3, 0.4, 0.5}));
  EXPECT_FALSE(of_pairs({}));
}

TEST(SignFlipInterval, IsNoneOfEqualDifferences) { EXPECT_FALSE(of_pairs(Values(8, 0.1))); }

/// Values in some disorder.
Values some(int count, double shift) {
  Values values;
  for (int i = 0; i < count; ++i) {
    values.push_back(shift + std::sin(1.7 * i) + 0.1 * i);
  }
  return values;
}

TEST(SignFlipInterval, HoldsWhatTheTestDoesNotRefuse) {
  const Values values = some(9, 0.0);
  const Interval interval = of_pairs(values).value();
  for (const double d :
       {interval.low - 1e-6, interval.low + 1e-6, interval.high - 1e-6, interval.high + 1e-6}) {
    Values moved = values;
    for (double& value : moved) {
      value -= d;
    }
    EXPECT_EQ(sign_flip_p(moved, 1) > 0.05, interval.low <= d && d <= interval.high) << d;
  }
}

TEST(SignFlipInterval, WeighsGroupsByTheirImages) {
  const Values sums = {3.0, -1.0, 2.0, 8.0, 5.0, 4.0, 1.0};
  const Values counts = {4.0, 2.0, 5.0, 9.0, 5.0, 8.0, 2.0};
  const Interval interval = sign_flip_interval(sums, counts, 0.05).value();
  for (const double d :
       {interval.low - 1e-6, interval.low + 1e-6, interval.high - 1e-6, interval.high + 1e-6}) {
    Values moved;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      moved.push_back(sums[i] - d * counts[i]);
    }
    EXPECT_EQ(sign_flip_p(moved, 1) > 0.05, interval.low <= d && d <= interval.high) << d;
  }
}

TEST(Permutation, CountsDivisions) {
  // All of one sample above all of the other: one of C(6, 3) divisions, and one on the other side.
  EXPECT_DOUBLE_EQ(permutation_test(Values{4, 5, 6}, Values{1, 2, 3}, 0.05, 1).p, 0.1);
  EXPECT_DOUBLE_EQ(permutation_test(Values{1, 2, 3}, Values{4, 5, 6}, 0.05, 1).p, 0.1);
  // Of {1, 2, 4} against {3, 5}: sums of two of five, 3 4 5 5 6 6 7 7 8 9; 2 are at least 8.
  EXPECT_DOUBLE_EQ(permutation_test(Values{1, 2, 4}, Values{3, 5}, 0.05, 1).p, 2.0 * 0.2);
}

TEST(Permutation, OfFourAgainstEightCanTellThem) {
  const Values searched = {0.9, 0.91, 0.92, 0.93};
  const Values random = some(8, -10.0);
  const TwoSampleTest test = permutation_test(searched, random, 0.05, 1);
  EXPECT_DOUBLE_EQ(test.p, 2.0 / 495.0);
  EXPECT_DOUBLE_EQ(test.p, least_permutation_p(4, 8));
  EXPECT_GT(test.interval->low, 0.0);
}

TEST(Permutation, IsOneOfEqualSamples) {
  EXPECT_DOUBLE_EQ(permutation_test(Values{1, 1, 1}, Values{1, 1}, 0.05, 1).p, 1.0);
  EXPECT_DOUBLE_EQ(permutation_test(Values{}, Values{1, 1}, 0.05, 1).p, 1.0);
}

TEST(Permutation, HasAnIntervalOfWhatItDoesNotRefuse) {
  const Values first = some(5, 1.0);
  const Values second = some(6, 0.3);
  const Interval interval = permutation_test(first, second, 0.05, 1).interval.value();
  for (const double d :
       {interval.low - 1e-6, interval.low + 1e-6, interval.high - 1e-6, interval.high + 1e-6}) {
    Values moved = first;
    for (double& value : moved) {
      value -= d;
    }
    EXPECT_EQ(permutation_test(moved, second, 0.05, 1).p > 0.05,
              interval.low <= d && d <= interval.high)
        << d;
  }
}

TEST(Permutation, OfManyComesFromRandomDivisions) {
  // Two samples of 12 of one kind, drawn apart by hand: exact value from the normal limit is not
  // asked for; the law is that exchanging the samples changes nothing but the side.
  const Values first = some(12, 0.0);
  const Values second = some(12, 0.9);
  const TwoSampleTest one = permutation_test(first, second, 0.05, 1);
  const TwoSampleTest other = permutation_test(second, first, 0.05, 1);
  EXPECT_NEAR(one.p, other.p, 0.01);  // 100,000 draws: standard error below 0.002
  EXPECT_NEAR(one.interval->low, -other.interval->high, 0.05);
}

}  // namespace
}  // namespace probedarts::study
