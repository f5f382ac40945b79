#include "learn/search.hpp"

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
#include "learn/search_history.hpp"
#include "learn/search_probes.hpp"
#include "learn/weight_rates.hpp"
#include "nets/choose_executor.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

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

/// Batches whose statistics stand for a derived cell's.
constexpr std::size_t kStatisticBatches = 10;

template <class Measure>
auto timed(Measure measure) {
  const double start = monotonic_seconds();
  Timed<decltype(measure())> result;
  result.value = measure();
  result.seconds = monotonic_seconds() - start;
  return result;
}

/// "probes: largest eigenvalue 0.12 (3.1 s, 11 % of the epoch), ..."; empty without any.
std::string probes_line(const EpochRecord& record) {
  std::string line;
  const auto add = [&](const std::string& text, double seconds) {
    line += fmt::format("{}{} ({:.2g} s, {:.1f} % of the epoch)", line.empty() ? "probes: " : ", ",
                        text, seconds, 100.0 * seconds / record.seconds.total);
  };
  if (const auto& found = record.extra.eigenvalue) {
    add(fmt::format("largest eigenvalue {:.4g}", found->value.largest), found->seconds);
  }
  if (const auto& found = record.extra.derived_error) {
    add(fmt::format("discretisation gap {:.1f} points",
                    100.0 * (found->value - record.valid.error)),
        found->seconds);
  }
  if (const auto& found = record.extra.alignment) {
    add(fmt::format("gradient alignment {:.3f}", found->value), found->seconds);
  }
  return line;
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
        prober_(layout_, *executor_.executor, objective_, {}),
        rates_(config, layout_) {}

  void begin(const std::filesystem::path& out, RunFolder::IfExists if_exists) {
    now_.state = start_search(nets::initial_state(layout_, precision_of(config_), config_.seed));
    now_.fingerprint = data_.cache().fingerprint();
    folder_.emplace(RunFolder::create(out, if_exists));
    write_file_atomically(folder_->config_toml(), to_toml(config_));
    save();
    // run.json comes last: a folder that has it can be resumed.
    write_file_atomically(folder_->run_json(),
                          run_json(head(out.filename().string()), layout_, &layout_));
  }

  void take_up(RunFolder folder) {
    now_ = load_checkpoint(folder.checkpoint(), layout_, precision_of(config_));
    require_same_data(data_.cache(), now_.fingerprint, config_);
    rates_.restore(now_.adas, folder.checkpoint().string());
    folder.truncate_epochs(now_.progress.epochs_bytes);
    history_ = read_history(folder.epochs_jsonl());
    folder_.emplace(std::move(folder));
  }

  SearchResult run() {
    const double start = monotonic_seconds();
    print_line(fmt::format(
        "{} parameters, {} convolutions, {} + {} images, {} executor, {} threads",
        layout_.weight_count, convolution_parameters(layout_).size(), data_.halves().train.size(),
        data_.halves().valid.size(), executor_.name, config_.threads));
    std::optional<EarlyStop> stop = early_stop(config_, history_);
    while (now_.progress.epoch < config_.epochs && !stop) {
      epoch();
      stop = early_stop(config_, history_);
    }
    if (now_.progress.epoch == config_.epochs) {
      stop.reset();  // nothing was left to be stopped
    }
    return result(monotonic_seconds() - start, stop);
  }

 private:
  RunHead head(const std::string& name) const {
    RunHead head;
    head.kind = "search";
    head.name = name;
    head.executor = executor_.name;
    head.run = config_;
    head.config = to_json(config_);
    head.data = data_json(config_, data_.layout(), data_.cache(), data_.normalization());
    head.data["search_train"] = data_.halves().train.size();
    head.data["search_valid"] = data_.halves().valid.size();
    return head;
  }

  void epoch() {
    const double start = monotonic_seconds();
    EpochRecord record;
    record.epoch = now_.progress.epoch;
    const std::vector<double> used_rates = rates_.at(record.epoch);
    // Validation and probes see it too: the running statistics are of the network that learned.
    now_.state.network.auxiliary_skip = auxiliary_skip_in(config_, record.epoch);
    images_before_ = now_.progress.images;
    try {
      learn(used_rates);
      record.train = now_.progress.figures();
      record.seconds.data_wait = data_.wait_seconds();
      record.seconds.learn = monotonic_seconds() - start;
      try {
        examine(record, used_rates);
      } catch (const Interrupted& asked) {
        stop(asked.signal());
      }
    } catch (const Diverged& diverged) {
      throw Diverged(
          fmt::format("epoch {}: {}; {}, try a smaller --lr", record.epoch + 1, diverged.what(),
                      record.epoch == 0 ? "no epoch was finished before it"
                                        : "the checkpoint of the last good epoch is kept"));
    }
    finish(record, start);
  }

  /// What an epoch learned. The state stays as it is until all is known, so that a checkpoint
  /// written meanwhile is one of an epoch learnt and not examined.
  void examine(EpochRecord& record, const std::vector<double>& used_rates) {
    const double searched = monotonic_seconds();
    require_finite_weights(layout_, now_.state.network);
    record.valid = validate(now_.state.network, "validation loss");
    const double validated = monotonic_seconds();
    record.layers =
        probe_network(layout_, now_.state.network, config_.threads, evbmf_scale_of(config_));
    describe(record, used_rates);
    record.seconds.valid = validated - searched;
    record.seconds.probe = monotonic_seconds() - validated;
    measure(record);
    rates_.end_epoch(record.layers);
  }

  /// The iterations of an epoch, from wherever the checkpoint stands.
  void learn(const std::vector<double>& used_rates) {
    SearchProgress& progress = now_.progress;
    const std::size_t images = data_.halves().train.size();
    const auto epochs_left = static_cast<std::size_t>(config_.epochs - progress.epoch - 1);
    Progress bar(fmt::format("epoch {}/{}", progress.epoch + 1, config_.epochs), images,
                 epochs_left * images, progress.images);
    data_.start_train(progress.epoch, progress.step);
    while (const std::optional<OwnedBatch> train = data_.next_train()) {
      if (!progress.alpha_done) {
        const OwnedBatch valid = data_.alpha_batch(progress.alpha_steps);
        learner_.alpha_step(now_.state, train->tensors, valid.tensors, used_rates, alpha_view(0));
        ++progress.alpha_steps;
        progress.alpha_done = true;
        stop_if_asked();
      }
      const LossResult loss =
          learner_.weight_step(now_.state, train->tensors, used_rates, alpha_view(1));
      progress.alpha_done = false;
      progress.add(loss, train->tensors.count());
      bar.advance(static_cast<std::uint64_t>(train->tensors.count()));
      stop_if_asked();
    }
  }

  /// \param half  of the iteration: 0 the architecture step, 1 the weight step.
  AlphaView alpha_view(std::uint64_t half) const {
    AlphaView view;
    const double share = training_share(config_, now_.progress.epoch);
    view.logit_decay = config_.beta_decay * share;
    if (config_.gumbel > 0.0) {
      view.temperature = config_.gumbel + (config_.gumbel_final - config_.gumbel) * share;
      view.noise = gumbel_noise(
          now_.state.network.alpha,
          Stream(config_.seed, "gumbel", static_cast<std::uint64_t>(now_.progress.epoch),
                 2 * now_.progress.step + half));
    }
    return view;
  }

  /// A pass over the validation half. \throws Diverged when its loss, `what`, is not finite.
  PassFigures validate(nets::NetworkState& network, const char* what) {
    const PassFigures figures =
        evaluate_pass(*executor_.executor, network, objective_, data_.evaluation(), data_.cache(),
                      precision_of(config_));
    require_finite_loss(figures.loss, what, layout_, network);
    return figures;
  }

  void describe(EpochRecord& record, const std::vector<double>& used_rates) {
    record.schedule_rate = rates_.schedule_at(record.epoch);
    record.layer_rates = rates_.of_layers(used_rates);
    ArchitectureRecord architecture;
    architecture.normal = edge_weights(now_.state.network.alpha, space::CellKind::kNormal);
    architecture.reduce = edge_weights(now_.state.network.alpha, space::CellKind::kReduce);
    architecture.genotype =
        space::derive_genotype(architecture.normal, architecture.reduce, config_.nodes);
    record.architecture = architecture;
    if (!history_.stable_rank.empty()) {
      record.last_stable_rank = history_.stable_rank.back();
    }
  }

  /// The probes of --probe, where they are due.
  void measure(EpochRecord& record) {
    const bool due = record.epoch % config_.probe_every == 0 || record.epoch + 1 == config_.epochs;
    if (config_.probe.empty() || !due) {
      return;
    }
    const nets::NetworkState& network = now_.state.network;
    const std::vector<OwnedBatch> valid = data_.probe_batches(data_.halves().valid, 1);
    const std::vector<OwnedBatch> train =
        data_.probe_batches(data_.halves().train, kStatisticBatches);
    if (config_.has_probe("eigenvalue")) {
      record.extra.eigenvalue =
          timed([&] { return alpha_eigenvalues(prober_, network, valid.front().tensors); });
    }
    if (config_.has_probe("gap")) {
      record.extra.derived_error = timed([&] {
        std::vector<const LabelledBatch*> batches;
        for (const OwnedBatch& batch : train) {
          batches.push_back(&batch.tensors);
        }
        nets::NetworkState derived =
            discretised(*executor_.executor, network, record.architecture->genotype, batches);
        return validate(derived, "discretisation loss").error;
      });
    }
    if (config_.has_probe("alignment")) {
      record.extra.alignment = timed([&] {
        return gradient_alignment(prober_, network, train.front().tensors, valid.front().tensors);
      });
    }
  }

  /// Writes the epoch down. A kill between these steps is repaired by `truncate_epochs` on resume.
  void finish(EpochRecord& record, double start) {
    const double probed = monotonic_seconds();
    write_file_atomically(folder_->genotype_json(),
                          space::to_json(record.architecture->genotype) + "\n");
    static_cast<EpochProgress&>(now_.progress) = {};
    now_.progress.epoch = record.epoch + 1;
    now_.progress.alpha_done = false;
    record.seconds.checkpoint = last_checkpoint_seconds_;
    record.seconds.total = monotonic_seconds() - start;
    const std::string line = epoch_line(record);
    folder_->append_epoch(line);
    history_.add(line);
    save();
    last_checkpoint_seconds_ = monotonic_seconds() - probed;
    print_line(
        fmt::format("epoch {}/{}  train loss {:.4f} error {:.1f} %  valid loss {:.4f} error {:.1f} "
                    "%  stable rank {:.4f}  {}{}",
                    record.epoch + 1, config_.epochs, record.train.loss, 100.0 * record.train.error,
                    record.valid.loss, 100.0 * record.valid.error, mean_stable_rank(record.layers),
                    duration_text(record.seconds.total),
                    rate_text(record.train.images - images_before_, record.seconds.learn)));
    if (const std::string probes = probes_line(record); !probes.empty()) {
      print_line(probes);
    }
  }

  void save() {
    now_.adas = rates_.state();
    now_.progress.epochs_bytes = folder_->epochs_bytes();
    save_checkpoint(folder_->checkpoint(), now_);
  }

  void stop_if_asked() {
    if (const int signal = interrupt_signal()) {
      stop(signal);
    }
  }

  [[noreturn]] void stop(int signal) {
    require_finite_weights(layout_, now_.state.network);
    save();
    throw Interrupted(fmt::format("stopped in epoch {}; go on with: probedarts search --resume {}",
                                  now_.progress.epoch + 1, folder_->path().string()),
                      signal);
  }

  /// The genotype of the epoch that a rule keeps, and the reason; the same files again when a
  /// stopped run is taken up.
  void conclude(const EarlyStop& stop, SearchResult& found) {
    found.genotype =
        space::parse_genotype(history_.genotype.at(static_cast<std::size_t>(stop.genotype_epoch)));
    write_file_atomically(folder_->genotype_json(), space::to_json(found.genotype) + "\n");
    write_file_atomically(
        folder_->run_json(),
        with_early_stop(read_file(folder_->run_json()), {{"rule", stop.rule},
                                                         {"why", stop.why},
                                                         {"epoch", history_.epochs() - 1},
                                                         {"genotype_epoch", stop.genotype_epoch}}));
    print_line(fmt::format("stopped after epoch {} of {}: {}", history_.epochs(), config_.epochs,
                           stop.why));
  }

  SearchResult result(double seconds, const std::optional<EarlyStop>& stop) {
    SearchResult found;
    found.run = folder_->path();
    found.epochs = now_.progress.epoch;
    found.seconds = seconds;
    found.stopped = stop;
    if (stop) {
      conclude(*stop, found);
    } else {
      found.genotype = space::derive_genotype(
          edge_weights(now_.state.network.alpha, space::CellKind::kNormal),
          edge_weights(now_.state.network.alpha, space::CellKind::kReduce), config_.nodes);
    }
    const LastEpoch last = last_epoch(folder_->path());
    found.train_error = last.train_error;
    found.valid_error = last.valid_error;
    found.stable_rank = last.stable_rank;
    return found;
  }

  SearchConfig config_;
  SearchData data_;
  Objective objective_;
  nets::NetworkLayout layout_;
  nets::ChosenExecutor executor_;
  BilevelLearner learner_;
  WeightLearner prober_;  ///< takes gradients for probes, never steps
  WeightRates rates_;
  std::optional<RunFolder> folder_;
  SearchCheckpoint now_;
  SearchHistory history_;
  double last_checkpoint_seconds_ = 0.0;
  std::uint64_t images_before_ = 0;  ///< of this epoch, learnt by the process that was stopped
};

}  // namespace

SearchResult run_search(const SearchConfig& config, const std::filesystem::path& out,
                        RunFolder::IfExists if_exists) {
  validate(config);
  Search search(config);
  search.begin(out, if_exists);
  return search.run();
}

SearchResult resume_search(const std::filesystem::path& run, const json& machine_options) {
  RunFolder folder = RunFolder::open(run);
  const SearchConfig config =
      search_config_from_json(stored_config(folder, "search", machine_options));
  validate(config);
  Search search(config);
  search.take_up(std::move(folder));
  return search.run();
}

}  // namespace probedarts::learn
