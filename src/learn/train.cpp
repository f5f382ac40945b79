#include "learn/train.hpp"

#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <ATen/ops/zeros_like.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "data/equal_patches.hpp"
#include "exchange/read_checkpoint.hpp"
#include "learn/drop_path.hpp"
#include "learn/patches.hpp"
#include "learn/probe_network.hpp"
#include "learn/run_record.hpp"
#include "learn/train_checkpoint.hpp"
#include "learn/weight_rates.hpp"
#include "learn/weight_step.hpp"
#include "nets/choose_executor.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

/// The train split to learn from and the valid split to choose the best epoch by.
class TrainData {
 public:
  explicit TrainData(const TrainConfig& config)
      : precision_(precision_of(config)),
        opened_(open_patches(config, config, config.valid_share)),
        normalization_(normalization_of(config, cache())) {
    if (cache().count(data::Split::kValid) == 0) {
      throw UserError(fmt::format(
          "data set '{}' has no valid split to choose the best epoch by; add one, or set images of "
          "the train split apart with --valid-share",
          config.data));
    }
    if (const auto sentence = data::shared_images_sentence(opened_.dataset, cache())) {
      print_line("warning: " + *sentence);
    }
    const data::LoaderOptions options =
        loader_options(config, config, config.batch, normalization_);
    data::LoaderOptions learning = options;
    // A last batch of one image has no batch statistics once a map has shrunk to one pixel.
    learning.drop_last = cache().count(data::Split::kTrain) % learning.batch == 1;
    train_.emplace(cache(), data::Split::kTrain, all_of(cache(), data::Split::kTrain), learning);
    valid_.emplace(cache(), data::Split::kValid, all_of(cache(), data::Split::kValid),
                   in_order(options));
  }

  const data::PatchCache& cache() const { return opened_.cache; }
  const std::string& layout() const { return opened_.dataset.layout; }
  const data::Normalization& normalization() const { return normalization_; }
  int classes() const { return static_cast<int>(cache().classes().size()); }
  data::Loader& train() { return *train_; }
  data::Loader& valid() { return *valid_; }
  std::optional<OwnedBatch> next_train() { return next_batch(*train_, cache(), precision_); }

 private:
  nets::Precision precision_;
  OpenedPatches opened_;
  data::Normalization normalization_;
  std::optional<data::Loader> train_, valid_;
};

/// A training with everything it needs in memory; both ways to begin one end here.
class Training {
 public:
  explicit Training(const TrainConfig& config)
      : config_(config),
        data_(config),
        objective_(objective_of(data_.cache(), all_of(data_.cache(), data::Split::kTrain))),
        network_(describe_network(config, data_.classes(), config.auxiliary)),
        executor_(network_.make_executor(config.executor, precision_of(config), config.threads,
                                         config.seed)),
        learner_(network_.table(), *executor_.executor, objective_,
                 {{config.momentum, config.weight_decay}, config.clip, config.auxiliary_weight}),
        rates_(config, network_.table()) {
    card_ = {network_.description(), data_.cache().classes(), data_.cache().kind(),
             data_.normalization(), config.size};
  }

  void begin(const std::filesystem::path& out, RunFolder::IfExists if_exists) {
    now_.network = nets::initial_state(network_.table(), precision_of(config_), config_.seed);
    if (!config_.init.empty()) {
      start_from_checkpoint();
    }
    now_.momentum = at::zeros_like(now_.network.weights);
    now_.fingerprint = data_.cache().fingerprint();
    folder_.emplace(RunFolder::create(out, if_exists));
    write_file_atomically(folder_->config_toml(), to_toml(config_));
    save();
    // run.json comes last: a folder that has it can be resumed.
    write_file_atomically(folder_->run_json(), run_json(head(out.filename().string()),
                                                        network_.table(), network_.cells()));
  }

  void take_up(RunFolder folder) {
    now_ = load_train_checkpoint(folder.checkpoint(), network_.table(), precision_of(config_));
    require_same_data(data_.cache(), now_.fingerprint, config_);
    rates_.restore(now_.adas, folder.checkpoint().string());
    folder.truncate_epochs(now_.progress.epochs_bytes);
    folder_.emplace(std::move(folder));
  }

  TrainResult run() {
    const double start = monotonic_seconds();
    print_line(
        fmt::format("{} parameters, {} convolutions, {} + {} images, {} executor, {} threads",
                    network_.table().weight_count, convolution_parameters(network_.table()).size(),
                    data_.cache().count(data::Split::kTrain),
                    data_.cache().count(data::Split::kValid), executor_.name, config_.threads));
    while (now_.progress.epoch < config_.epochs) {
      epoch();
    }
    TrainResult result;
    result.run = folder_->path();
    result.epochs = config_.epochs;
    result.seed = config_.seed;
    result.seconds = monotonic_seconds() - start;
    result.best_error = now_.progress.best_error;
    result.best_epoch = now_.progress.best_epoch;
    const LastEpoch last = last_epoch(folder_->path());
    result.train_error = last.train_error;
    result.valid_error = last.valid_error;
    return result;
  }

 private:
  void start_from_checkpoint() {
    ModelRequest from;
    (std::filesystem::is_directory(config_.init) ? from.run : from.checkpoint) = config_.init;
    const TensorFile file = exchange::read_checkpoint(checkpoint_of(from));
    const Fit fit = fit_for_classes(file, config_.init, data_.cache().classes());
    const std::vector<std::string> kept =
        load_weights(file, network_.table(), fit, config_.init, now_.network);
    now_.network.batches_tracked = 0;
    const std::optional<ModelCard> card = card_of(file, config_.init);
    if (!kept.empty()) {
      print_line(
          fmt::format("{}: {}new values for {}", config_.init,
                      fit == Fit::kNoClassifier ? "its classes are not those of the data; " : "",
                      fmt::join(kept, ", ")));
    } else if (!card || !are_names(card->classes)) {
      print_line(fmt::format(
          "{}: its classifier is kept, for it has as many classes as the data and names none",
          config_.init));
    }
  }

  RunHead head(const std::string& name) const {
    RunHead head;
    head.kind = "train";
    head.name = name;
    head.executor = executor_.name;
    head.run = config_;
    head.config = to_json(config_);
    head.data = data_json(config_, data_.layout(), data_.cache(), data_.normalization());
    head.model = to_json(card_);
    return head;
  }

  void epoch() {
    const double start = monotonic_seconds();
    EpochRecord record;
    record.epoch = now_.progress.epoch;
    const std::vector<double> used_rates = rates_.at(record.epoch);
    images_before_ = now_.progress.images;
    try {
      learn(used_rates);
      record.train = now_.progress.figures();
      record.seconds.data_wait = data_.train().wait_seconds();
      record.seconds.learn = monotonic_seconds() - start;
      try {
        examine(record, used_rates);
      } catch (const Interrupted& asked) {
        stop(asked.signal());
      }
    } catch (const Diverged& diverged) {
      throw Diverged(fmt::format(
          "epoch {}: {}; {}, try a smaller --lr", record.epoch + 1, diverged.what(),
          record.epoch == 0 ? "no epoch was finished before it"
                            : "the weights of the best and of the last good epoch are kept"));
    }
    finish(record, start);
  }

  /// What an epoch learned. The state stays as it is until all is known, so that a checkpoint
  /// written meanwhile is one of an epoch learnt and not examined.
  void examine(EpochRecord& record, const std::vector<double>& used_rates) {
    const double learnt = monotonic_seconds();
    require_finite_weights(network_.table(), now_.network);
    record.valid = evaluate_pass(*executor_.executor, now_.network, objective_, data_.valid(),
                                 data_.cache(), precision_of(config_));
    require_finite_loss(record.valid.loss, "validation loss", network_.table(), now_.network);
    const double validated = monotonic_seconds();
    record.layers =
        probe_network(network_.table(), now_.network, config_.threads, evbmf_scale_of(config_));
    record.schedule_rate = rates_.schedule_at(record.epoch);
    record.layer_rates = rates_.of_layers(used_rates);
    rates_.end_epoch(record.layers);
    record.seconds.valid = validated - learnt;
    record.seconds.probe = monotonic_seconds() - validated;
  }

  /// The iterations of an epoch, from wherever the checkpoint stands.
  void learn(const std::vector<double>& used_rates) {
    TrainProgress& progress = now_.progress;
    const std::size_t images = data_.cache().count(data::Split::kTrain);
    const auto epochs_left = static_cast<std::size_t>(config_.epochs - progress.epoch - 1);
    Progress bar(fmt::format("epoch {}/{}", progress.epoch + 1, config_.epochs), images,
                 epochs_left * images, progress.images);
    data_.train().start_epoch(static_cast<std::uint64_t>(progress.epoch),
                              static_cast<std::size_t>(progress.step));
    while (const std::optional<OwnedBatch> batch = data_.next_train()) {
      const LossResult loss = step(batch->tensors, used_rates);
      progress.add(loss, batch->tensors.count());
      bar.advance(static_cast<std::uint64_t>(batch->tensors.count()));
      stop_if_asked();
    }
  }

  LossResult step(const LabelledBatch& batch, const std::vector<double>& used_rates) {
    const TrainProgress& progress = now_.progress;
    const double probability =
        drop_path_probability(config_.drop_path, progress.epoch, config_.epochs);
    std::optional<nets::DropPath> drop;
    if (probability > 0.0 && network_.droppable_edges() > 0) {
      drop = draw_drop_path(probability, network_.droppable_edges(), batch.count(), config_.seed,
                            {progress.epoch, progress.step});
    }
    return learner_.step(now_.network, {now_.momentum, now_.momentum_started}, batch, used_rates,
                         drop ? &*drop : nullptr);
  }

  /// Writes the epoch down. A kill between these steps is repaired by `truncate_epochs` on resume,
  /// which then writes the same best weights once more.
  void finish(EpochRecord& record, double start) {
    const double probed = monotonic_seconds();
    TrainProgress& progress = now_.progress;
    if (progress.best_epoch < 0 || record.valid.error < progress.best_error) {
      progress.best_epoch = record.epoch;
      progress.best_error = record.valid.error;
      save_weights(best_path(), card_, network_.table(), now_.network,
                   {record.epoch, record.valid.error});
    }
    static_cast<EpochProgress&>(progress) = {};
    progress.epoch = record.epoch + 1;
    record.seconds.checkpoint = last_checkpoint_seconds_;
    record.seconds.total = monotonic_seconds() - start;
    folder_->append_epoch(epoch_line(record));
    save();
    last_checkpoint_seconds_ = monotonic_seconds() - probed;
    print_line(fmt::format(
        "epoch {}/{}  train loss {:.4f} error {:.1f} %  valid loss {:.4f} error {:.1f} % (best "
        "{:.1f} %)  stable rank {:.4f}  {}{}",
        record.epoch + 1, config_.epochs, record.train.loss, 100.0 * record.train.error,
        record.valid.loss, 100.0 * record.valid.error, 100.0 * progress.best_error,
        mean_stable_rank(record.layers), duration_text(record.seconds.total),
        rate_text(record.train.images - images_before_, record.seconds.learn)));
  }

  std::filesystem::path best_path() const {
    return folder_->path() / "checkpoint" / "best.safetensors";
  }

  void save() {
    now_.adas = rates_.state();
    now_.progress.epochs_bytes = folder_->epochs_bytes();
    save_train_checkpoint(folder_->checkpoint(), card_, network_.table(), now_);
  }

  void stop_if_asked() {
    if (const int signal = interrupt_signal()) {
      stop(signal);
    }
  }

  [[noreturn]] void stop(int signal) {
    require_finite_weights(network_.table(), now_.network);
    save();
    throw Interrupted(fmt::format("stopped in epoch {}; go on with: probedarts train --resume {}",
                                  now_.progress.epoch + 1, folder_->path().string()),
                      signal);
  }

  TrainConfig config_;
  TrainData data_;
  Objective objective_;
  Network network_;
  nets::ChosenExecutor executor_;
  WeightLearner learner_;
  WeightRates rates_;
  ModelCard card_;
  std::optional<RunFolder> folder_;
  TrainCheckpoint now_;
  double last_checkpoint_seconds_ = 0.0;
  std::uint64_t images_before_ = 0;  ///< of this epoch, learnt by the process that was stopped
};

}  // namespace

TrainResult run_training(const TrainConfig& config, const std::filesystem::path& out,
                         RunFolder::IfExists if_exists) {
  validate(config);
  Training training(config);
  training.begin(out, if_exists);
  return training.run();
}

TrainResult resume_training(const std::filesystem::path& run, const json& machine_options) {
  RunFolder folder = RunFolder::open(run);
  const TrainConfig config =
      train_config_from_json(stored_config(folder, "train", machine_options));
  validate(config);
  Training training(config);
  training.take_up(std::move(folder));
  return training.run();
}

}  // namespace probedarts::learn
