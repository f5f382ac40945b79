#include "learn/train_config.hpp"

#include "learn/config_text.hpp"
#include "space/published.hpp"

namespace probedarts::learn {

using nlohmann::json;

TrainConfig::TrainConfig() {
  size = 272;
  epochs = 600;
  batch = 96;
  optimizer = "sgd";
  lr = 0.025;
  lr_final = 0.0;
}

std::vector<std::pair<std::string, std::string>> train_preset(const std::string& preset) {
  if (preset == "pathology") {  // the defaults of TrainConfig
    return {};
  }
  if (preset == "cifar") {  // DARTS' evaluation on CIFAR-10; `cells` as the genotype needs it
    return {{"stem", "cifar"},    {"size", "32"},   {"cells", "20"},         {"auxiliary", "true"},
            {"augment", "cifar"}, {"cutout", "16"}, {"normalize", "cifar10"}};
  }
  throw UserError(fmt::format("--preset: '{}' is unknown; use one of pathology, cifar", preset));
}

int cifar_cells(int nodes) { return nodes == 5 ? 17 : nodes == 6 ? 14 : 20; }

json to_json(const TrainConfig& config) { return config_to_json(config); }

TrainConfig train_config_from_json(const json& stored) {
  TrainConfig config;
  read_config(stored, config);
  return config;
}

std::string to_toml(const TrainConfig& config) {
  const bool of_cells =
      config.network.empty() || space::published_genotype(config.network).has_value();
  return config_to_toml(config, "train", [of_cells](std::string_view key) {
    return of_cells || (key != "stem" && key != "channels" && key != "cells");
  });
}

void validate(const TrainConfig& config) {
  validate(static_cast<const DataOptions&>(config));
  check_range("valid-share", config.valid_share, 0.0, 0.9);
  validate(static_cast<const WeightOptions&>(config));
  check_range("auxiliary-weight", config.auxiliary_weight, 0.0, 100.0);
  check_range("drop-path", config.drop_path, 0.0, 0.99);
  check_range("runs", config.runs, 1, 1000);
  validate(static_cast<const RunOptions&>(config));
  const Network network(describe_network(config, 2, config.auxiliary));
  network.require_image_size(config.size);
}

}  // namespace probedarts::learn
