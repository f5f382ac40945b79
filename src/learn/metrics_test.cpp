#include "learn/metrics.hpp"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "core/random.hpp"

namespace probedarts::learn {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsNan;

using Bits = std::vector<std::uint8_t>;
using Floats = std::vector<float>;
using Labels = std::vector<std::int64_t>;

// ---- one label an image

TEST(PredictedClasses, AreTheLargestScores) {
  EXPECT_THAT(predicted_classes({Floats{0.F, 2.F, 1.F, 5.F, -1.F, 4.F}, 3}), ElementsAre(1, 0));
}

TEST(PredictedClasses, OfEqualScoresAreTheFirst) {
  EXPECT_THAT(predicted_classes({Floats{1.F, 3.F, 3.F}, 3}), ElementsAre(1));
}

TEST(TopKAccuracy, CountsImagesWhoseClassIsAmongTheFirstK) {
  const Floats scores = {3.F, 2.F, 1.F, /**/ 3.F, 2.F, 1.F, /**/ 3.F, 2.F, 1.F};
  const Labels labels = {0, 1, 2};
  EXPECT_DOUBLE_EQ(top_k_accuracy({scores, 3}, labels, 1), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(top_k_accuracy({scores, 3}, labels, 2), 2.0 / 3.0);
}

TEST(TopKAccuracy, IsOneWhenKReachesAllClasses) {
  EXPECT_DOUBLE_EQ(top_k_accuracy({Floats{9.F, 0.F}, 2}, Labels{1}, 2), 1.0);
  EXPECT_DOUBLE_EQ(top_k_accuracy({Floats{9.F, 0.F}, 2}, Labels{1}, 5), 1.0);
}

TEST(TopKAccuracy, BreaksTiesAsThePredictedClassDoes) {
  const Floats equal = {1.F, 1.F};
  EXPECT_DOUBLE_EQ(top_k_accuracy({equal, 2}, Labels{0}, 1), 1.0);
  EXPECT_DOUBLE_EQ(top_k_accuracy({equal, 2}, Labels{1}, 1), 0.0);
}

TEST(TopKAccuracy, OfNoImageIsUndefined) {
  EXPECT_THAT(top_k_accuracy({Floats{}, 3}, Labels{}, 1), IsNan());
}

TEST(TopKAccuracy, ReportsANaNScoreAsDivergence) {
  const Floats scores = {std::numeric_limits<float>::quiet_NaN(), 0.F};
  EXPECT_THROW(top_k_accuracy({scores, 2}, Labels{0}, 1), Diverged);
}

TEST(ConfusionMatrix, HasTruthInRowsAndPredictionInColumns) {
  const ConfusionMatrix matrix = confusion_matrix(Labels{0, 0, 1, 2}, Labels{0, 2, 1, 1}, 3);
  EXPECT_THAT(matrix.counts, ElementsAre(1, 0, 1, /**/ 0, 1, 0, /**/ 0, 1, 0));
  EXPECT_EQ(matrix.at(0, 2), 1);
}

TEST(ConfusionMatrix, RefusesALabelBeyondTheClasses) {
  EXPECT_THROW(confusion_matrix(Labels{3}, Labels{0}, 3), Bug);
  EXPECT_THROW(confusion_matrix(Labels{-1}, Labels{0}, 3), Bug);
}

TEST(ClassReports, OfPerfectPredictionsAreOne) {
  const auto reports = class_reports(confusion_matrix(Labels{0, 1, 1}, Labels{0, 1, 1}, 2));
  EXPECT_DOUBLE_EQ(reports[1].precision, 1.0);
  EXPECT_DOUBLE_EQ(reports[1].recall, 1.0);
  EXPECT_DOUBLE_EQ(reports[1].f1, 1.0);
  EXPECT_EQ(reports[1].images, 2);
}

TEST(ClassReports, FollowTheirDefinitions) {
  // Class 0: 2 right, 1 missed, 3 falsely said.
  const ConfusionMatrix matrix{2, {2, 1, 3, 4}};
  const ClassReport report = class_reports(matrix)[0];
  EXPECT_DOUBLE_EQ(report.precision, 2.0 / 5.0);
  EXPECT_DOUBLE_EQ(report.recall, 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(report.f1, 4.0 / 8.0);
}

TEST(ClassReports, OfAClassNeitherSeenNorSaidAreUndefined) {
  const auto reports = class_reports(confusion_matrix(Labels{0}, Labels{0}, 2));
  EXPECT_THAT(reports[1].precision, IsNan());
  EXPECT_THAT(reports[1].recall, IsNan());
  EXPECT_THAT(reports[1].f1, IsNan());
}

// ---- ranking

TEST(AreaUnderRoc, IsOneWhenEveryPositiveScoresHigher) {
  EXPECT_DOUBLE_EQ(area_under_roc(Floats{0.1F, 0.2F, 0.8F, 0.9F}, Bits{0, 0, 1, 1}), 1.0);
}

TEST(AreaUnderRoc, IsZeroWhenTheRankingIsInverted) {
  EXPECT_DOUBLE_EQ(area_under_roc(Floats{0.1F, 0.2F, 0.8F, 0.9F}, Bits{1, 1, 0, 0}), 0.0);
}

TEST(AreaUnderRoc, CountsTiesHalf) {
  EXPECT_DOUBLE_EQ(area_under_roc(Floats{0.5F, 0.5F, 0.5F}, Bits{1, 0, 0}), 0.5);
  // Of 2 x 2 pairs one is a tie and three are right.
  EXPECT_DOUBLE_EQ(area_under_roc(Floats{0.3F, 0.5F, 0.5F, 0.9F}, Bits{0, 0, 1, 1}), 3.5 / 4.0);
}

TEST(AreaUnderRoc, NeedsBothKinds) {
  EXPECT_THAT(area_under_roc(Floats{0.5F, 0.6F}, Bits{1, 1}), IsNan());
  EXPECT_THAT(area_under_roc(Floats{0.5F, 0.6F}, Bits{0, 0}), IsNan());
  EXPECT_THAT(area_under_roc(Floats{}, Bits{}), IsNan());
}

struct RandomScores {
  Floats scores;
  Bits positive;
};

/// Eight distinct values, so that ties abound.
RandomScores random_scores(std::size_t count) {
  Stream stream(5, "scores");
  RandomScores drawn;
  for (std::size_t i = 0; i < count; ++i) {
    drawn.scores.push_back(static_cast<float>(stream.below(8)) / 8.F);
    drawn.positive.push_back(stream.uniform() < 0.4 ? 1 : 0);
  }
  return drawn;
}

TEST(AreaUnderRoc, IsTheShareOfPairsInTheRightOrder) {
  const RandomScores drawn = random_scores(60);
  double right = 0.0;
  double pairs = 0.0;
  for (std::size_t p = 0; p < 60; ++p) {
    for (std::size_t n = 0; n < 60; ++n) {
      if (drawn.positive[p] != 0 && drawn.positive[n] == 0) {
        const float above = drawn.scores[p] - drawn.scores[n];
        right += above > 0.F ? 1.0 : (above == 0.F ? 0.5 : 0.0);
        pairs += 1.0;
      }
    }
  }
  EXPECT_DOUBLE_EQ(area_under_roc(drawn.scores, drawn.positive), right / pairs);
}

TEST(AreaUnderRoc, IsTheTrapezoidUnderTheCurveWhicheverPointsAreKept) {
  const RandomScores drawn = random_scores(60);
  for (const RocPoints points : {RocPoints::kAll, RocPoints::kCorners}) {
    const RocCurve curve = roc_curve(drawn.scores, drawn.positive, points);
    double area = 0.0;
    for (std::size_t i = 1; i < curve.fpr.size(); ++i) {
      area += (curve.fpr[i] - curve.fpr[i - 1]) * (curve.tpr[i] + curve.tpr[i - 1]) / 2.0;
    }
    // A sum of at most nine products of numbers below 1: a few units of 1e-16 each.
    EXPECT_NEAR(area, area_under_roc(drawn.scores, drawn.positive), 1e-14);
  }
}

TEST(OneVsRestAuc, TakesEachClassAgainstAllOthers) {
  const Floats scores = {0.9F, 0.1F, 0.0F, /**/ 0.2F, 0.7F, 0.1F, /**/ 0.3F, 0.8F, 0.2F};
  const Bits labels = one_hot(Labels{0, 1, 2}, 3);
  EXPECT_THAT(one_vs_rest_auc({scores, 3}, {labels, 3}),
              ElementsAre(DoubleEq(1.0), DoubleEq(0.5), DoubleEq(1.0)));
}

TEST(RocCurve, StartsAtTheOriginAboveEveryScoreAndEndsAtOne) {
  const RocCurve curve = roc_curve(Floats{0.2F, 0.8F}, Bits{0, 1}, RocPoints::kAll);
  EXPECT_THAT(curve.fpr, ElementsAre(0.0, 0.0, 1.0));
  EXPECT_THAT(curve.tpr, ElementsAre(0.0, 1.0, 1.0));
  EXPECT_THAT(curve.threshold, ElementsAre(std::numeric_limits<double>::infinity(),
                                           static_cast<double>(0.8F), static_cast<double>(0.2F)));
}

TEST(RocCurve, HasOnePointForEqualScores) {
  const RocCurve curve = roc_curve(Floats{0.5F, 0.5F}, Bits{0, 1}, RocPoints::kAll);
  EXPECT_THAT(curve.fpr, ElementsAre(0.0, 1.0));
  EXPECT_THAT(curve.tpr, ElementsAre(0.0, 1.0));
}

TEST(RocCurve, LeavesOutPointsBetweenEqualSteps) {
  const Floats scores = {0.9F, 0.8F, 0.7F, 0.6F};
  const Bits positive = {1, 1, 1, 0};
  EXPECT_THAT(roc_curve(scores, positive, RocPoints::kAll).tpr,
              ElementsAre(0.0, DoubleEq(1.0 / 3.0), DoubleEq(2.0 / 3.0), 1.0, 1.0));
  // The point at 2/3 goes; that at 1/3 is the first of the sequence and stays.
  EXPECT_THAT(roc_curve(scores, positive, RocPoints::kCorners).tpr,
              ElementsAre(0.0, DoubleEq(1.0 / 3.0), 1.0, 1.0));
}

TEST(RocCurve, OfOneKindIsUndefinedInTheOther) {
  const RocCurve curve = roc_curve(Floats{0.5F, 0.6F}, Bits{1, 1}, RocPoints::kAll);
  EXPECT_THAT(curve.fpr[1], IsNan());
  EXPECT_DOUBLE_EQ(curve.tpr[1], 0.5);
}

// ---- several labels an image

TEST(MultiLabelAccuracy, CountsAgreementOnAbsenceToo) {
  const auto accuracy = multi_label_accuracy({Floats{0.9F, 0.1F, 0.2F, 0.8F}, 4},
                                             {Bits{1, 0, 1, 1}, 4}, EmptyRow::kUndefined);
  EXPECT_EQ(accuracy.pairs_right, 3);
  EXPECT_DOUBLE_EQ(accuracy.pair_accuracy, 0.75);
  EXPECT_DOUBLE_EQ(accuracy.jaccard_mean, 2.0 / 3.0);
}

TEST(MultiLabelAccuracy, DoesNotPredictAtExactlyOneHalf) {
  const auto accuracy = multi_label_accuracy({Floats{0.5F}, 1}, {Bits{0}, 1}, EmptyRow::kUndefined);
  EXPECT_EQ(accuracy.pairs_right, 1);
}

TEST(MultiLabelAccuracy, OfAnImageWithoutLabelAndPredictionIsUndefinedOrPerfectAsAsked) {
  const Floats scores = {0.1F, 0.2F, 0.9F, 0.2F};
  const Bits labels = {0, 0, 1, 1};
  const auto published = multi_label_accuracy({scores, 2}, {labels, 2}, EmptyRow::kUndefined);
  EXPECT_THAT(published.jaccard_mean, IsNan());
  EXPECT_EQ(published.images_without, 1);
  const auto perfect = multi_label_accuracy({scores, 2}, {labels, 2}, EmptyRow::kPerfect);
  EXPECT_DOUBLE_EQ(perfect.jaccard_mean, 0.75);
  EXPECT_DOUBLE_EQ(perfect.pair_accuracy, published.pair_accuracy);
}

TEST(MultiLabelAccuracy, RefusesTablesOfDifferentShape) {
  EXPECT_THROW(multi_label_accuracy({Floats{0.1F, 0.2F}, 2}, {Bits{0}, 1}, EmptyRow::kPerfect),
               Bug);
}

TEST(Sigmoid, StaysFiniteForLargeLogits) {
  EXPECT_THAT(sigmoid(Floats{-1000.F, 0.F, 1000.F}), ElementsAre(0.F, 0.5F, 1.F));
}

TEST(ThresholdedReports, OfAPerfectClassAreOneAtTheLowestPositiveScore) {
  const auto reports =
      thresholded_reports({Floats{0.4F, 0.45F, 0.6F, 0.9F}, 1}, {Bits{0, 0, 1, 1}, 1});
  const ThresholdedReport& report = reports.classes[0];
  EXPECT_DOUBLE_EQ(report.threshold, static_cast<double>(0.6F));
  EXPECT_DOUBLE_EQ(report.tpr, 1.0);
  EXPECT_DOUBLE_EQ(report.tnr, 1.0);
  EXPECT_DOUBLE_EQ(report.f1, 1.0);
  EXPECT_DOUBLE_EQ(report.auc, 1.0);
}

TEST(ThresholdedReports, KeepTheThresholdAboveOneThird) {
  const auto reports = thresholded_reports({Floats{0.01F, 0.02F}, 1}, {Bits{0, 1}, 1});
  EXPECT_DOUBLE_EQ(reports.classes[0].threshold, 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(reports.classes[0].tpr, 0.0);
}

TEST(ThresholdedReports, GiveAClassOfOneKindTheThresholdOneAndNoArea) {
  const auto reports =
      thresholded_reports({Floats{0.7F, 0.2F, 0.6F, 0.9F}, 2}, {Bits{0, 1, 0, 1}, 2});
  EXPECT_DOUBLE_EQ(reports.classes[0].threshold, 1.0);
  EXPECT_DOUBLE_EQ(reports.classes[1].threshold, 1.0);
  EXPECT_THAT(reports.classes[0].auc, IsNan());
  EXPECT_THAT(reports.classes[0].f1, IsNan());   // nothing there, nothing said
  EXPECT_DOUBLE_EQ(reports.classes[1].f1, 0.0);  // all missed
  EXPECT_THAT(reports.together.auc, IsNan());
}

TEST(ThresholdedReports, TogetherPoolCountsAndWeightAreasByPositives) {
  const Floats scores = {0.9F, 0.4F, /**/ 0.8F, 0.6F, /**/ 0.1F, 0.5F};
  const Bits labels = {1, 1, /**/ 1, 0, /**/ 0, 0};  // areas 1 (two positives) and 0 (one)
  const auto reports = thresholded_reports({scores, 2}, {labels, 2});
  EXPECT_DOUBLE_EQ(reports.classes[0].auc, 1.0);
  EXPECT_DOUBLE_EQ(reports.classes[1].auc, 0.0);
  EXPECT_DOUBLE_EQ(reports.together.auc, 2.0 / 3.0);
  EXPECT_EQ(reports.together.positives, 3);
  EXPECT_THAT(reports.together.threshold, IsNan());
}

TEST(ThresholdedReports, OfNoImageAreUndefined) {
  const auto reports = thresholded_reports({Floats{}, 2}, {Bits{}, 2});
  EXPECT_THAT(reports.classes.at(1).accuracy, IsNan());
  EXPECT_THAT(reports.together.accuracy, IsNan());
}

// ---- trust

TEST(ExpectedCalibrationError, OfHonestConfidenceIsZero) {
  EXPECT_DOUBLE_EQ(expected_calibration_error(Floats{1.F, 1.F}, Bits{1, 1}), 0.0);
  EXPECT_DOUBLE_EQ(expected_calibration_error(Floats{0.5F, 0.5F}, Bits{0, 1}), 0.0);
}

TEST(ExpectedCalibrationError, OfCertainMistakesIsOne) {
  EXPECT_DOUBLE_EQ(expected_calibration_error(Floats{1.F, 1.F}, Bits{0, 0}), 1.0);
}

TEST(ExpectedCalibrationError, WeightsBinsByTheirImages) {
  // (0, 0.5]: one image, right, confidence 0.25: gap 0.75. (0.5, 1]: three, two right, 0.75: 1/12.
  const Floats confidence = {0.25F, 0.75F, 0.75F, 0.75F};
  EXPECT_DOUBLE_EQ(expected_calibration_error(confidence, Bits{1, 1, 1, 0}, 2),
                   (0.75 + 3.0 * (0.75 - 2.0 / 3.0)) / 4.0);
}

TEST(ExpectedCalibrationError, PutsABinsUpperEdgeIntoIt) {
  // 0.5 shares the bin of 0.25, where the errors -0.5 and +0.75 partly cancel.
  EXPECT_DOUBLE_EQ(expected_calibration_error(Floats{0.5F, 0.25F}, Bits{0, 1}, 2), 0.125);
}

TEST(ExpectedCalibrationError, OfNothingIsUndefined) {
  EXPECT_THAT(expected_calibration_error(Floats{}, Bits{}), IsNan());
}

double mean_of(const std::vector<double>& values, std::span<const std::size_t> drawn) {
  double sum = 0.0;
  for (const std::size_t i : drawn) {
    sum += values[i];
  }
  return sum / static_cast<double>(drawn.size());
}

TEST(BootstrapInterval, OfAConstantIsAPoint) {
  const std::vector<double> values(20, 0.75);
  const Interval interval =
      bootstrap_interval(20, {}, [&](auto drawn) { return mean_of(values, drawn); }, {});
  EXPECT_DOUBLE_EQ(interval.low, 0.75);
  EXPECT_DOUBLE_EQ(interval.high, 0.75);
  EXPECT_EQ(interval.undefined, 0U);
}

TEST(BootstrapInterval, OfAMeanIsAboutTwoStandardErrorsToEachSide) {
  std::vector<double> values(400);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i % 2 == 0 ? 1.0 : 0.0;
  }
  const Interval interval =
      bootstrap_interval(400, {}, [&](auto drawn) { return mean_of(values, drawn); }, {.seed = 1});
  // Standard error 0.5 / sqrt(400) = 0.025. The 2.5 % point of 1000 replicates has itself a
  // standard error of sqrt(.025 * .975 / 1000) / 0.0584 = 0.085 sd; four of them are 0.0085.
  EXPECT_NEAR(interval.low, 0.5 - 1.96 * 0.025, 0.0085);
  EXPECT_NEAR(interval.high, 0.5 + 1.96 * 0.025, 0.0085);
}

TEST(BootstrapInterval, DrawsWholeGroups) {
  const std::vector<std::int64_t> groups = {7, 3, 7, 3, 7};
  bootstrap_interval(5, groups,
                     [&](std::span<const std::size_t> drawn) {
                       std::vector<int> times(5, 0);
                       for (const std::size_t image : drawn) {
                         ++times[image];
                       }
                       EXPECT_EQ(times[0], times[2]);
                       EXPECT_EQ(times[0], times[4]);
                       EXPECT_EQ(times[1], times[3]);
                       EXPECT_EQ(times[0] + times[1], 2) << "as many groups as there are";
                       return 0.0;
                     },
                     {.replicates = 50});
}

TEST(BootstrapInterval, IsWiderWhenImagesOfAGroupAgree) {
  std::vector<double> values;
  std::vector<std::int64_t> groups;
  for (int image = 0; image < 200; ++image) {
    groups.push_back(image / 20);
    values.push_back(groups.back() % 2 == 0 ? 1.0 : 0.0);
  }
  const auto mean = [&](auto drawn) { return mean_of(values, drawn); };
  const Interval single = bootstrap_interval(200, {}, mean, {});
  const Interval grouped = bootstrap_interval(200, groups, mean, {});
  // Ten independent values instead of 200: sqrt(20) = 4.5 times as wide; half of it is asked.
  EXPECT_GT(grouped.high - grouped.low, 2.2 * (single.high - single.low));
}

TEST(BootstrapInterval, DependsOnTheSeedAlone) {
  const std::vector<double> values = {0.0, 1.0, 2.0, 5.0, 9.0, 9.5, 11.0};
  const auto mean = [&](auto drawn) { return mean_of(values, drawn); };
  const Interval first = bootstrap_interval(7, {}, mean, {.seed = 3, .replicates = 100});
  const Interval again = bootstrap_interval(7, {}, mean, {.seed = 3, .replicates = 100});
  const Interval other = bootstrap_interval(7, {}, mean, {.seed = 4, .replicates = 100});
  EXPECT_EQ(first.low, again.low);
  EXPECT_EQ(first.high, again.high);
  EXPECT_NE(first.low, other.low);
}

TEST(BootstrapInterval, CountsReplicatesWithoutAValue) {
  const Interval never = bootstrap_interval(
      4, {}, [](auto) { return std::numeric_limits<double>::quiet_NaN(); }, {.replicates = 10});
  EXPECT_EQ(never.undefined, 10U);
  EXPECT_THAT(never.low, IsNan());
  EXPECT_THAT(never.high, IsNan());
}

}  // namespace
}  // namespace probedarts::learn
