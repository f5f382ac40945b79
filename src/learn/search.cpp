#include "learn/search.hpp"

#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "learn/bilevel.hpp"
#include "learn/checkpoint.hpp"
#include "learn/probe_network.hpp"
#include "learn/run_record.hpp"
#include "learn/search_data.hpp"
#include "nets/choose_executor.hpp"
#include "nets/torch_runtime.hpp"
#include "optim/adas.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

nets::Precision precision_of(const SearchConfig& config) {
  return config.dtype == "float32" ? nets::Precision::kFloat32 : nets::Precision::kFloat64;
}

BilevelOptions bilevel_options(const SearchConfig& config) {
  BilevelOptions options;
  options.order = config.order;
  options.sgd = {config.momentum, config.weight_decay};
  options.clip = config.clip;
  options.adam.learning_rate = config.alpha_lr;
  options.adam.weight_decay = config.alpha_weight_decay;
  options.rate_inside_difference = config.optimizer == "adas";
  return options;
}

optim::AdasOptions adas_options(const SearchConfig& config) {
  optim::AdasOptions options;
  options.learning_rate = config.lr;
  options.beta = config.beta;
  options.zeta = config.zeta;
  options.gamma = config.gamma;
  options.step_size = config.step_size;
  return options;
}

/// A search with everything it needs in memory; both ways to begin one end here.
class Search {
 public:
  explicit Search(const SearchConfig& config)
      : config_(config),
        data_(config, precision_of(config)),
        objective_(data_.objective()),
        layout_(nets::lay_out(network_spec(config, data_.classes()))),
        executor_(
            nets::make_executor(layout_, config.executor, precision_of(config), config.threads)),
        learner_(layout_, *executor_.executor, objective_, bilevel_options(config)),
        convolutions_(convolution_parameters(layout_)) {
    if (config.optimizer == "adas") {
      adas_.emplace(adas_options(config), layer_of_parameter(layout_));
    }
  }

  void begin(const std::filesystem::path& out, RunFolder::IfExists if_exists) {
    now_.state = start_search(nets::initial_state(layout_, precision_of(config_), config_.seed));
    now_.fingerprint = data_.cache().fingerprint();
    folder_.emplace(RunFolder::create(out, if_exists));
    write_file_atomically(folder_->config_toml(), to_toml(config_));
    save();
    // run.json comes last: a folder that has it can be resumed.
    write_file_atomically(folder_->run_json(), run_json(config_, layout_, data_,
                                                        out.filename().string(), executor_.name));
  }

  void take_up(RunFolder folder) {
    now_ = load_checkpoint(folder.checkpoint(), layout_, precision_of(config_));
    if (now_.fingerprint != data_.cache().fingerprint()) {
      throw UserError(
          fmt::format("data set '{}' changed since the run began; restore it or start a new run",
                      config_.data));
    }
    if (adas_) {
      if (!now_.adas) {
        throw UserError(
            fmt::format("checkpoint '{}' holds no state of Adas; resume the run it was made by",
                        folder.checkpoint().string()));
      }
      adas_->restore(*now_.adas);
    }
    folder.truncate_epochs(now_.progress.epochs_bytes);
    folder_.emplace(std::move(folder));
  }

  SearchResult run() {
    const double start = monotonic_seconds();
    print_line(
        fmt::format("{} parameters, {} convolutions, {} + {} images, {} executor, {} threads",
                    layout_.weight_count, convolutions_.size(), data_.halves().train.size(),
                    data_.halves().valid.size(), executor_.name, config_.threads));
    while (now_.progress.epoch < config_.epochs) {
      epoch();
    }
    return result(monotonic_seconds() - start);
  }

 private:
  std::vector<double> rates() const {
    return adas_ ? adas_->learning_rates()
                 : std::vector<double>{optim::cosine_learning_rate(
                       config_.lr, config_.lr_final, now_.progress.epoch, config_.epochs)};
  }

  void epoch() {
    const double start = monotonic_seconds();
    EpochRecord record;
    record.epoch = now_.progress.epoch;
    const std::vector<double> used_rates = rates();
    try {
      learn(used_rates);
      record.train = {now_.progress.loss_sum / static_cast<double>(now_.progress.images),
                      1.0 - now_.progress.correct / now_.progress.decisions, now_.progress.images};
      record.seconds.data_wait = data_.wait_seconds();
      const double searched = monotonic_seconds();
      record.valid = validate_half();
      require_finite_weights();
      const double validated = monotonic_seconds();
      record.layers = probe();
      describe(record, used_rates);
      record.seconds.search = searched - start;
      record.seconds.valid = validated - searched;
      record.seconds.probe = monotonic_seconds() - validated;
    } catch (const Diverged& diverged) {
      throw Diverged(
          fmt::format("epoch {}: {}; {}, try a smaller --lr", record.epoch + 1, diverged.what(),
                      record.epoch == 0 ? "no epoch was finished before it"
                                        : "the checkpoint of the last good epoch is kept"));
    }
    finish(record, start);
  }

  /// The iterations of an epoch, from wherever the checkpoint stands.
  void learn(const std::vector<double>& used_rates) {
    SearchProgress& progress = now_.progress;
    const std::size_t images = data_.halves().train.size();
    const auto epochs_left = static_cast<std::size_t>(config_.epochs - progress.epoch - 1);
    Progress bar(fmt::format("epoch {}/{}", progress.epoch + 1, config_.epochs), images,
                 epochs_left * images);
    bar.advance(progress.images);
    data_.start_train(progress.epoch, progress.step);
    while (const std::optional<OwnedBatch> train = data_.next_train()) {
      if (!progress.alpha_done) {
        const OwnedBatch valid = data_.alpha_batch(progress.alpha_steps);
        learner_.alpha_step(now_.state, train->tensors, valid.tensors, used_rates);
        ++progress.alpha_steps;
        progress.alpha_done = true;
        stop_if_asked();
      }
      const LossResult loss = learner_.weight_step(now_.state, train->tensors, used_rates);
      const auto count = static_cast<std::uint64_t>(train->tensors.count());
      progress.alpha_done = false;
      ++progress.step;
      progress.loss_sum += loss.loss * static_cast<double>(count);
      progress.correct += loss.correct;
      progress.decisions += loss.decisions;
      progress.images += count;
      bar.advance(count);
      stop_if_asked();
    }
  }

  PassFigures validate_half() {
    PassFigures figures;
    double correct = 0.0;
    double decisions = 0.0;
    data_.start_evaluation();
    while (const std::optional<OwnedBatch> batch = data_.next_evaluation()) {
      const at::Tensor logits = executor_.executor
                                    ->forward(now_.state.network, batch->tensors.images,
                                              {nets::Mode::kEvaluate, nets::Wanted::kNothing})
                                    .main;
      const LossResult loss = objective_.evaluate(logits, batch->tensors.labels, false);
      const auto count = static_cast<std::uint64_t>(batch->tensors.count());
      figures.loss += loss.loss * static_cast<double>(count);
      figures.images += count;
      correct += loss.correct;
      decisions += loss.decisions;
    }
    figures.loss /= static_cast<double>(figures.images);
    figures.error = 1.0 - correct / decisions;
    return figures;
  }

  std::vector<probe::LayerMetrics> probe() const {
    return probe_network(layout_, now_.state.network, config_.threads,
                         config_.probe_scale == "published" ? probe::EvbmfScale::kAsPublished
                                                            : probe::EvbmfScale::kScaleFree);
  }

  void describe(EpochRecord& record, const std::vector<double>& used_rates) {
    record.schedule_rate = used_rates.size() == 1 ? used_rates[0] : config_.lr;
    for (const std::size_t index : convolutions_) {
      record.layer_rates.push_back(used_rates.size() == 1 ? used_rates[0] : used_rates[index]);
    }
    record.normal = edge_weights(now_.state.network.alpha, space::CellKind::kNormal);
    record.reduce = edge_weights(now_.state.network.alpha, space::CellKind::kReduce);
    record.genotype = space::derive_genotype(record.normal, record.reduce, config_.nodes);
    if (adas_) {
      std::vector<double> stable_ranks;
      for (const probe::LayerMetrics& layer : record.layers) {
        stable_ranks.push_back(layer.failed ? std::nan("") : layer.stable_rank());
      }
      adas_->epoch_step(stable_ranks);
    }
  }

  void require_finite_weights() const {
    for (const nets::ParameterInfo& parameter : layout_.parameters) {
      if (!nets::parameter_view(now_.state.network, parameter).isfinite().all().item<bool>()) {
        throw Diverged(fmt::format("weight '{}' is not finite", parameter.name));
      }
    }
  }

  /// Writes the epoch down. A kill between these steps is repaired by `truncate_epochs` on resume.
  void finish(EpochRecord& record, double start) {
    const double probed = monotonic_seconds();
    write_file_atomically(folder_->genotype_json(), space::to_json(record.genotype) + "\n");
    now_.progress = {record.epoch + 1, 0, false, now_.progress.alpha_steps, 0.0, 0.0, 0.0, 0, 0};
    record.seconds.checkpoint = last_checkpoint_seconds_;
    record.seconds.total = monotonic_seconds() - start;
    folder_->append_epoch(epoch_line(record));
    save();
    last_checkpoint_seconds_ = monotonic_seconds() - probed;
    last_ = record;
    print_line(
        fmt::format("epoch {}/{}  train loss {:.4f} error {:.1f} %  valid loss {:.4f} error {:.1f} "
                    "%  stable rank {:.4f}  {} "
                    "({:.0f} images/s)",
                    record.epoch + 1, config_.epochs, record.train.loss, 100.0 * record.train.error,
                    record.valid.loss, 100.0 * record.valid.error, mean_stable_rank(record.layers),
                    duration_text(record.seconds.total),
                    static_cast<double>(record.train.images) / record.seconds.search));
  }

  void save() {
    if (adas_) {
      now_.adas = adas_->state();
    }
    now_.progress.epochs_bytes = folder_->epochs_bytes();
    save_checkpoint(folder_->checkpoint(), now_);
  }

  void stop_if_asked() {
    if (const int signal = interrupt_signal()) {
      require_finite_weights();
      save();
      throw Interrupted(
          fmt::format("stopped in epoch {}; go on with: probedarts search --resume {}",
                      now_.progress.epoch + 1, folder_->path().string()),
          signal);
    }
  }

  SearchResult result(double seconds) const {
    SearchResult found;
    found.run = folder_->path();
    found.epochs = config_.epochs;
    found.seconds = seconds;
    found.genotype = space::derive_genotype(
        edge_weights(now_.state.network.alpha, space::CellKind::kNormal),
        edge_weights(now_.state.network.alpha, space::CellKind::kReduce), config_.nodes);
    if (last_) {
      found.train_error = last_->train.error;
      found.valid_error = last_->valid.error;
      found.stable_rank = mean_stable_rank(last_->layers);
    }
    return found;
  }

  SearchConfig config_;
  SearchData data_;
  Objective objective_;
  nets::NetworkLayout layout_;
  nets::ChosenExecutor executor_;
  BilevelLearner learner_;
  std::vector<std::size_t> convolutions_;
  std::optional<optim::Adas> adas_;
  std::optional<RunFolder> folder_;
  SearchCheckpoint now_;
  std::optional<EpochRecord> last_;
  double last_checkpoint_seconds_ = 0.0;
};

/// The configuration a run folder was made with, and the options of this call that say where to run
/// it.
SearchConfig stored_config(const RunFolder& folder, const json& machine_options) {
  const json run = json::parse(read_file(folder.run_json()), nullptr, false);
  if (!run.is_object() || run.value("format", "") != "probedarts-run" ||
      run.value("kind", "") != "search" || !run.contains("config")) {
    throw UserError(
        fmt::format("'{}' is not the run.json of a search; give the folder of a search run",
                    folder.run_json().string()));
  }
  json config = run.at("config");
  for (const auto& [key, value] : machine_options.items()) {
    require(is_machine_option(key), "resume takes options of the machine only");
    config[key] = value;
  }
  return config_from_json(config);
}

}  // namespace

SearchResult run_search(const SearchConfig& config, const std::filesystem::path& out,
                        RunFolder::IfExists if_exists) {
  validate(config);
  nets::set_threads(config.threads);
  Search search(config);
  search.begin(out, if_exists);
  return search.run();
}

SearchResult resume_search(const std::filesystem::path& run, const json& machine_options) {
  RunFolder folder = RunFolder::open(run);
  const SearchConfig config = stored_config(folder, machine_options);
  validate(config);
  nets::set_threads(config.threads);
  Search search(config);
  search.take_up(std::move(folder));
  return search.run();
}

}  // namespace probedarts::learn
