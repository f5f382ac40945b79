#include "learn/drop_path.hpp"

#include <numeric>

#include <gtest/gtest.h>

namespace probedarts::learn {
namespace {

double kept_share(const nets::DropPath& drop) {
  return std::accumulate(drop.kept.begin(), drop.kept.end(), 0.0) /
         static_cast<double>(drop.kept.size());
}

TEST(DropPathProbability, RisesFromZeroAndStaysBelowItsLimit) {
  EXPECT_EQ(drop_path_probability(0.2, 0, 600), 0.0);
  EXPECT_DOUBLE_EQ(drop_path_probability(0.2, 300, 600), 0.1);
  EXPECT_LT(drop_path_probability(0.2, 599, 600), 0.2);
}

TEST(DrawDropPath, LeavesOutAsManyAsItsProbabilitySays) {
  const nets::DropPath drop = draw_drop_path(0.25, 20, 1000, 1, {3, 7});
  EXPECT_EQ(drop.keep_probability, 0.75);
  ASSERT_EQ(drop.kept.size(), 20000U);
  EXPECT_NEAR(kept_share(drop), 0.75, 4 * 0.0031);  // four standard deviations of 20000 draws
}

TEST(DrawDropPath, DependsOnSeedEpochAndStepAlone) {
  const auto kept = [](std::uint64_t seed, const Iteration& iteration) {
    return draw_drop_path(0.5, 8, 32, seed, iteration).kept;
  };
  EXPECT_EQ(kept(1, {2, 3}), kept(1, {2, 3}));
  EXPECT_NE(kept(1, {2, 3}), kept(2, {2, 3}));
  EXPECT_NE(kept(1, {2, 3}), kept(1, {3, 3}));
  EXPECT_NE(kept(1, {2, 3}), kept(1, {2, 4}));
}

}  // namespace
}  // namespace probedarts::learn
