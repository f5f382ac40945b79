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

double mean_auc(const Predictions& p) {
  return mean_of_defined(one_vs_rest_auc(p.scores(), p.table()));
}

double macro_f1(const Predictions& p) {
  std::vector<double> f1;
  for (const ClassReport& report :
       class_reports(confusion_matrix(p.truth, predicted_classes(p.scores()), p.classes))) {
    f1.push_back(report.f1);
  }
  return mean_of_defined(f1);
}

/// Of one label: confidence in the predicted class. Of several: of each (image, class) decision.
double calibration_error(const Predictions& p) {
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

struct NamedStatistic {
  const char* key;
  const char* label;
  double (*value)(const Predictions&);
};

constexpr NamedStatistic kSingle[] = {
    {"accuracy", "accuracy (top 1)",
     [](const Predictions& p) { return top_k_accuracy(p.scores(), p.truth, 1); }},
    {"top5", "top 5 (all classes, when fewer)",
     [](const Predictions& p) { return top_k_accuracy(p.scores(), p.truth, 5); }},
    {"f1_macro", "F1, mean of classes", macro_f1},
    {"auc_macro", "AUC one-vs-rest, mean of classes", mean_auc},
    {"ece", "expected calibration error", calibration_error},
};

constexpr NamedStatistic kMulti[] = {
    {"accuracy", "accuracy of (image, class) pairs at 0.5",
     [](const Predictions& p) {
       return multi_label_accuracy(p.scores(), p.table(), EmptyRow::kPerfect).pair_accuracy;
     }},
    {"jaccard", "Jaccard, mean of images at 0.5",
     [](const Predictions& p) {
       return multi_label_accuracy(p.scores(), p.table(), EmptyRow::kPerfect).jaccard_mean;
     }},
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

Evaluation measure_predictions(const Predictions& predictions,
                               const std::vector<double>& thresholds,
                               const BootstrapOptions& bootstrap) {
  Evaluation result;
  result.images = predictions.images();
  result.groups = predictions.group_count;
  result.ungrouped = predictions.ungrouped;
  result.images_per_second = static_cast<double>(result.images) / predictions.seconds;
  for (const NamedStatistic& statistic : statistics_of(predictions.labels)) {
    Measure measure{statistic.key, statistic.label, statistic.value(predictions), {}};
    // One group says nothing of how groups differ: every draw would be the same.
    if (bootstrap.replicates > 0 && predictions.group_count != 1) {
      measure.interval = bootstrap_interval(
          result.images, predictions.groups,
          [&](std::span<const std::size_t> chosen) {
            return statistic.value(subset_of(predictions, chosen));
          },
          bootstrap);
    }
    result.measures.push_back(std::move(measure));
  }
  result.auc = one_vs_rest_auc(predictions.scores(), predictions.table());
  if (predictions.labels == data::LabelKind::kSingle) {
    result.confusion = confusion_matrix(predictions.truth, predicted_classes(predictions.scores()),
                                        predictions.classes);
    result.classes = class_reports(*result.confusion);
    return result;
  }
  result.thresholded =
      thresholds.empty()
          ? thresholded_reports(predictions.scores(), predictions.table())
          : thresholded_reports_at(predictions.scores(), predictions.table(), thresholds);
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
