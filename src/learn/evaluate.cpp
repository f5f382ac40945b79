#include "learn/evaluate.hpp"

#include <map>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <ATen/core/Tensor.h>

#include "core/errors.hpp"
#include "core/progress.hpp"
#include "learn/patches.hpp"
#include "nets/choose_executor.hpp"

namespace probedarts::learn {
namespace {

bool are_numbers(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] != std::to_string(i)) {
      return false;
    }
  }
  return true;
}

/// A model's numbers mean what its own classes mean; names that were never given are not compared.
void require_same_classes(const ModelCard& card, const data::PatchCache& cache,
                          const std::string& data) {
  const std::vector<std::string>& theirs = cache.classes();
  if (theirs.size() != card.classes.size()) {
    throw UserError(fmt::format(
        "data set '{}' has {} classes and the model {}; evaluate it on data with its own classes",
        data, theirs.size(), card.classes.size()));
  }
  for (std::size_t c = 0; c < theirs.size() && !are_numbers(card.classes); ++c) {
    if (theirs[c] != card.classes[c]) {
      throw UserError(
          fmt::format("class {} is '{}' in data set '{}' and '{}' in the model; evaluate it on "
                      "data with its own classes",
                      c, theirs[c], data, card.classes[c]));
    }
  }
  if (cache.kind() != card.labels) {
    const auto word = [](data::LabelKind kind) {
      return kind == data::LabelKind::kSingle ? "one label" : "several labels";
    };
    throw UserError(
        fmt::format("data set '{}' has {} an image and the model was made for {}; use --labels if "
                    "that is wrong",
                    data, word(cache.kind()), word(card.labels)));
  }
}

/// Groups as numbers; none unless every image has one.
void take_groups(const data::PatchCache& cache, data::Split split, Predictions& predictions) {
  std::map<std::string, std::int64_t> numbers;
  for (std::size_t i = 0; i < cache.count(split); ++i) {
    const std::string& group = cache.group(split, i);
    if (group.empty()) {
      predictions.groups.clear();
      return;
    }
    const auto next = static_cast<std::int64_t>(numbers.size());
    predictions.groups.push_back(numbers.try_emplace(group, next).first->second);
  }
  predictions.group_count = numbers.size();
}

void take_truth(const data::PatchCache& cache, data::Split split, Predictions& predictions) {
  for (std::size_t i = 0; i < cache.count(split); ++i) {
    if (predictions.labels == data::LabelKind::kSingle) {
      predictions.truth.push_back(cache.label(split, i));
    } else {
      const auto& labels = cache.labels(split, i);
      predictions.truth_table.insert(predictions.truth_table.end(), labels.begin(), labels.end());
    }
  }
  if (predictions.labels == data::LabelKind::kSingle) {
    predictions.truth_table = one_hot(predictions.truth, predictions.classes);
  }
}

class Evaluator {
 public:
  Evaluator(const EvaluateConfig& config, TrainedModel& model, nets::Executor& executor)
      : config_(config), model_(model), executor_(executor) {}

  Predictions predict(const OpenedPatches& opened, data::Split split) {
    const data::PatchCache& cache = opened.cache;
    Predictions result;
    result.labels = model_.card.labels;
    result.classes = model_.card.classes.size();
    result.names = image_names(opened, split);
    data::Loader loader(
        cache, split, all_of(cache, split),
        in_order(loader_options(config_, config_, config_.batch, model_.card.normalization)));
    Progress bar(fmt::format("{} px", cache.size_px()), cache.count(split), 0);
    const double start = monotonic_seconds();
    loader.start_epoch(0);
    while (const auto batch = next_batch(loader, cache, nets::Precision::kFloat32)) {
      append(batch->tensors.images, result);
      bar.advance(static_cast<std::size_t>(batch->tensors.count()));
    }
    result.seconds = monotonic_seconds() - start;
    take_truth(cache, split, result);
    take_groups(cache, split, result);
    return result;
  }

 private:
  void append(const at::Tensor& images, Predictions& result) {
    const at::Tensor logits =
        executor_.forward(model_.state, images, {nets::Mode::kEvaluate, nets::Wanted::kNothing})
            .main.contiguous();
    const at::Tensor probabilities =
        result.labels == data::LabelKind::kSingle ? logits.softmax(1) : logits.sigmoid();
    const auto take = [](const at::Tensor& from, std::vector<float>& to) {
      to.insert(to.end(), from.data_ptr<float>(), from.data_ptr<float>() + from.numel());
    };
    const std::size_t first = result.logits.size() / result.classes;
    take(logits, result.logits);
    for (std::size_t i = first; i < result.logits.size() / result.classes; ++i) {
      require_answer(model_, std::span(result.logits).subspan(i * result.classes, result.classes),
                     result.names[i]);
    }
    take(probabilities, result.probabilities);
  }

  const EvaluateConfig& config_;
  TrainedModel& model_;
  nets::Executor& executor_;
};

std::vector<double> thresholds_of(const Predictions& predictions) {
  std::vector<double> thresholds;
  for (const ThresholdedReport& report :
       thresholded_reports(predictions.scores(), predictions.table()).classes) {
    thresholds.push_back(report.threshold);
  }
  return thresholds;
}

void require_images(const OpenedPatches& opened, data::Split split, const std::string& data,
                    const char* flag) {
  if (opened.cache.count(split) == 0) {
    throw UserError(
        fmt::format("data set '{}' has no image in its {} split; choose another with {}", data,
                    data::name_of(split), flag));
  }
}

/// What the data say of themselves, for checkpoints that say nothing.
ModelCard card_of_data(const data::Dataset& dataset) {
  ModelCard card;
  card.classes = dataset.classes;
  card.labels = dataset.kind;
  return card;
}

}  // namespace

void validate(const EvaluateConfig& config) {
  DataOptions data = config;
  data.normalize = "none";  // the model's
  validate(data);
  validate(static_cast<const RunOptions&>(config));
  data::split_of_flag(config.split);
  check_choice("threshold-from", config.threshold_from, {"split", "valid"});
  check_range("valid-share", config.valid_share, 0.0, 0.9);
  check_range("batch", config.batch, 1, 65536);
  check_range("bootstrap", config.bootstrap, 0, 1000000);
}

EvaluatedModel evaluate_model(const EvaluateConfig& config, const std::vector<int>& sizes) {
  checkpoint_of(config.model);
  validate(config);
  const data::Split split = data::split_of_flag(config.split);
  EvaluateConfig own = config;
  EvaluatedModel result;
  const ModelCard known = card_of_data(dataset_of(config, config, config.valid_share));
  TrainedModel model = open_model(config.model, &known);
  const nets::ChosenExecutor executor = model.network->make_executor(
      config.executor, nets::Precision::kFloat32, config.threads, config.seed);
  Evaluator evaluator(config, model, *executor.executor);
  for (const int size : sizes.empty() ? std::vector<int>{model.card.size} : sizes) {
    check_range("size", size, 8, 4096);
    model.network->require_image_size(size);
    own.size = size;
    const OpenedPatches opened = open_patches(own, own, config.valid_share);
    require_same_classes(model.card, opened.cache, config.data);
    require_images(opened, split, config.data, "--split");
    std::vector<double> thresholds;
    if (model.card.labels == data::LabelKind::kMulti && config.threshold_from == "valid") {
      require_images(opened, data::Split::kValid, config.data, "--threshold-from split");
      thresholds = thresholds_of(evaluator.predict(opened, data::Split::kValid));
    }
    Predictions predictions = evaluator.predict(opened, split);
    BootstrapOptions bootstrap;
    bootstrap.seed = config.seed;
    bootstrap.replicates = static_cast<std::size_t>(config.bootstrap);
    result.evaluations.push_back(measure_predictions(predictions, thresholds, bootstrap));
    result.evaluations.back().size_px = size;
    result.predictions.push_back(std::move(predictions));
  }
  result.card = model.card;
  result.checkpoint = model.path;
  return result;
}

}  // namespace probedarts::learn
