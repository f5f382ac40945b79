#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "learn/network.hpp"
#include "learn/options.hpp"

namespace probedarts::learn {

/// Every option of a training, as SearchConfig has those of a search. Defaults are the paper's
/// evaluation of a derived cell on histology patches (docs/method.md, "Derived networks").
struct TrainConfig : DataOptions, WeightOptions, NetworkOptions, RunOptions {
  TrainConfig();

  std::string preset = "pathology";
  double valid_share = 0.1;
  double drop_path = 0.2;
  bool auxiliary = false;
  double auxiliary_weight = 0.4;
  std::string init;
  int runs = 1;
};

/// Calls `visit(key, field, help)` for every option in the order of the pages: the one place where
/// an option has its name and its help.
template <class Config, class Visit>
requires std::same_as<std::remove_const_t<Config>, TrainConfig>
void for_each_option(Config& c, Visit&& visit) {
  visit("preset", c.preset, "defaults to start from: pathology, cifar");
  visit_source_options(c, visit);
  visit("valid-share", c.valid_share,
        "share of the train split set apart for validation where the data have no valid split");
  visit_patch_options(c, visit);
  visit_augment_options(c, visit);
  visit_network_options(c, visit);
  visit("auxiliary", c.auxiliary,
        "a second classifier after the second reduction cell, in training only");
  visit("auxiliary-weight", c.auxiliary_weight, "of its loss");
  visit("drop-path", c.drop_path, "probability that an edge is left out in the last epoch");
  visit(
      "init", c.init,
      "checkpoint or run folder (its best weights) to start from; the classifier is replaced when "
      "the classes differ");
  visit_weight_options(c, visit);
  visit("runs", c.runs, "runs in one call, with seeds seed, seed + 1, ...");
  visit_run_options(c, visit);
}

/// The values a preset changes, as (key, text). \throws UserError for an unknown preset.
std::vector<std::pair<std::string, std::string>> train_preset(const std::string& preset);

/// L of the paper's networks of cells for CIFAR: 20, 17, 14 for cells of N = 4, 5, 6 nodes; 20, as
/// DARTS has it, for any other N. What the preset cifar means where --cells is not given.
int cifar_cells(int nodes);

nlohmann::json to_json(const TrainConfig& config);
/// \throws UserError for an unknown key or a value of the wrong kind.
TrainConfig train_config_from_json(const nlohmann::json& json);
/// The same as a TOML file that `train --config` reads.
std::string to_toml(const TrainConfig& config);

/// Checks every value on its own and with the others. \throws UserError one sentence naming the
/// flag.
void validate(const TrainConfig& config);

}  // namespace probedarts::learn
