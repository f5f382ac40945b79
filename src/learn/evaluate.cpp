#include "learn/evaluate.hpp"

#include <span>
#include <utility>

#include <fmt/format.h>

#include <ATen/core/Tensor.h>

#include "core/errors.hpp"
#include "core/progress.hpp"
#include "data/split_stream.hpp"
#include "learn/patches.hpp"
#include "nets/choose_executor.hpp"

namespace probedarts::learn {
namespace {

/// A model's numbers mean what its own classes mean; names that were never given are not compared.
void require_same_classes(const ModelCard& card, const data::Dataset& dataset,
                          const std::string& data) {
  const std::vector<std::string>& theirs = dataset.classes;
  if (theirs.size() != card.classes.size()) {
    throw UserError(fmt::format(
        "data set '{}' has {} classes and the model {}; evaluate it on data with its own classes",
        data, theirs.size(), card.classes.size()));
  }
  for (std::size_t c = 0; c < theirs.size() && are_names(card.classes); ++c) {
    if (theirs[c] != card.classes[c]) {
      throw UserError(
          fmt::format("class {} is '{}' in data set '{}' and '{}' in the model; evaluate it on "
                      "data with its own classes",
                      c, theirs[c], data, card.classes[c]));
    }
  }
  if (dataset.kind != card.labels) {
    const auto word = [](data::LabelKind kind) {
      return kind == data::LabelKind::kSingle ? "one label" : "several labels";
    };
    throw UserError(
        fmt::format("data set '{}' has {} an image and the model was made for {}; use --labels if "
                    "that is wrong",
                    data, word(dataset.kind), word(card.labels)));
  }
}

void take_truth(const std::vector<const data::Sample*>& samples, Predictions& predictions) {
  for (const data::Sample* sample : samples) {
    if (predictions.labels == data::LabelKind::kSingle) {
      predictions.truth.push_back(sample->label);
    } else {
      predictions.truth_table.insert(predictions.truth_table.end(), sample->labels.begin(),
                                     sample->labels.end());
    }
    predictions.group_names.push_back(sample->group);
  }
  if (predictions.labels == data::LabelKind::kSingle) {
    predictions.truth_table = one_hot(predictions.truth, predictions.classes);
  }
}

void tell_unreadable(const std::vector<data::Sample>& samples,
                     const std::vector<std::size_t>& places) {
  std::vector<std::string> files;
  for (const std::size_t place : places) {
    files.push_back(samples[place].file.string());
  }
  print_unreadable(files);
}

class Evaluator {
 public:
  Evaluator(const EvaluateConfig& config, TrainedModel& model, nets::Executor& executor)
      : config_(config), model_(model), executor_(executor) {}

  Predictions predict(const data::Dataset& dataset, data::Split split, int size_px) {
    Predictions result;
    result.labels = model_.card.labels;
    result.classes = model_.card.classes.size();
    const std::vector<data::Sample>& all = dataset.of(split);
    std::vector<const data::Sample*> samples;
    Progress bar(fmt::format("{} px", size_px), all.size(), 0);
    const double start = monotonic_seconds();
    data::SplitStream stream(dataset, split, cache_options(config_, config_, size_px),
                             {static_cast<std::size_t>(config_.batch), model_.card.normalization,
                              config_.loader_threads});
    while (auto batch = stream.next()) {
      for (const std::size_t place : batch->indices) {
        samples.push_back(&all[place]);
        result.names.push_back(data::image_name(dataset, all[place]));
      }
      append(images_tensor(*batch), result);
      bar.advance(batch->count);
    }
    result.seconds = monotonic_seconds() - start;
    tell_unreadable(all, stream.unreadable());
    if (samples.empty()) {
      throw UserError(fmt::format("{}: none of the {} {} images can be read; restore them",
                                  dataset.root.string(), all.size(), data::name_of(split)));
    }
    take_truth(samples, result);
    number_groups(result);
    if (result.group_count == 1) {
      print_line(fmt::format(
          "all images of split {} are of one group, so there are no intervals over groups",
          data::name_of(split)));
    }
    if (result.ungrouped != 0) {
      print_line(
          fmt::format("{} of {} images of split {} have no group; each counts as one of its own",
                      result.ungrouped, samples.size(), data::name_of(split)));
    }
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

void require_images(const data::Dataset& dataset, data::Split split, const std::string& data,
                    const char* flag) {
  if (dataset.of(split).empty()) {
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
  EvaluatedModel result;
  const data::Dataset dataset = dataset_of(config, config, config.valid_share);
  const ModelCard known = card_of_data(dataset);
  TrainedModel model = open_model(config.model, &known);
  require_same_classes(model.card, dataset, config.data);
  require_images(dataset, split, config.data, "--split");
  const bool from_valid = config.threshold_from == "valid";
  if (from_valid && model.card.labels == data::LabelKind::kSingle) {
    throw UserError("--threshold-from: images of one label have no thresholds; leave it out");
  }
  if (from_valid) {
    require_images(dataset, data::Split::kValid, config.data, "--threshold-from split");
  }
  const nets::ChosenExecutor executor = model.network->make_executor(
      config.executor, nets::Precision::kFloat32, config.threads, config.seed);
  Evaluator evaluator(config, model, *executor.executor);
  const std::vector<int> wanted = sizes.empty() ? std::vector<int>{model.card.size} : sizes;
  for (const int size : wanted) {  // all before any is evaluated
    check_range("size", size, 8, 4096);
    model.network->require_image_size(size);
  }
  for (const int size : wanted) {
    std::vector<double> thresholds;
    if (from_valid) {
      const Predictions valid = evaluator.predict(dataset, data::Split::kValid, size);
      thresholds = balanced_thresholds(valid.scores(), valid.table());
    }
    Predictions predictions = evaluator.predict(dataset, split, size);
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
