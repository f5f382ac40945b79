#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

/// How good a network's predictions are. Plain numbers in, plain numbers out; no LibTorch, no
/// files. Every function throws Diverged for a score that is NaN, and Bug for tables whose sizes
/// disagree. A ratio whose denominator is 0 is NaN, not 0: "no such image" is no result.
namespace probedarts::learn {

/// A view of numbers for [images, classes], row-major.
template <class T>
struct TableView {
  std::span<const T> values;
  std::size_t classes = 1;

  std::size_t images() const { return values.size() / classes; }
  T at(std::size_t image, std::size_t c) const { return values[image * classes + c]; }
};

using Scores = TableView<float>;                     ///< logits or probabilities
using MultiLabels = TableView<std::uint8_t>;         ///< 1 where the class is present, else 0
using SingleLabels = std::span<const std::int64_t>;  ///< one class index an image

// ---- one label an image --------------------------------------------------------------------

/// Class of the largest score of each image; of equal ones the lowest index.
std::vector<std::int64_t> predicted_classes(const Scores& scores);

/// Share of images, in [0, 1], whose true class is among the k largest scores; of equal scores the
/// lower class index comes first. NaN without images. \param k  >= 1; beyond `classes` it gives 1.
/// Cost: O(images * classes).
double top_k_accuracy(const Scores& scores, SingleLabels labels, std::size_t k);

/// counts[truth * classes + predicted].
struct ConfusionMatrix {
  std::size_t classes = 0;
  std::vector<std::int64_t> counts;

  std::int64_t at(std::size_t truth, std::size_t predicted) const {
    return counts[truth * classes + predicted];
  }
};

/// Counts what was predicted for images of each class. \param labels, predicted  a class index each
ConfusionMatrix confusion_matrix(SingleLabels labels, SingleLabels predicted, std::size_t classes);

/// How one class fared: precision = TP / (TP + FP), recall = TP / (TP + FN), their harmonic mean
/// f1 = 2 TP / (2 TP + FP + FN).
struct ClassReport {
  double precision = 0.0;   ///< NaN when the class was never predicted
  double recall = 0.0;      ///< NaN when no image has the class
  double f1 = 0.0;          ///< NaN when neither
  std::int64_t images = 0;  ///< with this true class
};

/// One report a class, in their order.
std::vector<ClassReport> class_reports(const ConfusionMatrix& matrix);

// ---- ranking -------------------------------------------------------------------------------

/// Which points of a ROC curve are kept.
enum class RocPoints {
  kAll,      ///< one per distinct score
  kCorners,  ///< without those whose neighbours lie in the same direction (scikit-learn's
             ///< `drop_intermediate`, which compares steps of counts, not slopes)
};

/// ROC curve of one class: shares of negatives (fpr) and positives (tpr) with score >= threshold,
/// for falling thresholds. Starts at (0, 0), whose threshold is infinite. NaN in `fpr` without
/// negatives, in `tpr` without positives.
struct RocCurve {
  std::vector<double> threshold, fpr, tpr;
};

/// \param positive  0/1, as long as `scores`. Cost: O(n log n).
RocCurve roc_curve(std::span<const float> scores, std::span<const std::uint8_t> positive,
                   RocPoints points);

/// Area under the ROC curve: the probability that a positive scores above a negative, ties counted
/// half (Hanley & McNeil, Radiology 143, 1982). Exact but for one division. NaN unless both occur.
double area_under_roc(std::span<const float> scores, std::span<const std::uint8_t> positive);

/// The area for each class against all others.
std::vector<double> one_vs_rest_auc(const Scores& scores, const MultiLabels& labels);

/// 0/1 columns of single labels, the form that one-vs-rest measures take; row-major.
std::vector<std::uint8_t> one_hot(SingleLabels labels, std::size_t classes);

// ---- several labels an image ---------------------------------------------------------------

/// What an image with neither label nor prediction counts for in the Jaccard mean.
enum class EmptyRow {
  kUndefined,  ///< NaN, which spoils the mean: as the paper's evaluation code has it
  kPerfect,    ///< 1: nothing was there and nothing was said
};

/// Agreement of 0/1 predictions with 0/1 labels (docs/method.md, "Measures"): on ADP and BCSS the
/// paper's "Acc" is `pair_accuracy`.
struct MultiLabelAccuracy {
  std::int64_t pairs_right = 0;     ///< (image, class) pairs that agree, zeros included
  double pair_accuracy = 0.0;       ///< their share
  std::vector<double> jaccard;      ///< of each image: |predicted and true| / |predicted or true|
  double jaccard_mean = 0.0;        ///< over images
  std::int64_t images_without = 0;  ///< with neither label nor prediction
};

/// \param probabilities  a class is predicted when its probability is strictly above 0.5.
MultiLabelAccuracy multi_label_accuracy(const Scores& probabilities, const MultiLabels& labels,
                                        EmptyRow empty);

/// 1 / (1 + exp(-x)) in float32.
std::vector<float> sigmoid(std::span<const float> logits);

/// One class at its own threshold, or all classes together.
struct ThresholdedReport {
  double threshold = 0.0;  ///< NaN for all classes together
  double tpr = 0.0, fpr = 0.0, tnr = 0.0, fnr = 0.0;
  double accuracy = 0.0, f1 = 0.0;
  double auc = 0.0;
  std::int64_t positives = 0;
};

struct ThresholdedReports {
  std::vector<ThresholdedReport> classes;
  /// From the pooled counts of all pairs; `auc` is the mean of the classes' areas weighted by
  /// their positives, NaN if one of them is.
  ThresholdedReport together;
};

/// Threshold of each class where TPR and 1 - FPR are closest (docs/method.md, "Measures"), and what
/// it gives. Candidates are the corners of the ROC curve from (0, 0) on, the first of equals is
/// taken, and the threshold is kept within [1/3, 1]. A class without positives or without negatives
/// has no such point: its threshold is 1 and its area NaN. A class is predicted at
/// probability >= threshold. Source: the evaluation code of the paper, on scikit-learn 1.2.
ThresholdedReports thresholded_reports(const Scores& probabilities, const MultiLabels& labels);

/// Those thresholds alone, one a class.
std::vector<double> balanced_thresholds(const Scores& probabilities, const MultiLabels& labels);

/// The same at thresholds found elsewhere, for example on a validation split.
/// \param thresholds  one a class.
ThresholdedReports thresholded_reports_at(const Scores& probabilities, const MultiLabels& labels,
                                          std::span<const double> thresholds);

// ---- trust ---------------------------------------------------------------------------------

/// Expected calibration error: over equal bins of confidence in (0, 1],
///     ECE = sum_b n_b / n |share right in b - mean confidence in b|.
/// Source: Guo et al., "On calibration of modern neural networks", ICML 2017, sec. 2; 15 bins
/// there. \param confidence  in [0, 1]; 0 falls in the first bin. \param right  0/1. NaN when
/// empty.
double expected_calibration_error(std::span<const float> confidence,
                                  std::span<const std::uint8_t> right, std::size_t bins = 15);

struct BootstrapOptions {
  std::uint64_t seed = 0;
  std::size_t replicates = 1000;
  double level = 0.95;  ///< in (0, 1)
};

struct Interval {
  double low = 0.0, high = 0.0;  ///< NaN when no replicate has a value
  std::size_t undefined = 0;     ///< replicates whose statistic was NaN; left out
};

/// Percentile bootstrap interval of a statistic of a set of images (Efron & Tibshirani, "An
/// introduction to the bootstrap", 1993, ch. 13). Images are drawn with replacement; with groups
/// (patients, slides) whole groups are, as many as there are, since images of one patient are not
/// independent. Replicate r depends on (seed, r) alone.
///
/// \param images     how many there are, > 0.
/// \param groups     group of each image, any numbers; empty: every image by itself.
/// \param statistic  of the images with these indices, repeats included.
Interval bootstrap_interval(std::size_t images, std::span<const std::int64_t> groups,
                            const std::function<double(std::span<const std::size_t>)>& statistic,
                            const BootstrapOptions& options);

/// The same of several statistics of the same draws. \param statistics  always as many numbers.
std::vector<Interval> bootstrap_intervals(
    std::size_t images, std::span<const std::int64_t> groups,
    const std::function<std::vector<double>(std::span<const std::size_t>)>& statistics,
    const BootstrapOptions& options);

}  // namespace probedarts::learn
