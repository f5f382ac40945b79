#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "learn/options.hpp"
#include "space/network_spec.hpp"

namespace probedarts::learn {

/// Every option of a search. Field for field the flags of `probedarts search`, the keys of its TOML
/// file and of `config` in run.json; names, defaults and help stand once, in `for_each_option`.
struct SearchConfig : DataOptions, WeightOptions, RunOptions {
  std::string preset = "pathology";
  // data
  double train_portion = 0.5;
  bool split_by_group = true;
  // network
  std::string stem = "pathology";
  int channels = 16;
  int cells = 4;
  int nodes = 4;
  // architecture
  int order = 1;
  double alpha_lr = 3e-4;
  double alpha_weight_decay = 1e-3;
  double beta_decay = 0.0;
  double gumbel = 0.0;
  double gumbel_final = 0.1;
  double auxiliary_skip = 0.0;
  int partial_channels = 1;
  // probes and what they may decide
  std::vector<std::string> probe;
  int probe_every = 1;
  double stop_eigenvalue = 0.0;
  double stop_parameter_free = 0.0;
  std::string stop_plateau = "none";
  double stop_tolerance = 0.01;
  int stop_window = 5;
  int stop_from = 10;

  bool has_probe(const std::string& name) const;
};

/// Calls `visit(key, field, help)` for every option in the order of the pages: the one place where
/// an option has its name and its help.
template <class Config, class Visit>
requires std::same_as<std::remove_const_t<Config>, SearchConfig>
void for_each_option(Config& c, Visit&& visit) {
  visit("preset", c.preset, "defaults to start from: pathology, cifar");
  visit_source_options(c, visit);
  visit_patch_options(c, visit);
  visit_augment_options(c, visit);
  visit("train-portion", c.train_portion,
        "share of the train split that weights learn on; alpha learns on the rest");
  visit("split-by-group", c.split_by_group, "keep each group (patient, slide) in one half");
  visit("stem", c.stem, "pathology (two stride-2 convolutions) or cifar");
  visit("channels", c.channels, "C of the first cells, even");
  visit("cells", c.cells, "L, 1..40");
  visit("nodes", c.nodes, "N, nodes in a cell, 1..8");
  visit_weight_options(c, visit);
  visit("order", c.order, "of the architecture gradient: 1, or 2 (unrolled)");
  visit("alpha-lr", c.alpha_lr, "Adam on alpha: learning rate");
  visit("alpha-weight-decay", c.alpha_weight_decay, "Adam on alpha: L2 decay");
  visit(
      "beta-decay", c.beta_decay,
      "weight of the mean log-sum-exp of alpha's rows in the last epoch, risen to from 0; 0: off");
  visit("gumbel", c.gumbel,
        "sample edge weights by Gumbel-softmax: temperature in the first epoch; 0: off");
  visit("gumbel-final", c.gumbel_final, "gumbel: temperature in the last epoch");
  visit("auxiliary-skip", c.auxiliary_skip,
        "added to the weight of every edge's skip in the first epoch, falling to 0 in the last; "
        "0: off");
  visit("partial-channels", c.partial_channels,
        "K: only 1/K of a state's channels pass through the candidates (PC-DARTS); 1: all do");
  visit("probe", c.probe,
        "more probes, from eigenvalue, gap, alignment; each costs passes (docs/probes.md)");
  visit("probe-every", c.probe_every, "epochs from one measurement of --probe to the next");
  visit("stop-eigenvalue", c.stop_eigenvalue,
        "stop once the largest eigenvalue has grown by this factor, 1.33 in R-DARTS; 0: off");
  visit("stop-parameter-free", c.stop_parameter_free,
        "stop once this share of the normal cell's kept edges carries no parameters; 0: off");
  visit("stop-plateau", c.stop_plateau,
        "stop once the stable rank stands still: none, global (mean of layers), local (each)");
  visit("stop-tolerance", c.stop_tolerance, "share that a stable rank may move on a plateau");
  visit("stop-window", c.stop_window, "epochs that the rules of stopping look at");
  visit("stop-from", c.stop_from, "epochs before any rule may stop the search");
  visit_run_options(c, visit);
}

/// The values a preset changes, as (key, text): the paper's settings for histology patches or
/// CIFAR. \throws UserError for an unknown preset, with the known ones.
std::vector<std::pair<std::string, std::string>> search_preset(const std::string& preset);

nlohmann::json to_json(const SearchConfig& config);
/// \throws UserError for an unknown key or a value of the wrong kind.
SearchConfig search_config_from_json(const nlohmann::json& json);
/// The same as a TOML file that `search --config` reads.
std::string to_toml(const SearchConfig& config);

/// Checks every value on its own and with the others. \throws UserError one sentence naming the
/// flag.
void validate(const SearchConfig& config);

space::NetworkSpec network_spec(const SearchConfig& config, int classes);

/// How far a search is, for the schedules of its responses: 0 in the first epoch, 1 in the last; 0
/// where that is the same epoch.
double training_share(const SearchConfig& config, int epoch);

/// The auxiliary skip (nets::NetworkState) in an epoch, auxiliary_skip * (1 - training_share).
double auxiliary_skip_in(const SearchConfig& config, int epoch);

}  // namespace probedarts::learn
