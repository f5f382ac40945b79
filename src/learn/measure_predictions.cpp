#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "learn/evaluate.hpp"

namespace probedarts::learn {
namespace {

double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) {
    sum += value;
  }
  return sum / static_cast<double>(values.size());
}

/// Mean over the values that are there; NaN when none is.
double mean_of_defined(const std::vector<double>& values) {
  std::vector<double> defined;
  std::copy_if(values.begin(), values.end(), std::back_inserter(defined),
               [](double value) { return !std::isnan(value); });
  return defined.empty() ? std::numeric_limits<double>::quiet_NaN() : mean_of(defined);
}

/// Predictions of the chosen images, in that order.
Predictions subset_of(const Predictions& all, std::span<const std::size_t> chosen) {
  Predictions subset;
  subset.labels = all.labels;
  subset.classes = all.classes;
  const auto classes = static_cast<std::ptrdiff_t>(all.classes);
  for (const std::size_t image : chosen) {
    const auto begin = static_cast<std::ptrdiff_t>(image) * classes;
    const auto append = [&](const auto& from, auto& to) {
      to.insert(to.end(), from.begin() + begin, from.begin() + begin + classes);
    };
    append(all.probabilities, subset.probabilities);
    append(all.truth_table, subset.truth_table);
    if (!all.truth.empty()) {
      subset.truth.push_back(all.truth[image]);
    }
  }
  return subset;
}

/// What several measures of one set of images need, computed once.
struct Summary {
  const Predictions& predictions;
  std::vector<double> auc;
  std::optional<ConfusionMatrix> confusion;  ///< of one label, as are `classes`
  std::vector<ClassReport> classes;
  std::optional<ThresholdedReports> thresholded;  ///< of several labels, as is `at_one_half`
  MultiLabelAccuracy at_one_half;
};

/// \param thresholds  of several labels, one a class.
Summary summarize(const Predictions& p, std::span<const double> thresholds) {
  Summary summary{p, {}, {}, {}, {}, {}};
  if (p.labels == data::LabelKind::kSingle) {
    summary.auc = one_vs_rest_auc(p.scores(), p.table());
    summary.confusion = confusion_matrix(p.truth, predicted_classes(p.scores()), p.classes);
    summary.classes = class_reports(*summary.confusion);
    return summary;
  }
  summary.thresholded = thresholded_reports_at(p.scores(), p.table(), thresholds);
  for (const ThresholdedReport& report : summary.thresholded->classes) {
    summary.auc.push_back(report.auc);
  }
  summary.at_one_half = multi_label_accuracy(p.scores(), p.table(), EmptyRow::kPerfect);
  return summary;
}

double mean_auc(const Summary& s) { return mean_of_defined(s.auc); }

double macro_f1(const Summary& s) {
  std::vector<double> f1;
  for (const ClassReport& report : s.classes) {
    f1.push_back(report.f1);
  }
  return mean_of_defined(f1);
}

constexpr std::string_view kClassMeasures[] = {"precision", "recall", "f1", "auc"};
constexpr std::string_view kThresholdedMeasures[] = {"tpr",      "fpr", "tnr", "fnr",
                                                     "accuracy", "f1",  "auc"};

/// In the order of `class_measures`, one class after the other.
std::vector<double> class_values(const Summary& s) {
  std::vector<double> values;
  for (std::size_t c = 0; c < s.classes.size(); ++c) {
    const ClassReport& r = s.classes[c];
    values.insert(values.end(), {r.precision, r.recall, r.f1, s.auc[c]});
  }
  if (s.thresholded) {
    const auto add = [&](const ThresholdedReport& r) {
      values.insert(values.end(), {r.tpr, r.fpr, r.tnr, r.fnr, r.accuracy, r.f1, r.auc});
    };
    std::for_each(s.thresholded->classes.begin(), s.thresholded->classes.end(), add);
    add(s.thresholded->together);
  }
  return values;
}

/// Of one label: confidence in the predicted class. Of several: of each (image, class) decision.
double calibration_error(const Summary& s) {
  const Predictions& p = s.predictions;
  std::vector<float> confidence;
  std::vector<std::uint8_t> right;
  if (p.labels == data::LabelKind::kSingle) {
    const std::vector<std::int64_t> predicted = predicted_classes(p.scores());
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      confidence.push_back(p.scores().at(i, static_cast<std::size_t>(predicted[i])));
      right.push_back(predicted[i] == p.truth[i] ? 1 : 0);
    }
  } else {
    for (std::size_t i = 0; i < p.probabilities.size(); ++i) {
      const float probability = p.probabilities[i];
      confidence.push_back(std::max(probability, 1.0F - probability));
      right.push_back((probability > 0.5F) == (p.truth_table[i] != 0) ? 1 : 0);
    }
  }
  return expected_calibration_error(confidence, right);
}

double top_k(const Summary& s, std::size_t k) {
  return top_k_accuracy(s.predictions.scores(), s.predictions.truth, k);
}

struct NamedStatistic {
  const char* key;
  const char* label;
  double (*value)(const Summary&);
};

constexpr NamedStatistic kSingle[] = {
    {"accuracy", "accuracy (top 1)", [](const Summary& s) { return top_k(s, 1); }},
    {"top5", "top 5 (all classes, when fewer)", [](const Summary& s) { return top_k(s, 5); }},
    {"f1_macro", "F1, mean of classes", macro_f1},
    {"auc_macro", "AUC one-vs-rest, mean of classes", mean_auc},
    {"ece", "expected calibration error", calibration_error},
};

constexpr NamedStatistic kMulti[] = {
    {"accuracy", "accuracy of (image, class) pairs at 0.5",
     [](const Summary& s) { return s.at_one_half.pair_accuracy; }},
    {"jaccard", "Jaccard, mean of images at 0.5",
     [](const Summary& s) { return s.at_one_half.jaccard_mean; }},
    {"auc_macro", "AUC, mean of classes", mean_auc},
    {"ece", "expected calibration error", calibration_error},
};

std::span<const NamedStatistic> statistics_of(data::LabelKind labels) {
  if (labels == data::LabelKind::kSingle) {
    return kSingle;
  }
  return kMulti;
}

}  // namespace

void number_groups(Predictions& predictions) {
  std::map<std::string, std::int64_t> numbers;
  predictions.groups.clear();
  predictions.ungrouped = 0;
  std::int64_t next = 0;
  for (const std::string& name : predictions.group_names) {
    const auto [place, is_new] = numbers.try_emplace(name, next);
    const bool own = is_new || name.empty();
    predictions.groups.push_back(own ? next : place->second);
    next += own ? 1 : 0;
    predictions.ungrouped += name.empty() ? 1 : 0;
  }
  predictions.group_count = static_cast<std::size_t>(next);
  if (predictions.ungrouped == predictions.group_names.size()) {
    predictions.groups.clear();
    predictions.group_count = predictions.ungrouped = 0;
  }
}

std::vector<double> shares_right(const Predictions& predictions) {
  std::vector<double> shares(predictions.images());
  if (predictions.labels == data::LabelKind::kSingle) {
    const std::vector<std::int64_t> predicted = predicted_classes(predictions.scores());
    for (std::size_t image = 0; image < shares.size(); ++image) {
      shares[image] = predicted[image] == predictions.truth[image] ? 1.0 : 0.0;
    }
    return shares;
  }
  for (std::size_t image = 0; image < shares.size(); ++image) {
    for (std::size_t c = 0; c < predictions.classes; ++c) {
      shares[image] +=
          (predictions.scores().at(image, c) > 0.5F) == (predictions.table().at(image, c) != 0)
              ? 1.0
              : 0.0;
    }
    shares[image] /= static_cast<double>(predictions.classes);
  }
  return shares;
}

std::span<const std::string_view> class_measures(data::LabelKind labels) {
  if (labels == data::LabelKind::kSingle) {
    return kClassMeasures;
  }
  return kThresholdedMeasures;
}

namespace {

/// Intervals of all measures, from the same draws.
void add_intervals(const Predictions& predictions, const std::vector<double>& thresholds,
                   const BootstrapOptions& bootstrap, Evaluation& result) {
  const std::span<const NamedStatistic> statistics = statistics_of(predictions.labels);
  const std::vector<Interval> intervals = bootstrap_intervals(
      result.images, predictions.groups,
      [&](std::span<const std::size_t> chosen) {
        const Predictions drawn = subset_of(predictions, chosen);
        const Summary summary = summarize(drawn, thresholds);
        std::vector<double> values;
        for (const NamedStatistic& statistic : statistics) {
          values.push_back(statistic.value(summary));
        }
        const std::vector<double> of_classes = class_values(summary);
        values.insert(values.end(), of_classes.begin(), of_classes.end());
        return values;
      },
      bootstrap);
  auto next = intervals.begin();
  for (Measure& measure : result.measures) {
    measure.interval = *next++;
  }
  const auto width = static_cast<std::ptrdiff_t>(class_measures(predictions.labels).size());
  for (; next != intervals.end(); next += width) {
    result.class_intervals.emplace_back(next, next + width);
  }
}

}  // namespace

Evaluation measure_predictions(const Predictions& predictions,
                               const std::vector<double>& thresholds,
                               const BootstrapOptions& bootstrap) {
  const bool single = predictions.labels == data::LabelKind::kSingle;
  std::vector<double> used = thresholds;
  if (!single && used.empty()) {
    used = balanced_thresholds(predictions.scores(), predictions.table());
  }
  const Summary summary = summarize(predictions, used);
  Evaluation result;
  result.images = predictions.images();
  result.groups = predictions.group_count;
  result.ungrouped = predictions.ungrouped;
  result.images_per_second = static_cast<double>(result.images) / predictions.seconds;
  for (const NamedStatistic& statistic : statistics_of(predictions.labels)) {
    result.measures.push_back({statistic.key, statistic.label, statistic.value(summary), {}});
  }
  // One group says nothing of how groups differ: every draw would be the same.
  if (bootstrap.replicates > 0 && predictions.group_count != 1) {
    add_intervals(predictions, used, bootstrap, result);
  }
  result.auc = summary.auc;
  result.confusion = summary.confusion;
  result.classes = summary.classes;
  result.thresholded = summary.thresholded;
  if (single) {
    return result;
  }
  for (std::size_t c = 0; c < predictions.classes; ++c) {
    std::vector<float> scores;
    std::vector<std::uint8_t> present;
    for (std::size_t i = 0; i < predictions.images(); ++i) {
      scores.push_back(predictions.scores().at(i, c));
      present.push_back(predictions.table().at(i, c));
    }
    result.roc.push_back(roc_curve(scores, present, RocPoints::kCorners));
  }
  return result;
}

}  // namespace probedarts::learn
