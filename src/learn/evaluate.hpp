#pragma once

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "learn/metrics.hpp"
#include "learn/model_card.hpp"
#include "learn/options.hpp"

/// How good a trained network is on a split of a data set (docs/evaluate.md).
namespace probedarts::learn {

/// Every option of an evaluation; sizes have a flag of their own.
struct EvaluateConfig : DataOptions, RunOptions {
  ModelRequest model;
  double valid_share = 0.0;
  std::string split = "test";
  std::string threshold_from = "split";
  int batch = 32;
  int bootstrap = 1000;
};

template <class Config, class Visit>
void visit_model_options(Config& c, Visit& visit) {
  visit("checkpoint", c.checkpoint, "file with weights, of probedarts or of PyTorch");
  visit_network_options(c.network, visit);
  visit("classes", c.classes,
        "names of the classes, or their number; default: what the model says");
  visit("labels", c.labels, "auto (what the model says), single or multi");
  visit(
      "normalize", c.normalize,
      "of the images, a published one (cifar10, cifar100, adp, bcss, bach, osteosarcoma, imagenet, "
      "none) or numbers R,G,B/R,G,B; default: what the model says");
}

template <class Config, class Visit>
requires std::same_as<std::remove_const_t<Config>, EvaluateConfig>
void for_each_option(Config& c, Visit&& visit) {
  visit_model_options(c.model, visit);
  visit_source_options(c, visit);
  visit("valid-share", c.valid_share,
        "share of the train split set apart for validation where the data have no valid split");
  visit("split", c.split, "train, valid or test");
  visit("threshold-from", c.threshold_from,
        "several labels: find each class's threshold on the split itself, as the paper does, or on "
        "valid");
  visit("batch", c.batch, "images in a mini-batch");
  visit("bootstrap", c.bootstrap, "resamplings for the 95 % intervals; 0: none");
  visit("seed", c.seed, "of the bootstrap, and of the run's valid share");
  visit("threads", c.threads, "CPU threads");
  visit("loader-threads", c.loader_threads, "threads that prepare mini-batches ahead");
  visit("executor", c.executor, "auto, composed (plain LibTorch) or fused");
}

/// \throws UserError one sentence naming the flag.
void validate(const EvaluateConfig& config);

/// What a network says about the images of a split.
struct Predictions {
  data::LabelKind labels = data::LabelKind::kSingle;
  std::size_t classes = 0;
  std::vector<std::string> names;         ///< of the images
  std::vector<float> logits;              ///< [images, classes]
  std::vector<float> probabilities;       ///< softmax, or sigmoid for several labels
  std::vector<std::int64_t> truth;        ///< single: [images]
  std::vector<std::uint8_t> truth_table;  ///< 0/1 [images, classes], for both kinds
  std::vector<std::int64_t> groups;       ///< [images], or empty when none is known
  std::vector<std::string> group_names;   ///< [images], "" where it is not known
  std::size_t group_count = 0;
  std::size_t ungrouped = 0;  ///< images without a group among others with: each one of its own
  /// Of the pass: looking for a cache and checking it, or reading and decoding the images, and the
  /// network's own work, which overlap.
  double seconds = 0.0;

  std::size_t images() const { return names.size(); }
  Scores scores() const { return {probabilities, classes}; }
  MultiLabels table() const { return {truth_table, classes}; }
};

/// One number with its name and, where asked for, its interval.
struct Measure {
  std::string key;    ///< "accuracy"
  std::string label;  ///< "accuracy (top 1)"
  double value = 0.0;
  std::optional<Interval> interval;
};

/// All measures of predictions (docs/method.md, "Measures").
struct Evaluation {
  int size_px = 0;
  std::size_t images = 0, groups = 0, ungrouped = 0;
  double images_per_second = 0.0;
  std::vector<Measure> measures;
  std::vector<double> auc;  ///< one-vs-rest, one a class
  // single label
  std::optional<ConfusionMatrix> confusion;
  std::vector<ClassReport> classes;
  // several labels
  std::optional<ThresholdedReports> thresholded;
  std::vector<RocCurve> roc;  ///< one a class
  /// Intervals of each class's `class_measures`, and of several labels at last those of all classes
  /// together; in every draw at the same thresholds. Empty where there are none.
  std::vector<std::vector<Interval>> class_intervals;
};

/// Keys of what is measured of a class: precision, recall, f1, auc; of several labels tpr, fpr,
/// tnr, fnr, accuracy, f1, auc.
std::span<const std::string_view> class_measures(data::LabelKind labels);

/// Fills `groups`, `group_count` and `ungrouped` from `group_names`. An image without a name is a
/// group of its own; where none has one, there are no groups.
void number_groups(Predictions& predictions);

/// Measures of predictions. \param thresholds  one a class for several labels, or empty: found
/// here.
Evaluation measure_predictions(const Predictions& predictions,
                               const std::vector<double>& thresholds,
                               const BootstrapOptions& bootstrap);

/// How right each image's prediction is: of one label 1 or 0; of several the share of classes right
/// at 0.5. The mean is the measure "accuracy". \returns [images], in 0..1.
std::vector<double> shares_right(const Predictions& predictions);

/// An evaluation with what it was made of.
struct EvaluatedModel {
  ModelCard card;
  std::string checkpoint;
  std::vector<Evaluation> evaluations;   ///< one a size
  std::vector<Predictions> predictions;  ///< likewise
};

/// Opens the model and the data, predicts the split at each size, and measures. Images are decoded
/// while the network computes, those of the split alone (data::SplitStream); a training's cache is
/// used where there is one of that size, and none is made.
/// \param sizes  px; empty: the size the model was trained at.
/// \throws UserError when the model does not fit the data, and for an empty split.
EvaluatedModel evaluate_model(const EvaluateConfig& config, const std::vector<int>& sizes);

}  // namespace probedarts::learn
