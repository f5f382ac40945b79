// The measures against the paper's evaluation code: every row of every case in golden/08_metrics
// that is about accuracy or about thresholds. Tolerances are the data's own: counts exact, ratios
// 1e-12, thresholds 1e-7.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "learn/metrics.hpp"
#include "support/golden_case.hpp"
#include "support/shared_files.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

constexpr double kRatioTolerance = 1e-12;
constexpr double kThresholdTolerance = 1e-7;

template <class T>
std::vector<T> values_of(const TensorFile& file, const std::string& name) {
  std::vector<T> values;
  for (const double value : file.at(name).as_doubles()) {
    values.push_back(static_cast<T>(value));
  }
  return values;
}

double number(const json& value) {
  return value.is_string() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

void expect_same(double computed, double wanted, double tolerance, const std::string& what) {
  if (std::isnan(wanted)) {
    EXPECT_TRUE(std::isnan(computed)) << what << " is " << computed << ", wanted NaN";
  } else {
    EXPECT_NEAR(computed, wanted, tolerance) << what;
  }
}

struct Row {
  json description;
  std::string key;
  const TensorFile& file;
};

/// Calls `check` for every row of group 08_metrics for which `applies`; returns how many.
template <class Applies, class Check>
int for_each_row(const Applies& applies, const Check& check) {
  int rows = 0;
  for (const auto& path : testing::golden_cases("08_metrics")) {
    const testing::GoldenCase golden(path);
    for (const json& description : golden.facts.at("rows")) {
      const Row row{description, description.at("key"), golden.file};
      if (applies(row)) {
        SCOPED_TRACE(path.filename().string() + " " + row.key);
        check(row);
        ++rows;
      }
    }
  }
  return rows;
}

bool computed_by(const Row& row, const std::string& function) {
  return row.description.value("fn", "") == function;
}

void check_multi_label(const Row& row) {
  const auto logits = values_of<float>(row.file, row.key + ".logits");
  const auto target = values_of<std::uint8_t>(row.file, row.key + ".target");
  const auto predictions = values_of<std::uint8_t>(row.file, row.key + ".preds");
  const std::size_t classes = row.description.at("classes");
  const std::vector<float> probabilities = sigmoid(logits);
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    ASSERT_EQ(probabilities[i] > 0.5F, predictions[i] != 0) << "pair " << i;
  }
  const MultiLabelAccuracy accuracy =
      multi_label_accuracy({probabilities, classes}, {target, classes}, EmptyRow::kUndefined);
  const json& wanted = row.description;
  EXPECT_EQ(accuracy.pairs_right, wanted.at("acc1_sum").get<std::int64_t>());
  expect_same(accuracy.pair_accuracy, number(wanted.at("epoch_top1")), kRatioTolerance, "top1");
  expect_same(accuracy.jaccard_mean, number(wanted.at("epoch_top5")), kRatioTolerance, "top5");
  expect_same(accuracy.jaccard_mean * static_cast<double>(accuracy.jaccard.size()),
              number(wanted.at("acc5_sum")), kRatioTolerance, "sum of top5");
  const json& rows = wanted.at("acc5_per_row");
  ASSERT_EQ(accuracy.jaccard.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    expect_same(accuracy.jaccard[i], number(rows[i]), kRatioTolerance, "row " + std::to_string(i));
  }
}

void check_top_k(const Row& row) {
  const auto scores = values_of<float>(row.file, row.key + ".logits");
  const auto labels = values_of<std::int64_t>(row.file, row.key + ".target");
  const std::size_t classes = row.description.at("classes");
  const auto images = static_cast<double>(labels.size());
  const auto right_images = [&](const char* percent) {  // the file's are rounded to float32
    return std::round(row.description.at(percent).get<double>() * images / 100.0);
  };
  const auto computed = [&](int which) {
    const std::size_t k = row.description.at("k").at(static_cast<std::size_t>(which));
    return top_k_accuracy({scores, classes}, labels, k);
  };
  expect_same(computed(0), right_images("top1_percent") / images, kRatioTolerance, "top-1");
  expect_same(computed(1), right_images("topk_percent") / images, kRatioTolerance, "top-k");
}

void check_thresholds(const Row& row) {
  const auto scores = values_of<float>(row.file, row.key + ".pred");
  const auto target = values_of<std::uint8_t>(row.file, row.key + ".target");
  const auto thresholds = row.file.at(row.key + ".thresholds").as_doubles();
  const auto table = row.file.at(row.key + ".table").as_doubles();
  const std::size_t classes = row.description.at("classes");
  const ThresholdedReports reports = thresholded_reports({scores, classes}, {target, classes});
  ASSERT_EQ(reports.classes.size(), thresholds.size());
  for (std::size_t c = 0; c <= classes; ++c) {
    const ThresholdedReport& report = c < classes ? reports.classes[c] : reports.together;
    SCOPED_TRACE(c < classes ? "class " + std::to_string(c) : "all classes");
    if (c < classes) {
      expect_same(report.threshold, thresholds[c], kThresholdTolerance, "threshold");
    }
    const std::vector<std::pair<const char*, double>> columns = {
        {"TPR", report.tpr},      {"FPR", report.fpr}, {"TNR", report.tnr}, {"FNR", report.fnr},
        {"ACC", report.accuracy}, {"F1", report.f1},   {"AUC", report.auc}};
    for (std::size_t i = 0; i < columns.size(); ++i) {
      expect_same(columns[i].second, table.at(c * columns.size() + i), kRatioTolerance,
                  columns[i].first);
    }
  }
  const std::vector<double> areas = one_vs_rest_auc({scores, classes}, {target, classes});
  for (std::size_t c = 0; c < classes; ++c) {
    expect_same(areas[c], table.at(c * 7 + 6), kRatioTolerance, "one-vs-rest AUC");
  }
}

/// The curves a file holds of some classes, under `<key>.roc<class>.{fpr,tpr}`.
int check_curves(const Row& row) {
  const auto scores = values_of<float>(row.file, row.key + ".pred");
  const auto target = values_of<std::uint8_t>(row.file, row.key + ".target");
  const std::size_t classes = row.description.at("classes");
  int curves = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    const std::string key = row.key + ".roc" + std::to_string(c);
    if (!row.file.has(key + ".fpr")) {
      continue;
    }
    std::vector<float> of_class;
    std::vector<std::uint8_t> positive;
    for (std::size_t image = 0; image < scores.size() / classes; ++image) {
      of_class.push_back(scores[image * classes + c]);
      positive.push_back(target[image * classes + c]);
    }
    const RocCurve curve = roc_curve(of_class, positive, RocPoints::kCorners);
    EXPECT_EQ(curve.fpr, row.file.at(key + ".fpr").as_doubles()) << key;
    EXPECT_EQ(curve.tpr, row.file.at(key + ".tpr").as_doubles()) << key;
    ++curves;
  }
  return curves;
}

bool has_thresholds(const Row& row) { return row.file.has(row.key + ".thresholds"); }

/// The tensors that the tests of a kind of row read, by the end of their names; none for a row that
/// no test knows. The losses are loss_golden_test.cpp's, their counts data's.
std::vector<std::string> tensors_read(const Row& row) {
  if (computed_by(row, "accuracyADP")) {
    return {"logits", "target", "preds"};
  }
  if (computed_by(row, "accuracy")) {
    return {"logits", "target"};
  }
  if (row.description.contains("loss")) {
    return {"x", "y", "weight", "class_counts", "loss", "grad", "loss_f64", "grad_f64"};
  }
  if (!has_thresholds(row)) {
    return {};
  }
  std::vector<std::string> ends = {"pred", "target", "thresholds", "table"};
  for (int c = 0; c < row.description.at("classes").get<int>(); ++c) {
    ends.push_back("roc" + std::to_string(c) + ".fpr");
    ends.push_back("roc" + std::to_string(c) + ".tpr");
  }
  return ends;
}

TEST(MetricsGolden, KnowsEveryRowAndTensor) {
  PROBEDARTS_NEEDS_GROUP("08_metrics");
  for (const auto& path : testing::golden_cases("08_metrics")) {
    const testing::GoldenCase golden(path);
    for (const json& description : golden.facts.at("rows")) {
      const Row row{description, description.at("key"), golden.file};
      const std::vector<std::string> ends = tensors_read(row);
      EXPECT_FALSE(ends.empty()) << path << ": nobody compares row '" << row.key << "'";
      for (const std::string& end : ends) {
        if (golden.has(row.key + "." + end)) {
          golden.at(row.key + "." + end);
        }
      }
    }
    golden.expect_all_read();
  }
}

TEST(MultiLabelAccuracyGolden, AgreesInEveryRow) {
  PROBEDARTS_NEEDS_GROUP("08_metrics");
  const int rows = for_each_row([](const Row& row) { return computed_by(row, "accuracyADP"); },
                                check_multi_label);
  PROBEDARTS_FOUND(rows, "an accuracy of several labels");
}

TEST(TopKAccuracyGolden, AgreesInEveryRow) {
  PROBEDARTS_NEEDS_GROUP("08_metrics");
  const int rows =
      for_each_row([](const Row& row) { return computed_by(row, "accuracy"); }, check_top_k);
  PROBEDARTS_FOUND(rows, "a top-k accuracy");
}

TEST(ThresholdedReportsGolden, AgreeInEveryClassAndTogether) {
  PROBEDARTS_NEEDS_GROUP("08_metrics");
  const int rows = for_each_row(has_thresholds, check_thresholds);
  PROBEDARTS_FOUND(rows, "thresholds");
}

TEST(RocCurveGolden, AgreesInEveryPoint) {
  PROBEDARTS_NEEDS_GROUP("08_metrics");
  int curves = 0;
  for_each_row(has_thresholds, [&](const Row& row) { curves += check_curves(row); });
  PROBEDARTS_FOUND(curves, "a curve");
}

}  // namespace
}  // namespace probedarts::learn
