#include "learn/options.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/errors.hpp"
#include "nets/network_state.hpp"

namespace probedarts::learn {
namespace {

/// Six finite numbers "R,G,B/R,G,B", or nothing.
std::optional<data::Normalization> normalization_of_numbers(const std::string& text) {
  data::Normalization numbers;
  auto& m = numbers.mean;
  auto& s = numbers.sd;
  int end = 0;
  // NOLINTNEXTLINE(cert-err34-c): a number that does not parse leaves fewer than six
  const int read = std::sscanf(text.c_str(), "%lf,%lf,%lf/%lf,%lf,%lf%n", &m[0], &m[1], &m[2],
                               &s[0], &s[1], &s[2], &end);
  const auto finite = [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  };
  const bool whole = read == 6 && static_cast<std::size_t>(end) == text.size();
  return whole && finite(m) && finite(s) ? std::optional(numbers) : std::nullopt;
}

bool spreads(const data::Normalization& numbers) {
  return std::all_of(numbers.sd.begin(), numbers.sd.end(), [](double v) { return v > 0.0; });
}

}  // namespace

bool is_machine_option(std::string_view key) {
  constexpr std::array<std::string_view, 5> kOptions = {"data", "cache", "threads",
                                                        "loader-threads", "executor"};
  return std::find(kOptions.begin(), kOptions.end(), key) != kOptions.end();
}

void check_choice(const char* flag, const std::string& value,
                  const std::vector<std::string>& known) {
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

void validate(const DataOptions& options) {
  if (options.data.empty()) {
    throw UserError("--data: no data set given; name its folder");
  }
  check_choice("layout", options.layout,
               {"auto", "folders", "csv", "cifar", "adp", "bcss", "lists"});
  check_choice("adp-level", options.adp_level, {"L1", "L2", "L3"});
  check_choice("augment", options.augment, {"none", "flips", "pathology", "cifar"});
  if (options.normalize != "measured") {
    need_normalization(options.normalize, "measured, ");
  }
  check_range("size", options.size, 8, 4096);
  check_range("cutout", options.cutout, 0, options.size);
  check_range("rotation", options.rotation, 0.0, 180.0);
  check_range("shift", options.shift, 0.0, 1.0);
  check_range("pad-crop", options.pad_crop, 0, options.size);
  const DataOptions unchanged;
  const auto refuse_idle = [&](const char* flag, bool changed, const char* recipe) {
    if (changed && options.augment != recipe) {
      throw UserError(fmt::format("--{}: changes nothing with --augment {}; it goes with {}", flag,
                                  options.augment, recipe));
    }
  };
  refuse_idle("rotation", options.rotation != unchanged.rotation, "pathology");
  refuse_idle("shift", options.shift != unchanged.shift, "pathology");
  refuse_idle("pad-crop", options.pad_crop != unchanged.pad_crop, "cifar");
}

void validate(const WeightOptions& options) {
  check_choice("optimizer", options.optimizer, {"adas", "sgd"});
  check_range("epochs", options.epochs, 1, 100000);
  check_range("batch", options.batch, 1, 65536);
  check_range("lr", options.lr, 0.0, 1000.0);
  check_range("lr-final", options.lr_final, 0.0, 1000.0);
  check_range("momentum", options.momentum, 0.0, 1.0);
  check_range("weight-decay", options.weight_decay, 0.0, 1.0);
  check_range("clip", options.clip, 1e-12, 1e12);
  check_range("beta", options.beta, 0.0, 1.0);
  check_range("zeta", options.zeta, 0.0, 1000.0);
  check_range("gamma", options.gamma, 0.0, 1000.0);
  check_range("step-size", options.step_size, 1, 100000);
}

void validate(const RunOptions& options) {
  check_choice("probe-scale", options.probe_scale, {"published", "scale-free"});
  check_choice("dtype", options.dtype, {"float32", "float64"});
  check_choice("executor", options.executor, {"auto", "composed", "fused"});
  check_range("threads", options.threads, 1, 1024);
  check_range("loader-threads", options.loader_threads, 0, 1024);
}

std::optional<data::Normalization> normalization_named(const std::string& text) {
  if (const auto published = data::published_normalization(text)) {
    return published;
  }
  const auto numbers = normalization_of_numbers(text);
  return numbers && spreads(*numbers) ? numbers : std::nullopt;
}

data::Normalization need_normalization(const std::string& text, const std::string& more) {
  if (const auto known = normalization_named(text)) {
    return *known;
  }
  if (normalization_of_numbers(text)) {
    throw UserError(fmt::format(
        "--normalize: '{}' has a standard deviation that is not above 0; correct it", text));
  }
  throw UserError(
      fmt::format("--normalize: '{}' is unknown; use one of {}none, cifar10, cifar100, adp, bcss, "
                  "bach, osteosarcoma, imagenet, or numbers R,G,B/R,G,B",
                  text, more));
}

data::Augmentation augmentation_of(const DataOptions& options) {
  data::Augmentation augmentation;
  augmentation.flip_horizontal = options.augment != "none";
  augmentation.flip_vertical = options.augment == "flips" || options.augment == "pathology";
  if (options.augment == "pathology") {
    augmentation.max_rotation_degrees = options.rotation;
    augmentation.max_shift_share = options.shift;
  }
  augmentation.pad_crop_px = options.augment == "cifar" ? options.pad_crop : 0;
  augmentation.cutout_px = options.cutout;
  return augmentation;
}

nets::Precision precision_of(const RunOptions& options) {
  return options.dtype == "float32" ? nets::Precision::kFloat32 : nets::Precision::kFloat64;
}

probe::EvbmfScale evbmf_scale_of(const RunOptions& options) {
  return options.probe_scale == "published" ? probe::EvbmfScale::kAsPublished
                                            : probe::EvbmfScale::kScaleFree;
}

}  // namespace probedarts::learn
