#include "learn/search_config.hpp"

#include <algorithm>

#include "learn/config_text.hpp"

namespace probedarts::learn {

using nlohmann::json;

namespace {

void validate_probes(const SearchConfig& config) {
  for (const std::string& probe : config.probe) {
    check_choice("probe", probe, {"eigenvalue", "gap", "alignment"});
  }
  check_range("probe-every", config.probe_every, 1, 100000);
  if (config.stop_eigenvalue != 0.0) {  // a smaller factor would stop a search that is at rest
    check_range("stop-eigenvalue", config.stop_eigenvalue, 1.0, 1000.0);
  }
  if (config.stop_eigenvalue != 0.0 && !config.has_probe("eigenvalue")) {
    throw UserError("--stop-eigenvalue: the eigenvalue is not measured; add --probe eigenvalue");
  }
  check_range("stop-parameter-free", config.stop_parameter_free, 0.0, 1.0);
  check_choice("stop-plateau", config.stop_plateau, {"none", "global", "local"});
  check_range("stop-tolerance", config.stop_tolerance, 0.0, 1.0);
  check_range("stop-window", config.stop_window, 2, 100000);
  check_range("stop-from", config.stop_from, 1, 100000);
}

}  // namespace

bool SearchConfig::has_probe(const std::string& name) const {
  return std::find(probe.begin(), probe.end(), name) != probe.end();
}

std::vector<std::pair<std::string, std::string>> search_preset(const std::string& preset) {
  if (preset == "pathology") {  // the defaults of SearchConfig: PIBConv's search on ADP, the
                                // paper's optimiser
    return {};
  }
  if (preset == "cifar") {  // DARTS' search on CIFAR-10
    return {{"stem", "cifar"},    {"size", "32"},       {"cells", "8"},  {"batch", "64"},
            {"augment", "cifar"}, {"optimizer", "sgd"}, {"lr", "0.025"}, {"normalize", "cifar10"}};
  }
  throw UserError(fmt::format("--preset: '{}' is unknown; use one of pathology, cifar", preset));
}

json to_json(const SearchConfig& config) { return config_to_json(config); }

SearchConfig search_config_from_json(const json& stored) {
  SearchConfig config;
  read_config(stored, config);
  return config;
}

std::string to_toml(const SearchConfig& config) { return config_to_toml(config, "search"); }

void validate(const SearchConfig& config) {
  validate(static_cast<const DataOptions&>(config));
  check_choice("stem", config.stem, {"pathology", "cifar"});
  check_range("train-portion", config.train_portion, 0.01, 0.99);
  validate(static_cast<const WeightOptions&>(config));
  check_range("order", config.order, 1, 2);
  check_range("alpha-lr", config.alpha_lr, 0.0, 1000.0);
  check_range("alpha-weight-decay", config.alpha_weight_decay, 0.0, 1.0);
  check_range("beta-decay", config.beta_decay, 0.0, 1000.0);
  if (config.gumbel != 0.0) {  // hotter is uniform, colder overflows float32 in alpha / temperature
    check_range("gumbel", config.gumbel, 0.001, 1000.0);
  }
  check_range("gumbel-final", config.gumbel_final, 0.001, 1000.0);
  check_range("auxiliary-skip", config.auxiliary_skip, 0.0, 1000.0);
  validate_probes(config);
  validate(static_cast<const RunOptions&>(config));
  const space::NetworkSpec spec = network_spec(config, 2);
  space::validate(spec);
  space::validate_image_size(spec, config.size, config.size);
}

space::NetworkSpec network_spec(const SearchConfig& config, int classes) {
  space::NetworkSpec spec;
  spec.stem = *space::stem_named(config.stem);
  spec.channels = config.channels;
  spec.cells = config.cells;
  spec.nodes = config.nodes;
  spec.partial_channels = config.partial_channels;
  spec.classes = classes;
  return spec;
}

double training_share(const SearchConfig& config, int epoch) {
  return config.epochs == 1 ? 0.0
                            : static_cast<double>(epoch) / static_cast<double>(config.epochs - 1);
}

double auxiliary_skip_in(const SearchConfig& config, int epoch) {
  return config.auxiliary_skip * (1.0 - training_share(config, epoch));
}

}  // namespace probedarts::learn
