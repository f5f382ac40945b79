#include "study/comparison.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "study/student.hpp"

namespace probedarts::study {
namespace {

using Values = std::vector<double>;

// scipy 1.10.1 on a - b of a = [.91, .93, .905, .94, .92, .935], b = [.90, .915, .91, .92, .905,
// .92]: stats.ttest_rel(a, b).pvalue; stats.permutation_test((a - b,), mean,
// permutation_type="samples")
const Values kDifferences = {0.01, 0.015, -0.005, 0.02, 0.015, 0.015};

TEST(SignFlip, AgreesWithScipy) { EXPECT_DOUBLE_EQ(sign_flip_p(kDifferences, 1), 0.0625); }

TEST(SignFlip, OfOneSignIsTwoOfAllChoices) {
  EXPECT_DOUBLE_EQ(sign_flip_p(Values{0.1, 0.2, 0.3, 0.4}, 1), 2.0 / 16.0);
  EXPECT_DOUBLE_EQ(sign_flip_p(Values{-0.1, -0.2, -0.3, -0.4, -0.5, -0.6}, 1), 2.0 / 64.0);
}

TEST(SignFlip, IsOneWhenRowsAreEqual) {
  EXPECT_DOUBLE_EQ(sign_flip_p(Values{0.0, 0.0, 0.0}, 1), 1.0);
  EXPECT_DOUBLE_EQ(sign_flip_p(Values{}, 1), 1.0);
}

TEST(SignFlip, IgnoresScale) {
  const Values wide = {10.0, 15.0, -5.0, 20.0, 15.0, 15.0};
  EXPECT_DOUBLE_EQ(sign_flip_p(wide, 1), sign_flip_p(kDifferences, 1));
}

/// 30 differences of one size, 20 of them positive. Both tails of 30 fair coins from 20 on:
/// 2 (C(30,20) + ... + C(30,30)) / 2^30 = 2 * 53009102 / 2^30.
Values thirty(double size) {
  Values values;
  for (int i = 0; i < 30; ++i) {
    values.push_back(i % 3 == 0 ? -size : size);
  }
  return values;
}
constexpr double kThirtyP = 2.0 * 53009102.0 / 1073741824.0;

TEST(SignFlip, OfManySharesIsExact) {
  EXPECT_NEAR(sign_flip_p(thirty(1.0), 1), kThirtyP, 1e-15);
  EXPECT_NEAR(sign_flip_p(thirty(2.0 / 3.0), 1), kThirtyP, 1e-15);
}

TEST(SignFlip, OfManySharesMindsTheirSizes) {
  Values values(24, 1.0 / 7.0);  // only two choices of signs are as far out as all of one sign
  values.push_back(30.0 / 7.0);
  EXPECT_DOUBLE_EQ(sign_flip_p(values, 1), std::ldexp(2.0, -25));
  values.insert(values.end(), 30, 0.0);  // no sign to flip
  EXPECT_DOUBLE_EQ(sign_flip_p(values, 1), std::ldexp(2.0, -25));
}

TEST(SignFlip, OfManyOtherPairsComesFromRandomChoices) {
  // No multiples of any 1/q; 100,000 draws have a standard error of 0.0010.
  EXPECT_NEAR(sign_flip_p(thirty(std::acos(-1.0)), 1), kThirtyP, 0.005);
}

TEST(PairedT, AgreesWithScipy) {
  EXPECT_NEAR(paired_t_p(kDifferences).value(), 0.022352224087994615, 1e-12);
}

TEST(PairedT, SaysNothingWithoutSpread) {
  EXPECT_FALSE(paired_t_p(Values{0.1, 0.1, 0.1}));
  EXPECT_DOUBLE_EQ(paired_t_p(Values{0.0, 0.0, 0.0}).value(), 1.0);
  EXPECT_DOUBLE_EQ(paired_t_p(Values{0.1}).value(), 1.0);
}

TEST(Holm, MultipliesByTheComparisonsLeft) {
  // By hand: 0.01 * 4; 0.02 * 3; 0.03 * 2 raised to the one before; 0.2.
  EXPECT_THAT(holm(Values{0.03, 0.01, 0.2, 0.02}),
              ::testing::ElementsAre(::testing::DoubleEq(0.06), ::testing::DoubleEq(0.04),
                                     ::testing::DoubleEq(0.2), ::testing::DoubleEq(0.06)));
}

TEST(Holm, NeverExceedsOne) {
  EXPECT_THAT(holm(Values{0.6, 0.7}), ::testing::ElementsAre(1.0, 1.0));
  EXPECT_TRUE(holm(Values{}).empty());
}

// scipy 1.10.1: least n whose power (see student_test.cpp) reaches 0.8.
TEST(RunsNeeded, AgreesWithScipyForTheTTest) {
  const CompareOptions options{.test = PairedTest::kStudent};
  EXPECT_EQ(runs_needed(1.0, 1.0, 0.05, options), 10);
  EXPECT_EQ(runs_needed(-0.5, 1.0, 0.05, options), 34);
  EXPECT_EQ(runs_needed(0.5, 1.0, 0.01, options), 51);
  EXPECT_EQ(runs_needed(2.5, 1.0, 0.05, options), 4);
  EXPECT_EQ(runs_needed(0.1, 1.0, 0.05, options), 787);
}

TEST(RunsNeeded, IsAtLeastSixForTheSignFlipTest) {
  EXPECT_EQ(runs_needed(2.5, 1.0, 0.05, {}), 6);
  EXPECT_EQ(runs_needed(2.5, 0.0, 0.05, {}), 6);
  EXPECT_EQ(runs_needed(2.5, 0.0, 0.05 / 3.0, {}), 7);
}

TEST(RunsNeeded, HasNoAnswerWithoutADifference) {
  EXPECT_FALSE(runs_needed(0.0, 1.0, 0.05, {}).has_value());
  EXPECT_FALSE(runs_needed(1e-6, 1.0, 0.05, {}).has_value());
}

const std::vector<std::uint64_t> kSeeds = {1, 2, 3, 4, 5, 6};

TEST(CompareRows, SaysBetterOnlyWhereTheTestAllows) {
  const std::vector<ScoredRow> rows = {{"A", kSeeds, {0.91, 0.92, 0.93, 0.94, 0.92, 0.93}},
                                       {"B", kSeeds, {0.90, 0.90, 0.90, 0.90, 0.90, 0.90}}};
  const auto all = compare_rows(rows, {{0, 1}, {1, 0}}, {.test = PairedTest::kStudent});
  EXPECT_EQ(all[0].verdict, Verdict::kBetter);
  EXPECT_EQ(all[1].verdict, Verdict::kWorse);
  EXPECT_EQ(all[0].sentence,
            "A is better than B: +2.50 points (95 % interval 1.40 to 3.60) over 6 paired runs, "
            "paired t test p = 0.00208, 0.00417 after correction for 2 comparisons.");
}

TEST(CompareRows, SaysHowManyRunsWouldBeNeeded) {
  const std::vector<ScoredRow> rows = {{"A", {1, 2, 3, 4}, {0.91, 0.92, 0.93, 0.94}},
                                       {"B", {1, 2, 3, 4}, {0.90, 0.90, 0.90, 0.90}}};
  const auto all = compare_rows(rows, {{0, 1}}, {});
  EXPECT_EQ(all[0].verdict, Verdict::kNotDistinguishable);
  EXPECT_EQ(all[0].sentence,
            "A and B are not distinguishable with 4 paired runs: +2.50 points (too few for a 95 % "
            "interval; were differences normal, 0.45 to 4.55), sign-flip test p = 0.125; about 6 "
            "would be "
            "needed at the difference and spread seen.");
}

TEST(CompareRows, NeverCallsSoManyRunsEnoughAsThereWere) {
  // Sign-flip p = 2 / 32 for five alike and one opposite, however large the effect.
  const std::vector<ScoredRow> rows = {{"A", kSeeds, {0.6, 0.6, 0.6, 0.6, 0.6, 0.499}},
                                       {"B", kSeeds, {0.5, 0.5, 0.5, 0.5, 0.5, 0.5}}};
  const Comparison c = compare_rows(rows, {{0, 1}}, {})[0];
  EXPECT_EQ(c.verdict, Verdict::kNotDistinguishable);
  EXPECT_EQ(c.needed, 7);
}

TEST(CompareRows, FallsBackToSignsWhereStudentHasNoSpread) {
  const std::vector<ScoredRow> rows = {{"A", {1, 2, 3}, {0.5, 0.625, 0.75}},
                                       {"B", {1, 2, 3}, {0.375, 0.5, 0.625}}};
  EXPECT_EQ(compare_rows(rows, {{0, 1}}, {.test = PairedTest::kStudent})[0].sentence,
            "A and B are not distinguishable with 3 paired runs: +12.50 points, sign-flip test p = "
            "0.25; about 6 would be needed at the difference and spread seen.");
}

TEST(CompareRows, GivesTheIntervalOfItsOwnTest) {
  const std::vector<ScoredRow> rows = {{"A", kSeeds, {0.51, 0.515, 0.495, 0.52, 0.515, 0.516}},
                                       {"B", kSeeds, {0.5, 0.5, 0.5, 0.5, 0.5, 0.5}}};
  EXPECT_EQ(compare_rows(rows, {{0, 1}}, {})[0].sentence,
            "A and B are not distinguishable with 6 paired runs: +1.18 points (95 % interval -0.50 "
            "to 2.00), sign-flip test p = 0.0625; about 7 would be needed at the difference and "
            "spread seen.");
}

TEST(CompareRows, PairsNothingWithWhatWasDrawnAtRandom) {
  const std::vector<ScoredRow> rows = {
      {"searched", {1, 2, 3, 4}, {0.90, 0.91, 0.92, 0.93}},
      {"random", {1, 2, 3, 4, 5, 6, 7, 8}, {0.80, 0.85, 0.82, 0.86, 0.81, 0.83, 0.84, 0.87}, true}};
  const auto all = compare_rows(rows, {{0, 1}}, {});
  EXPECT_EQ(all[0].test, TestKind::kPermutation);
  EXPECT_EQ(all[0].verdict, Verdict::kBetter);
  EXPECT_THAT(all[0].sentence, ::testing::StartsWith(
                                   "searched is better than random: +8.00 points (95 % interval "));
  EXPECT_THAT(all[0].sentence,
              ::testing::EndsWith(") over 4 runs against 8, permutation test p = 0.00404."));
}

TEST(CompareRows, SaysHowManyOfEachWouldBeNeeded) {
  const std::vector<ScoredRow> rows = {{"a", {1, 2}, {0.5, 0.6}}, {"b", {1, 2}, {0.4, 0.6}, true}};
  EXPECT_EQ(compare_rows(rows, {{0, 1}}, {})[0].sentence,
            "a and b are not distinguishable with 2 runs against 2: +5.00 points, permutation test "
            "p = 1; about 80 of each would be needed at the difference and spread seen.");
}

// R 4.2, power.t.test(delta = 1, sd = 1, power = 0.8)$n = 16.71; delta = 0.5: 63.77.
TEST(RunsNeededOfEach, AgreesWithR) {
  EXPECT_EQ(runs_needed_of_each(1.0, 1.0, 0.05, {}), 17);
  EXPECT_EQ(runs_needed_of_each(-0.5, 1.0, 0.05, {}), 64);
  EXPECT_EQ(runs_needed_of_each(9.0, 1.0, 0.05, {}), 4);  // 2 / C(8, 4) is the first below 0.05
  EXPECT_FALSE(runs_needed_of_each(0.0, 1.0, 0.05, {}));
}

TEST(Widened, HoldsZeroWhereTheTestDoesNotRefuseIt) {
  EXPECT_EQ(widened(Interval{0.1, 0.2}, 0.2)->low, 0.0);
  EXPECT_EQ(widened(Interval{-0.2, -0.1}, 0.2)->high, 0.0);
  EXPECT_EQ(widened(Interval{0.1, 0.2}, 0.05)->low, 0.1);
  EXPECT_FALSE(widened(std::nullopt, 0.2));
}

TEST(CompareRows, PairsBySeedWhateverTheOrder) {
  const std::vector<ScoredRow> rows = {{"A", {1, 2, 3}, {0.5, 0.6, 0.7}},
                                       {"B", {3, 1, 9}, {0.6, 0.4, 0.0}}};
  const auto all = compare_rows(rows, {{0, 1}}, {});
  EXPECT_EQ(all[0].pairs, 2U);
  EXPECT_NEAR(all[0].difference.mean, 0.1, 1e-15);
}

TEST(CompareRows, SaysWhenNothingIsPaired) {
  const std::vector<ScoredRow> rows = {{"A", {1}, {0.5}}, {"B", {2}, {0.6}}, {"C", {1}, {0.4}}};
  const auto all = compare_rows(rows, {{0, 1}, {0, 2}}, {});
  EXPECT_EQ(all[0].sentence, "A and B have no seed in common and cannot be compared.");
  EXPECT_EQ(
      all[1].sentence,
      "A and C are not distinguishable with 1 paired run: +10.00 points, sign-flip test p = 1, 1 "
      "after correction for 2 comparisons; at least two are needed to say more.");
}

TEST(RunsNeeded, IsTheLeastNumberWithThePowerAskedFor) {
  CompareOptions options;
  options.test = PairedTest::kStudent;
  for (const double effect : {0.01, 0.1, 0.3, 0.7, 1.5, 4.0}) {
    for (const double level : {0.05, 0.05 / 4950}) {
      const int runs = runs_needed(effect, 1.0, level, options).value();
      EXPECT_GE(paired_t_power(runs, effect, level), options.power) << effect << ' ' << level;
      EXPECT_TRUE(runs == 2 || paired_t_power(runs - 1, effect, level) < options.power)
          << effect << ' ' << level;
    }
  }
  EXPECT_FALSE(runs_needed(1e-6, 1.0, 0.05, options));
}

}  // namespace
}  // namespace probedarts::study
