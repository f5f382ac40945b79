#include "study/statistics.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace probedarts::study {
namespace {

using Values = std::vector<double>;

TEST(Bootstrap, OfEqualValuesIsThatValue) {
  const auto interval = bootstrap_interval(Values{0.5, 0.5, 0.5}, 1);
  EXPECT_DOUBLE_EQ(interval.value().low, 0.5);
  EXPECT_DOUBLE_EQ(interval.value().high, 0.5);
}

TEST(Bootstrap, OfTwoValuesReachesFromOneToTheOther) {
  // A quarter of all resamples holds the lower value twice, so both 2.5 % ends are the values.
  const auto interval = bootstrap_interval(Values{0.25, 0.75}, 1);
  EXPECT_DOUBLE_EQ(interval.value().low, 0.25);
  EXPECT_DOUBLE_EQ(interval.value().high, 0.75);
}

TEST(Bootstrap, ApproachesTheNormalIntervalOfManyValues) {
  Values values;
  for (int i = 0; i < 400; ++i) {
    values.push_back(i % 2);
  }
  // Standard error 0.5 / sqrt(400) = 0.025; resampled means lie on steps of 1/400, and 10,000 of
  // them place a 2.5 % quantile within about 0.001.
  const auto interval = bootstrap_interval(values, 1);
  EXPECT_NEAR(interval.value().low, 0.5 - 1.96 * 0.025, 0.0035);
  EXPECT_NEAR(interval.value().high, 0.5 + 1.96 * 0.025, 0.0035);
}

TEST(Bootstrap, IsAFunctionOfItsSeed) {
  const Values values = {0.1, 0.7, 0.4, 0.35, 0.9};
  EXPECT_EQ(bootstrap_interval(values, 3)->low, bootstrap_interval(values, 3)->low);
}

TEST(Bootstrap, SaysNothingAboutOneRun) {
  EXPECT_FALSE(bootstrap_interval(Values{0.5}, 1).has_value());
}

TEST(BootstrapOfGroups, IsWiderThanThatOfImagesWhenGroupsAreAlike) {
  Values values;
  std::vector<std::uint64_t> groups;
  for (std::uint64_t group = 0; group < 8; ++group) {
    for (int image = 0; image < 50; ++image) {
      values.push_back(group % 2 == 0 ? 1.0 : 0.0);
      groups.push_back(group);
    }
  }
  // Eight fair coins: standard error 0.5 / sqrt(8) = 0.18, against 0.025 of 400 lone images.
  const auto by_image = bootstrap_interval(values, 1);
  const auto by_group = bootstrap_interval_of_groups(values, groups, 1);
  EXPECT_GT(by_group->high - by_group->low, 5.0 * (by_image->high - by_image->low));
}

TEST(BootstrapOfGroups, SaysNothingAboutOneGroup) {
  EXPECT_FALSE(bootstrap_interval_of_groups(Values{0.0, 1.0}, std::vector<std::uint64_t>{4, 4}, 1));
}

TEST(StudentInterval, IsMeanAndTTimesStandardError) {
  // t(0.975, 3) = 3.182446305284263 (scipy 1.10.1, stats.t.ppf)
  const auto interval = student_interval(Values{1.0, 2.0, 3.0, 6.0});
  const double half = 3.182446305284263 * std::sqrt(14.0 / 3.0) / 2.0;
  EXPECT_NEAR(interval.value().low, 3.0 - half, 1e-10);
  EXPECT_NEAR(interval.value().high, 3.0 + half, 1e-10);
}

// scipy 1.10.1: stats.spearmanr(x, y)[0], stats.kendalltau(x, y)[0]
const Values kTiedX = {1, 2, 2, 3, 5, 4, 6, 6};
const Values kTiedY = {2, 1, 3, 3, 4, 4, 5, 7};

TEST(Spearman, AgreesWithScipyOnTies) {
  EXPECT_NEAR(spearman(kTiedX, kTiedY).value(), 0.9329268292682928, 1e-14);
}

TEST(Kendall, AgreesWithScipyOnTies) {
  EXPECT_NEAR(kendall_tau_b(kTiedX, kTiedY).value(), 0.8461538461538463, 1e-14);
}

TEST(RankCorrelations, SeeOnlyTheOrder) {
  const Values x = {0.1, 0.2, 0.9, 0.95};
  const Values y = {-3.0, 1.0, 1.5, 80.0};
  EXPECT_DOUBLE_EQ(spearman(x, y).value(), 1.0);
  EXPECT_DOUBLE_EQ(kendall_tau_b(x, y).value(), 1.0);
  const Values down = {3.0, 2.0, 1.0, 0.0};
  EXPECT_DOUBLE_EQ(spearman(x, down).value(), -1.0);
  EXPECT_DOUBLE_EQ(kendall_tau_b(x, down).value(), -1.0);
}

TEST(RankCorrelations, SayNothingAboutAConstant) {
  EXPECT_FALSE(spearman(Values{1, 1, 1}, Values{1, 2, 3}).has_value());
  EXPECT_FALSE(kendall_tau_b(Values{1, 2, 3}, Values{1, 1, 1}).has_value());
  EXPECT_FALSE(spearman(Values{1}, Values{1}).has_value());
}

}  // namespace
}  // namespace probedarts::study
