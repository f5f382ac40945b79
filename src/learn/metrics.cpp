#include "learn/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "core/errors.hpp"
#include "core/random.hpp"

namespace probedarts::learn {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double ratio(double part, double whole) { return whole == 0.0 ? kNaN : part / whole; }
double ratio(std::int64_t part, std::int64_t whole) {
  return ratio(static_cast<double>(part), static_cast<double>(whole));
}

void require_numbers(std::span<const float> scores) {
  if (std::any_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); })) {
    throw Diverged("a score of the network is NaN");
  }
}

template <class T>
void require_shape(const TableView<T>& table) {
  require(table.classes > 0 && table.values.size() % table.classes == 0,
          "a table has a full row for every image");
}

void require_same_shape(const Scores& scores, const MultiLabels& labels) {
  require_shape(scores);
  require(scores.classes == labels.classes && scores.values.size() == labels.values.size(),
          "scores and labels have the same shape");
  require_numbers(scores.values);
}

/// Class index checked against the number of classes.
std::size_t index_of(std::int64_t label, std::size_t classes) {
  require(label >= 0 && static_cast<std::uint64_t>(label) < classes, "a label is a class index");
  return static_cast<std::size_t>(label);
}

template <class T>
std::vector<T> column(const TableView<T>& table, std::size_t c) {
  std::vector<T> values(table.images());
  for (std::size_t image = 0; image < values.size(); ++image) {
    values[image] = table.at(image, c);
  }
  return values;
}

/// How many negatives and positives score at least `threshold`.
struct Cumulative {
  double threshold;
  std::int64_t negatives, positives;
};

/// One entry per distinct score, from the largest down; the last holds all.
std::vector<Cumulative> cumulate(std::span<const float> scores,
                                 std::span<const std::uint8_t> positive) {
  require(scores.size() == positive.size(), "one label for each score");
  require_numbers(scores);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<Cumulative> steps;
  std::int64_t negatives = 0;
  std::int64_t positives = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    ++(positive[order[i]] != 0 ? positives : negatives);
    const float score = scores[order[i]];
    if (i + 1 == order.size() || scores[order[i + 1]] != score) {
      steps.push_back({score, negatives, positives});
    }
  }
  return steps;
}

/// Keeps the ends and the points at which a step of either count differs from the next.
std::vector<Cumulative> corners(const std::vector<Cumulative>& steps) {
  std::vector<Cumulative> kept;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool end = i == 0 || i + 1 == steps.size();
    if (end ||
        steps[i + 1].negatives - steps[i].negatives !=
            steps[i].negatives - steps[i - 1].negatives ||
        steps[i + 1].positives - steps[i].positives !=
            steps[i].positives - steps[i - 1].positives) {
      kept.push_back(steps[i]);
    }
  }
  return kept;
}

double balanced_threshold(std::span<const float> scores, std::span<const std::uint8_t> positive) {
  constexpr double kLowest = 1.0 / 3.0;
  constexpr double kHighest = 1.0;
  const RocCurve curve = roc_curve(scores, positive, RocPoints::kCorners);
  std::size_t best = 0;
  double smallest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < curve.threshold.size(); ++i) {
    const double difference = std::abs(curve.tpr[i] - (1.0 - curve.fpr[i]));
    if (difference < smallest) {  // never true of NaN: the first point stays, whose threshold is 1
      smallest = difference;
      best = i;
    }
  }
  return std::clamp(curve.threshold[best], kLowest, kHighest);
}

/// Counts of decisions on (image, class) pairs.
struct Decisions {
  std::int64_t true_positives = 0, false_positives = 0, true_negatives = 0, false_negatives = 0;

  void add(bool predicted, bool present) {
    ++(predicted ? (present ? true_positives : false_positives)
                 : (present ? false_negatives : true_negatives));
  }
  void add(const Decisions& other) {
    true_positives += other.true_positives;
    false_positives += other.false_positives;
    true_negatives += other.true_negatives;
    false_negatives += other.false_negatives;
  }
};

ThresholdedReport report_of(const Decisions& counts, double threshold, double auc) {
  const std::int64_t positives = counts.true_positives + counts.false_negatives;
  const std::int64_t negatives = counts.true_negatives + counts.false_positives;
  ThresholdedReport report;
  report.threshold = threshold;
  report.tpr = ratio(counts.true_positives, positives);
  report.fpr = ratio(counts.false_positives, negatives);
  report.tnr = ratio(counts.true_negatives, negatives);
  report.fnr = ratio(counts.false_negatives, positives);
  report.accuracy = ratio(counts.true_positives + counts.true_negatives, positives + negatives);
  report.f1 = ratio(2 * counts.true_positives,
                    2 * counts.true_positives + counts.false_positives + counts.false_negatives);
  report.auc = auc;
  report.positives = positives;
  return report;
}

/// Images by group, groups in order of their number.
std::vector<std::vector<std::size_t>> members(std::size_t images,
                                              std::span<const std::int64_t> groups) {
  std::map<std::int64_t, std::vector<std::size_t>> by_number;
  for (std::size_t image = 0; image < images; ++image) {
    by_number[groups.empty() ? static_cast<std::int64_t>(image) : groups[image]].push_back(image);
  }
  std::vector<std::vector<std::size_t>> found;
  found.reserve(by_number.size());
  for (auto& [number, group] : by_number) {
    found.push_back(std::move(group));
  }
  return found;
}

/// Quantile of sorted values, linear between neighbours (type 7 of Hyndman & Fan, 1996).
double quantile(const std::vector<double>& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

}  // namespace

std::vector<std::int64_t> predicted_classes(const Scores& scores) {
  require_shape(scores);
  require_numbers(scores.values);
  std::vector<std::int64_t> predicted(scores.images());
  for (std::size_t image = 0; image < predicted.size(); ++image) {
    const auto row = scores.values.subspan(image * scores.classes, scores.classes);
    predicted[image] = std::max_element(row.begin(), row.end()) - row.begin();
  }
  return predicted;
}

double top_k_accuracy(const Scores& scores, SingleLabels labels, std::size_t k) {
  require_shape(scores);
  require(labels.size() == scores.images() && k > 0, "one label for each image, and k > 0");
  require_numbers(scores.values);
  std::int64_t right = 0;
  for (std::size_t image = 0; image < labels.size(); ++image) {
    const std::size_t label = index_of(labels[image], scores.classes);
    const float own = scores.at(image, label);
    std::size_t ahead = 0;
    for (std::size_t c = 0; c < scores.classes; ++c) {
      const float other = scores.at(image, c);
      ahead += other > own || (other == own && c < label) ? 1 : 0;
    }
    right += ahead < k ? 1 : 0;
  }
  return ratio(right, static_cast<std::int64_t>(labels.size()));
}

ConfusionMatrix confusion_matrix(SingleLabels labels, SingleLabels predicted, std::size_t classes) {
  require(labels.size() == predicted.size(), "one prediction for each label");
  ConfusionMatrix matrix{classes, std::vector<std::int64_t>(classes * classes, 0)};
  for (std::size_t image = 0; image < labels.size(); ++image) {
    ++matrix
          .counts[index_of(labels[image], classes) * classes + index_of(predicted[image], classes)];
  }
  return matrix;
}

std::vector<ClassReport> class_reports(const ConfusionMatrix& matrix) {
  std::vector<ClassReport> reports(matrix.classes);
  for (std::size_t c = 0; c < matrix.classes; ++c) {
    std::int64_t predicted = 0;
    for (std::size_t other = 0; other < matrix.classes; ++other) {
      predicted += matrix.at(other, c);
      reports[c].images += matrix.at(c, other);
    }
    const std::int64_t right = matrix.at(c, c);
    reports[c].precision = ratio(right, predicted);
    reports[c].recall = ratio(right, reports[c].images);
    reports[c].f1 = ratio(2 * right, predicted + reports[c].images);
  }
  return reports;
}

RocCurve roc_curve(std::span<const float> scores, std::span<const std::uint8_t> positive,
                   RocPoints points) {
  std::vector<Cumulative> steps = cumulate(scores, positive);
  const std::int64_t negatives = steps.empty() ? 0 : steps.back().negatives;
  const std::int64_t positives = steps.empty() ? 0 : steps.back().positives;
  if (points == RocPoints::kCorners) {
    steps = corners(steps);
  }
  // The origin comes after the choice of corners: it is no corner's neighbour.
  steps.insert(steps.begin(), {std::numeric_limits<double>::infinity(), 0, 0});
  RocCurve curve;
  for (const Cumulative& step : steps) {
    curve.threshold.push_back(step.threshold);
    curve.fpr.push_back(ratio(step.negatives, negatives));
    curve.tpr.push_back(ratio(step.positives, positives));
  }
  return curve;
}

double area_under_roc(std::span<const float> scores, std::span<const std::uint8_t> positive) {
  std::int64_t twice_area = 0;  // in units of one pair: integers, so no rounding
  Cumulative before{0.0, 0, 0};
  for (const Cumulative& step : cumulate(scores, positive)) {
    twice_area += (step.negatives - before.negatives) * (step.positives + before.positives);
    before = step;
  }
  return ratio(twice_area, 2 * before.negatives * before.positives);
}

std::vector<double> one_vs_rest_auc(const Scores& scores, const MultiLabels& labels) {
  require_same_shape(scores, labels);
  std::vector<double> areas;
  for (std::size_t c = 0; c < scores.classes; ++c) {
    areas.push_back(area_under_roc(column(scores, c), column(labels, c)));
  }
  return areas;
}

std::vector<std::uint8_t> one_hot(SingleLabels labels, std::size_t classes) {
  std::vector<std::uint8_t> table(labels.size() * classes, 0);
  for (std::size_t image = 0; image < labels.size(); ++image) {
    table[image * classes + index_of(labels[image], classes)] = 1;
  }
  return table;
}

MultiLabelAccuracy multi_label_accuracy(const Scores& probabilities, const MultiLabels& labels,
                                        EmptyRow empty) {
  require_same_shape(probabilities, labels);
  constexpr float kThreshold = 0.5F;
  MultiLabelAccuracy result;
  for (std::size_t image = 0; image < labels.images(); ++image) {
    Decisions row;
    for (std::size_t c = 0; c < labels.classes; ++c) {
      row.add(probabilities.at(image, c) > kThreshold, labels.at(image, c) != 0);
    }
    const std::int64_t either = row.true_positives + row.false_positives + row.false_negatives;
    result.pairs_right += row.true_positives + row.true_negatives;
    result.images_without += either == 0 ? 1 : 0;
    result.jaccard.push_back(
        either == 0 && empty == EmptyRow::kPerfect ? 1.0 : ratio(row.true_positives, either));
  }
  result.pair_accuracy = ratio(result.pairs_right, static_cast<std::int64_t>(labels.values.size()));
  result.jaccard_mean = ratio(std::accumulate(result.jaccard.begin(), result.jaccard.end(), 0.0),
                              static_cast<double>(result.jaccard.size()));
  return result;
}

std::vector<float> sigmoid(std::span<const float> logits) {
  std::vector<float> probabilities(logits.size());
  std::transform(logits.begin(), logits.end(), probabilities.begin(),
                 [](float x) { return 1.0F / (1.0F + std::exp(-x)); });
  return probabilities;
}

std::vector<double> balanced_thresholds(const Scores& probabilities, const MultiLabels& labels) {
  require_same_shape(probabilities, labels);
  std::vector<double> thresholds;
  for (std::size_t c = 0; c < labels.classes; ++c) {
    thresholds.push_back(balanced_threshold(column(probabilities, c), column(labels, c)));
  }
  return thresholds;
}

ThresholdedReports thresholded_reports(const Scores& probabilities, const MultiLabels& labels) {
  return thresholded_reports_at(probabilities, labels, balanced_thresholds(probabilities, labels));
}

ThresholdedReports thresholded_reports_at(const Scores& probabilities, const MultiLabels& labels,
                                          std::span<const double> thresholds) {
  require_same_shape(probabilities, labels);
  require(thresholds.size() == labels.classes, "one threshold for each class");
  ThresholdedReports reports;
  Decisions together;
  double weighted_auc = 0.0;
  std::int64_t positives = 0;
  for (std::size_t c = 0; c < labels.classes; ++c) {
    const std::vector<float> scores = column(probabilities, c);
    const std::vector<std::uint8_t> present = column(labels, c);
    const double threshold = thresholds[c];
    Decisions counts;
    for (std::size_t image = 0; image < scores.size(); ++image) {
      counts.add(static_cast<double>(scores[image]) >= threshold, present[image] != 0);
    }
    reports.classes.push_back(report_of(counts, threshold, area_under_roc(scores, present)));
    together.add(counts);
    positives += reports.classes.back().positives;
    weighted_auc +=
        static_cast<double>(reports.classes.back().positives) * reports.classes.back().auc;
  }
  reports.together = report_of(together, kNaN, ratio(weighted_auc, static_cast<double>(positives)));
  return reports;
}

double expected_calibration_error(std::span<const float> confidence,
                                  std::span<const std::uint8_t> right, std::size_t bins) {
  require(confidence.size() == right.size() && bins > 0, "one decision for each confidence");
  require_numbers(confidence);
  std::vector<double> gap(bins, 0.0);  // n_b (share right - mean confidence)
  for (std::size_t i = 0; i < confidence.size(); ++i) {
    const double value = confidence[i];
    require(value >= 0.0 && value <= 1.0, "a confidence lies in [0, 1]");
    const double upper = std::ceil(value * static_cast<double>(bins));  // bins are (low, high]
    const auto bin = static_cast<std::size_t>(std::max(upper, 1.0)) - 1;
    gap[bin] += (right[i] != 0 ? 1.0 : 0.0) - value;
  }
  double sum = 0.0;
  for (const double of_bin : gap) {
    sum += std::abs(of_bin);
  }
  return ratio(sum, static_cast<double>(confidence.size()));
}

Interval bootstrap_interval(std::size_t images, std::span<const std::int64_t> groups,
                            const std::function<double(std::span<const std::size_t>)>& statistic,
                            const BootstrapOptions& options) {
  return bootstrap_intervals(
             images, groups,
             [&](std::span<const std::size_t> drawn) {
               return std::vector<double>{statistic(drawn)};
             },
             options)
      .front();
}

std::vector<Interval> bootstrap_intervals(
    std::size_t images, std::span<const std::int64_t> groups,
    const std::function<std::vector<double>(std::span<const std::size_t>)>& statistics,
    const BootstrapOptions& options) {
  require(images > 0 && (groups.empty() || groups.size() == images), "one group for each image");
  require(options.replicates > 0 && options.level > 0.0 && options.level < 1.0,
          "the bootstrap needs replicates and a level between 0 and 1");
  const std::vector<std::vector<std::size_t>> units = members(images, groups);
  std::vector<std::vector<double>> defined;  // of each statistic
  std::vector<std::size_t> drawn;
  for (std::size_t replicate = 0; replicate < options.replicates; ++replicate) {
    Stream stream(options.seed, "bootstrap", 0, replicate);
    drawn.clear();
    for (std::size_t i = 0; i < units.size(); ++i) {
      const std::vector<std::size_t>& unit = units[stream.below(units.size())];
      drawn.insert(drawn.end(), unit.begin(), unit.end());
    }
    const std::vector<double> values = statistics(drawn);
    defined.resize(values.size());
    for (std::size_t s = 0; s < values.size(); ++s) {
      if (!std::isnan(values[s])) {
        defined[s].push_back(values[s]);
      }
    }
  }
  const double tail = (1.0 - options.level) / 2.0;
  std::vector<Interval> intervals;
  for (std::vector<double>& values : defined) {
    std::sort(values.begin(), values.end());
    intervals.push_back({values.empty() ? kNaN : quantile(values, tail),
                         values.empty() ? kNaN : quantile(values, 1.0 - tail),
                         options.replicates - values.size()});
  }
  return intervals;
}

}  // namespace probedarts::learn
