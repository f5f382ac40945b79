#include "probe/bounded_minimum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts::probe {
namespace {

TEST(BoundedMinimum, FindsTheVertexOfAParabolaWithinTheTolerance) {
  const auto found =
      bounded_minimum([](double x) { return (x - 0.7) * (x - 0.7); }, 0.0, 2.0, 1e-6, 500);
  EXPECT_NEAR(found.argument, 0.7, 1e-6);
  EXPECT_LT(found.evaluations, 10);
}

TEST(BoundedMinimum, LooksFirstAtTheGoldenSection) {
  std::vector<double> seen;
  bounded_minimum(
      [&](double x) {
        seen.push_back(x);
        return x * x;
      },
      -1.0, 3.0, 1e-5, 500);
  EXPECT_DOUBLE_EQ(seen.at(0), -1.0 + 4.0 * (3.0 - std::sqrt(5.0)) / 2.0);
}

TEST(BoundedMinimum, ApproachesABoundWithoutEvaluatingIt) {
  double highest = 0.0;
  const auto found = bounded_minimum(
      [&](double x) {
        highest = std::max(highest, x);
        return -x;
      },
      0.0, 1.0, 1e-5, 500);
  EXPECT_NEAR(found.argument, 1.0, 1e-5);
  EXPECT_LT(highest, 1.0);
}

TEST(BoundedMinimum, StopsAtTheFirstPointWhenTheBoundsAreWithinTheTolerance) {
  const auto found = bounded_minimum([](double x) { return x; }, 1e-8, 2e-8, 1e-5, 500);
  EXPECT_EQ(found.evaluations, 1);
  EXPECT_NEAR(found.argument, 1e-8 + 1e-8 * (3.0 - std::sqrt(5.0)) / 2.0, 1e-22);
}

TEST(BoundedMinimum, ReturnsThePointWhereTheBoundsMeet) {
  const auto found = bounded_minimum([](double x) { return x + 1.0; }, 0.25, 0.25, 1e-5, 500);
  EXPECT_EQ(found.argument, 0.25);
  EXPECT_EQ(found.value, 1.25);
}

TEST(BoundedMinimum, GivesUpAfterTheMostEvaluationsWithTheBestPoint) {
  const auto found = bounded_minimum([](double x) { return std::abs(x - 0.3); }, 0.0, 1.0, 0.0, 7);
  EXPECT_EQ(found.evaluations, 7);
  EXPECT_EQ(found.value, std::abs(found.argument - 0.3));
  EXPECT_NEAR(found.argument, 0.3, 0.1);
}

TEST(BoundedMinimum, RefusesBoundsOutOfOrderOrNotFinite) {
  const auto line = [](double x) { return x; };
  EXPECT_THROW(bounded_minimum(line, 1.0, 0.0, 1e-5, 500), Bug);
  EXPECT_THROW(bounded_minimum(line, 0.0, std::numeric_limits<double>::infinity(), 1e-5, 500), Bug);
}

}  // namespace
}  // namespace probedarts::probe
