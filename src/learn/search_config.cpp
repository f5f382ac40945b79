#include "learn/search_config.hpp"

#include "learn/config_text.hpp"

namespace probedarts::learn {

using nlohmann::json;

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
  spec.classes = classes;
  return spec;
}

}  // namespace probedarts::learn
