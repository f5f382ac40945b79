#include <cmath>

#include <gtest/gtest.h>

#include "learn/evaluate.hpp"

namespace probedarts::learn {
namespace {

/// Probabilities [images, classes] with single labels.
Predictions single(std::vector<float> probabilities, std::vector<std::int64_t> truth,
                   std::size_t classes) {
  Predictions p;
  p.labels = data::LabelKind::kSingle;
  p.classes = classes;
  p.probabilities = std::move(probabilities);
  p.truth_table = one_hot(truth, classes);
  p.truth = std::move(truth);
  p.names.resize(p.truth.size());
  p.seconds = 0.5;
  return p;
}

Predictions multi(std::vector<float> probabilities, std::vector<std::uint8_t> truth,
                  std::size_t classes) {
  Predictions p;
  p.labels = data::LabelKind::kMulti;
  p.classes = classes;
  p.names.resize(truth.size() / classes);
  p.probabilities = std::move(probabilities);
  p.truth_table = std::move(truth);
  p.seconds = 1.0;
  return p;
}

BootstrapOptions replicates(std::size_t count) {
  BootstrapOptions options;
  options.replicates = count;
  return options;
}

const Measure& measure(const Evaluation& evaluation, const std::string& key) {
  for (const Measure& found : evaluation.measures) {
    if (found.key == key) {
      return found;
    }
  }
  throw std::out_of_range(key);
}

TEST(NumberGroups, MakesAnImageWithoutANameAGroupOfItsOwn) {
  Predictions p;
  p.group_names = {"", "b", "a", "", "b"};
  number_groups(p);
  EXPECT_EQ(p.groups, (std::vector<std::int64_t>{0, 1, 2, 3, 1}));
  EXPECT_EQ(p.group_count, 4U);
  EXPECT_EQ(p.ungrouped, 2U);
}

TEST(NumberGroups, FindsNoneWhereNoImageHasAName) {
  Predictions p;
  p.group_names = {"", ""};
  number_groups(p);
  EXPECT_TRUE(p.groups.empty());
  EXPECT_EQ(p.group_count, 0U);
  EXPECT_EQ(p.ungrouped, 0U);
}

TEST(MeasurePredictions, CountsWhatIsRightAndWhatIsNot) {
  const Evaluation e = measure_predictions(
      single({0.9F, 0.1F, 0.8F, 0.2F, 0.3F, 0.7F, 0.6F, 0.4F}, {0, 0, 1, 1}, 2), {}, replicates(0));
  EXPECT_EQ(measure(e, "accuracy").value, 0.75);
  EXPECT_EQ(measure(e, "top5").value, 1.0);  // of two classes, all are among the first five
  EXPECT_EQ(measure(e, "auc_macro").value, 1.0);
  EXPECT_NEAR(measure(e, "f1_macro").value, (4.0 / 5 + 2.0 / 3) / 2, 1e-12);
  EXPECT_FALSE(measure(e, "accuracy").interval.has_value());
  EXPECT_EQ(e.confusion->at(1, 0), 1);
  EXPECT_EQ(e.classes[1].recall, 0.5);
  EXPECT_EQ(e.images_per_second, 8.0);
}

TEST(SharesRight, AverageToTheAccuracy) {
  const Predictions one = single({0.9F, 0.1F, 0.8F, 0.2F, 0.3F, 0.7F, 0.6F, 0.4F}, {0, 0, 1, 1}, 2);
  EXPECT_EQ(shares_right(one), (std::vector<double>{1.0, 1.0, 1.0, 0.0}));
  const Predictions several = multi({0.9F, 0.2F, 0.4F, 0.6F}, {1, 1, 0, 1}, 2);
  EXPECT_EQ(shares_right(several), (std::vector<double>{0.5, 1.0}));
  EXPECT_EQ(measure(measure_predictions(several, {}, replicates(0)), "accuracy").value, 0.75);
}

TEST(MeasurePredictions, GiveIntervalsOfWidthZeroWhenAllIsRight) {
  const Evaluation e = measure_predictions(single({1, 0, 0, 1}, {0, 1}, 2), {}, replicates(50));
  EXPECT_EQ(measure(e, "accuracy").interval->low, 1.0);
  EXPECT_EQ(measure(e, "accuracy").interval->high, 1.0);
}

TEST(MeasurePredictions, DrawWholeGroups) {
  // One group is right, the other wrong: accuracies of the replicates are 0, 0.5 or 1, and over
  // images alone the interval would be narrower.
  std::vector<float> probabilities;
  std::vector<std::int64_t> truth(20, 0);
  for (int i = 0; i < 20; ++i) {
    probabilities.insert(probabilities.end(), {i < 10 ? 0.9F : 0.1F, i < 10 ? 0.1F : 0.9F});
  }
  Predictions p = single(probabilities, truth, 2);
  const Evaluation alone = measure_predictions(p, {}, replicates(200));
  for (int i = 0; i < 20; ++i) {
    p.groups.push_back(i < 10 ? 0 : 1);
  }
  p.group_count = 2;
  const Evaluation grouped = measure_predictions(p, {}, replicates(200));
  EXPECT_EQ(measure(grouped, "accuracy").interval->low, 0.0);
  EXPECT_EQ(measure(grouped, "accuracy").interval->high, 1.0);
  EXPECT_GT(measure(alone, "accuracy").interval->low, 0.2);
  EXPECT_EQ(grouped.groups, 2U);
}

TEST(MeasurePredictions, GiveNoIntervalOfASingleGroup) {
  Predictions p = single({0.9F, 0.1F, 0.8F, 0.2F}, {0, 1}, 2);
  p.groups = {0, 0};
  p.group_count = 1;
  const Evaluation e = measure_predictions(p, {}, replicates(50));
  EXPECT_FALSE(measure(e, "accuracy").interval.has_value());
  EXPECT_TRUE(e.class_intervals.empty());
}

TEST(MeasurePredictions, GiveIntervalsOfEveryClass) {
  // Class 0 is always found; class 1 in half of its images, so its recall varies with the draw.
  std::vector<float> probabilities;
  std::vector<std::int64_t> truth;
  for (int i = 0; i < 40; ++i) {
    const bool first = i % 2 == 0 || i % 4 == 1;
    probabilities.insert(probabilities.end(), {first ? 0.9F : 0.1F, first ? 0.1F : 0.9F});
    truth.push_back(i % 2);
  }
  const Evaluation e = measure_predictions(single(probabilities, truth, 2), {}, replicates(400));
  ASSERT_EQ(e.class_intervals.size(), 2U);
  ASSERT_EQ(class_measures(data::LabelKind::kSingle)[1], "recall");
  const Interval always = e.class_intervals[0][1];
  EXPECT_EQ(always.low, 1.0);
  EXPECT_EQ(always.high, 1.0);
  // Recall of 10 of about 20: 0.5 -+ 1.96 sqrt(0.25 / 20), within what 400 draws of it vary by.
  const Interval half = e.class_intervals[1][1];
  EXPECT_NEAR(half.low, 0.5 - 0.219, 0.06);
  EXPECT_NEAR(half.high, 0.5 + 0.219, 0.06);
}

TEST(MeasurePredictions, OfSeveralLabelsKeepTheirThresholdsInEveryDraw) {
  const Evaluation e =
      measure_predictions(multi({0.4F, 0.9F, 0.45F, 0.2F, 0.1F, 0.8F}, {1, 1, 1, 0, 0, 1}, 2),
                          {0.42, 0.95}, replicates(100));
  ASSERT_EQ(e.class_intervals.size(), 3U);  // two classes, and all together
  ASSERT_EQ(class_measures(data::LabelKind::kMulti)[0], "tpr");
  EXPECT_EQ(e.class_intervals[1][0].low, 0.0);  // nothing of class 1 reaches 0.95
  EXPECT_EQ(e.class_intervals[1][0].high, 0.0);
  EXPECT_EQ(e.class_intervals[0][0].low, 0.0);
  EXPECT_EQ(e.class_intervals[0][0].high, 1.0);
}

TEST(MeasurePredictions, OfSeveralLabelsFindTheirOwnThresholds) {
  const Evaluation e = measure_predictions(
      multi({0.4F, 0.9F, 0.45F, 0.2F, 0.1F, 0.8F}, {1, 1, 1, 0, 0, 1}, 2), {}, replicates(0));
  EXPECT_NEAR(measure(e, "accuracy").value, 4.0 / 6, 1e-12);  // 0.4 and 0.45 stay below 0.5
  EXPECT_EQ(e.thresholded->classes[0].tpr, 1.0);
  EXPECT_EQ(e.thresholded->classes[0].fpr, 0.0);
  EXPECT_FLOAT_EQ(static_cast<float>(e.thresholded->classes[0].threshold), 0.4F);
  ASSERT_EQ(e.roc.size(), 2U);
  EXPECT_EQ(e.roc[0].tpr.back(), 1.0);
  EXPECT_EQ(e.auc[1], 1.0);
}

TEST(MeasurePredictions, TakeThresholdsFromElsewhere) {
  const Evaluation e =
      measure_predictions(multi({0.4F, 0.9F, 0.45F, 0.2F, 0.1F, 0.8F}, {1, 1, 1, 0, 0, 1}, 2),
                          {0.42, 0.95}, replicates(0));
  EXPECT_EQ(e.thresholded->classes[0].threshold, 0.42);
  EXPECT_EQ(e.thresholded->classes[0].tpr, 0.5);
  EXPECT_EQ(e.thresholded->classes[1].tpr, 0.0);
}

}  // namespace
}  // namespace probedarts::learn
