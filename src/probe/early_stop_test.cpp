#include "probe/early_stop.hpp"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts::probe {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(HasGrown, ComparesTheMeansOfTwoWindows) {
  EXPECT_TRUE(has_grown({9, 1, 3, 3, 5}, 2, 2.0)) << "2 before, 4 now";
  EXPECT_FALSE(has_grown({9, 1, 3, 3, 5}, 2, 2.01));
}

TEST(HasGrown, NeedsTwoWholeWindows) { EXPECT_FALSE(has_grown({1, 9, 9}, 2, 1.1)); }

TEST(HasGrown, SaysNothingOfAGrowthFromNothing) {
  EXPECT_FALSE(has_grown({0, 0, 5, 5}, 2, 1.3));
  EXPECT_FALSE(has_grown({-1, -1, 5, 5}, 2, 1.3));
}

TEST(HasGrown, IgnoresScale) {
  EXPECT_EQ(has_grown({1e-6, 1.4e-6}, 1, 1.3), has_grown({1e6, 1.4e6}, 1, 1.3));
}

TEST(HasTakenOver, NeedsEveryEpochOfTheWindow) {
  EXPECT_TRUE(has_taken_over({0.0, 0.5, 0.75}, 2, 0.5));
  EXPECT_FALSE(has_taken_over({0.75, 0.25, 0.75}, 2, 0.5));
  EXPECT_FALSE(has_taken_over({0.75}, 2, 0.5));
}

TEST(IsFlat, ComparesTheSpanOfTheWindowWithItsLargest) {
  EXPECT_TRUE(is_flat({0.1, 0.500, 0.496, 0.498}, 3, 0.01));
  EXPECT_FALSE(is_flat({0.1, 0.500, 0.495, 0.498}, 3, 0.01)) << "a span of exactly 1 %";
}

TEST(IsFlat, IsNotWhatHasNotBegunOrFailed) {
  EXPECT_FALSE(is_flat({0.0, 0.0, 0.0}, 3, 0.01));
  EXPECT_FALSE(is_flat({0.5, kNaN, 0.5}, 3, 0.01));
  EXPECT_FALSE(is_flat({0.5, 0.5}, 3, 0.01));
}

TEST(IsFlatEverywhere, CountsOnlyLayersThatHaveBegun) {
  EXPECT_TRUE(is_flat_everywhere({{0.0, 0.5, 0.3}, {0.0, 0.5, 0.3}}, 2, 0.01));
  EXPECT_FALSE(is_flat_everywhere({{0.0, 0.5, 0.3}, {0.0, 0.5, 0.4}}, 2, 0.01)) << "half of two";
  EXPECT_FALSE(is_flat_everywhere({{0.0}, {0.0}}, 2, 0.01));
}

TEST(IsFlatEverywhere, AsksForNineTenthsOfThem) {
  std::vector<double> before(10, 0.5);
  std::vector<double> now = before;
  now[3] = 0.6;
  EXPECT_TRUE(is_flat_everywhere({before, now}, 2, 0.01));
  now[4] = 0.6;
  EXPECT_FALSE(is_flat_everywhere({before, now}, 2, 0.01));
}

TEST(IsFlat, RefusesAWindowOfOne) { EXPECT_THROW(is_flat({1.0}, 1, 0.01), Bug); }

}  // namespace
}  // namespace probedarts::probe
