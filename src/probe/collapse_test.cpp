#include "probe/collapse.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts::probe {
namespace {

// Columns: none, max pool, avg pool, skip, sep 3x3, sep 5x5, dil 3x3, dil 5x5. One node has two
// edges.
TEST(CollapseSignals, OfAnUndecidedCellAreFullEntropyAndNoMargin) {
  const auto found = collapse_signals(space::EdgeWeights(5, std::vector<double>(8, 0.125)), 2);
  EXPECT_NEAR(found.entropy, std::log(8.0), 1e-12);
  EXPECT_EQ(found.margin, 0.0);
}

TEST(CollapseSignals, CountPoolsAndSkipsAmongTheKeptEdges) {
  const space::EdgeWeights weights = {{0.1, 0.6, 0.0, 0.3, 0.0, 0.0, 0.0, 0.0},
                                      {0.1, 0.0, 0.2, 0.7, 0.0, 0.0, 0.0, 0.0}};
  const auto found = collapse_signals(weights, 1);
  EXPECT_EQ(found.parameter_free_share, 1.0);
  EXPECT_EQ(found.pool_share, 0.5);
  EXPECT_EQ(found.skip_share, 0.5);
  EXPECT_NEAR(found.margin, 0.5 * (0.3 + 0.5), 1e-12);
}

TEST(CollapseSignals, IgnoreNoneInTheMarginAndTheShares) {
  const std::vector<double> edge = {0.7, 0.0, 0.0, 0.0, 0.2, 0.1, 0.0, 0.0};
  const auto found = collapse_signals({edge, edge}, 1);
  EXPECT_EQ(found.parameter_free_share, 0.0);
  EXPECT_NEAR(found.margin, 0.1, 1e-12);
}

TEST(CollapseSignals, RefuseAnotherNumberOfEdges) {
  EXPECT_THROW(collapse_signals(space::EdgeWeights(4, std::vector<double>(8, 0.125)), 2), Bug);
}

}  // namespace
}  // namespace probedarts::probe
