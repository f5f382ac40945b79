#include "core/mean_and_sd.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace probedarts {
namespace {

using Values = std::vector<double>;

TEST(MeanAndSd, DividesByOneLessThanTheRuns) {
  const MeanSd seen = mean_and_sd(Values{1.0, 2.0, 3.0, 6.0});
  EXPECT_EQ(seen.runs, 4U);
  EXPECT_DOUBLE_EQ(seen.mean, 3.0);
  EXPECT_DOUBLE_EQ(seen.sd.value(), std::sqrt(14.0 / 3.0));
}

TEST(MeanAndSd, HasNoSpreadOfOneRunAndNoMeanOfNone) {
  EXPECT_FALSE(mean_and_sd(Values{0.9}).sd.has_value());
  EXPECT_DOUBLE_EQ(mean_and_sd(Values{0.9}).mean, 0.9);
  EXPECT_TRUE(std::isnan(mean_and_sd(Values{}).mean));
}

}  // namespace
}  // namespace probedarts
