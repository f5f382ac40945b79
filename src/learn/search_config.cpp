#include "learn/search_config.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

void check_choice(const char* flag, const std::string& value,
                  std::initializer_list<const char*> known) {
  if (std::find(known.begin(), known.end(), value) == known.end()) {
    throw UserError(
        fmt::format("--{}: '{}' is unknown; use one of {}", flag, value, fmt::join(known, ", ")));
  }
}

void check_range(const char* flag, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    throw UserError(fmt::format("--{}: {} is out of range; use {} to {}", flag, value, low, high));
  }
}

std::string toml_value(const json& value) {
  // JSON's numbers, strings (with the same escapes), booleans and arrays are TOML's; a float needs
  // its point.
  return value.dump();
}

}  // namespace

bool is_machine_option(std::string_view key) {
  constexpr std::array kOptions = {"data", "cache", "threads", "loader-threads", "executor"};
  return std::find(kOptions.begin(), kOptions.end(), key) != kOptions.end();
}

std::vector<std::pair<std::string, std::string>> preset_values(const std::string& preset) {
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

json to_json(const SearchConfig& config) {
  json result = json::object();
  for_each_option(config,
                  [&](const char* key, const auto& field, const char*) { result[key] = field; });
  return result;
}

SearchConfig config_from_json(const json& stored) {
  SearchConfig config;
  std::size_t known = 0;
  for_each_option(config, [&](const char* key, auto& field, const char*) {
    const auto found = stored.find(key);
    if (found == stored.end()) {
      return;
    }
    ++known;
    try {
      field = found->template get<std::decay_t<decltype(field)>>();
    } catch (const json::exception&) {
      throw UserError(fmt::format("config: '{}' has a value of the wrong kind", key));
    }
  });
  if (known != stored.size()) {
    throw UserError(
        "config: the run folder holds options that this version does not know; use the version "
        "that made it");
  }
  return config;
}

std::string to_toml(const SearchConfig& config) {
  std::string text =
      "# Effective configuration of a search; `probedarts search --config` reads it back.\n";
  for_each_option(config, [&](const char* key, const auto& field, const char*) {
    text += fmt::format("{} = {}\n", key, toml_value(json(field)));
  });
  return text;
}

void validate(const SearchConfig& config) {
  if (config.data.empty()) {
    throw UserError("--data: no data set given; name its folder");
  }
  check_choice("layout", config.layout,
               {"auto", "folders", "csv", "cifar", "adp", "bcss", "lists"});
  check_choice("adp-level", config.adp_level, {"L1", "L2", "L3"});
  check_choice("augment", config.augment, {"none", "flips", "pathology", "cifar"});
  check_choice("optimizer", config.optimizer, {"adas", "sgd"});
  check_choice("probe-scale", config.probe_scale, {"published", "scale-free"});
  check_choice("dtype", config.dtype, {"float32", "float64"});
  check_choice("executor", config.executor, {"auto", "composed", "fused"});
  check_choice("stem", config.stem, {"pathology", "cifar"});
  if (config.normalize != "measured" && !data::published_normalization(config.normalize)) {
    throw UserError(fmt::format(
        "--normalize: '{}' is unknown; use one of measured, none, cifar10, cifar100, adp, bcss, "
        "bach, osteosarcoma",
        config.normalize));
  }
  check_range("size", config.size, 8, 4096);
  check_range("cutout", config.cutout, 0, config.size);
  check_range("train-portion", config.train_portion, 0.01, 0.99);
  check_range("epochs", config.epochs, 1, 100000);
  check_range("batch", config.batch, 1, 65536);
  check_range("lr", config.lr, 0.0, 1000.0);
  check_range("lr-final", config.lr_final, 0.0, 1000.0);
  check_range("momentum", config.momentum, 0.0, 1.0);
  check_range("weight-decay", config.weight_decay, 0.0, 1.0);
  check_range("clip", config.clip, 1e-12, 1e12);
  check_range("beta", config.beta, 0.0, 1.0);
  check_range("zeta", config.zeta, 0.0, 1000.0);
  check_range("gamma", config.gamma, 0.0, 1000.0);
  check_range("step-size", config.step_size, 1, 100000);
  check_range("order", config.order, 1, 2);
  check_range("alpha-lr", config.alpha_lr, 0.0, 1000.0);
  check_range("alpha-weight-decay", config.alpha_weight_decay, 0.0, 1.0);
  check_range("threads", config.threads, 1, 1024);
  check_range("loader-threads", config.loader_threads, 0, 1024);
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

data::Augmentation augmentation_of(const SearchConfig& config) {
  data::Augmentation augmentation;
  augmentation.flip_horizontal = config.augment != "none";
  augmentation.flip_vertical = config.augment == "flips" || config.augment == "pathology";
  if (config.augment == "pathology") {
    augmentation.max_rotation_degrees = 45.0;
    augmentation.max_shift_share = 0.1;
  }
  augmentation.pad_crop_px = config.augment == "cifar" ? 4 : 0;
  augmentation.cutout_px = config.cutout;
  return augmentation;
}

}  // namespace probedarts::learn
