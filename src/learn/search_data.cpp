#include "learn/search_data.hpp"

#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include <ATen/ops/from_blob.h>

#include "core/errors.hpp"
#include "core/progress.hpp"
#include "data/dataset.hpp"

namespace probedarts::learn {
namespace {

namespace fs = std::filesystem;

fs::path cache_folder(const SearchConfig& config) {
  if (!config.cache.empty()) {
    return config.cache;
  }
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0') {
    return fs::path(xdg) / "probedarts";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return fs::path(home) / ".cache" / "probedarts";
  }
  return fs::temp_directory_path() / "probedarts";
}

struct Opened {
  std::string layout;
  data::PatchCache cache;
};

Opened open_cache(const SearchConfig& config) {
  data::DatasetOptions options;
  options.layout = config.layout;
  options.adp_level = config.adp_level;
  options.label_columns = config.label_columns;
  options.group_column = config.group_column;
  options.seed = config.seed;
  const data::Dataset dataset = data::open_dataset(config.data, options);
  data::CacheOptions cache;
  cache.size_px = config.size;
  cache.folder = cache_folder(config);
  cache.threads = config.threads;
  cache.skip_unreadable = config.skip_unreadable;
  Opened opened{dataset.layout, data::PatchCache::open(dataset, cache)};
  if (!opened.cache.unreadable().empty()) {
    print_line(fmt::format("{} unreadable images left out:", opened.cache.unreadable().size()));
    for (const std::string& path : opened.cache.unreadable()) {
      print_line("  " + path);
    }
  }
  return opened;
}

void check_batch(const SearchConfig& config, const char* half, std::size_t images) {
  if (static_cast<std::size_t>(config.batch) > images) {
    throw UserError(fmt::format(
        "--batch: {} is larger than the {} images of the {} half of the train split; use a "
        "smaller batch or more data",
        config.batch, images, half));
  }
}

}  // namespace

SearchData::SearchData(const SearchConfig& config, nets::Precision precision)
    : precision_(precision), cache_([&] {
        Opened opened = open_cache(config);
        layout_ = opened.layout;
        return std::move(opened.cache);
      }()) {
  halves_ = data::split_halves(cache_, config.train_portion, config.seed, config.split_by_group);
  check_batch(config, "weight", halves_.train.size());
  check_batch(config, "architecture", halves_.valid.size());
  normalization_ = config.normalize == "measured"
                       ? cache_.measured_normalization(data::Split::kTrain)
                       : *data::published_normalization(config.normalize);
  data::LoaderOptions options;
  options.batch = static_cast<std::size_t>(config.batch);
  options.augmentation = augmentation_of(config);
  options.normalization = normalization_;
  options.seed = config.seed;
  options.threads = config.loader_threads;
  const auto loader = [&](const char* stream, const std::vector<std::size_t>& indices) {
    options.stream = stream;
    // A last batch of one image has no batch statistics once a map has shrunk to one pixel.
    options.drop_last = options.shuffle && indices.size() % options.batch == 1;
    return std::make_unique<data::Loader>(cache_, data::Split::kTrain, indices, options);
  };
  train_ = loader("train", halves_.train);
  alpha_ = loader("alpha", halves_.valid);
  options.augmentation = {};
  options.shuffle = false;
  evaluation_ = loader("evaluation", halves_.valid);
}

Objective SearchData::objective() const {
  if (cache_.kind() == data::LabelKind::kSingle) {
    return Objective::cross_entropy();
  }
  std::vector<float> weights = data::class_weights(cache_, halves_.train);
  return Objective::multi_label(
      at::from_blob(weights.data(), {static_cast<std::int64_t>(weights.size())}).clone());
}

std::optional<OwnedBatch> SearchData::owned(std::optional<data::Batch> batch) const {
  if (!batch) {
    return std::nullopt;
  }
  OwnedBatch result{std::move(*batch), {}};
  data::Batch& memory = result.memory;
  const auto count = static_cast<std::int64_t>(memory.count);
  const at::Tensor pixels =
      at::from_blob(memory.images.data(), {count, memory.size_px, memory.size_px, 3});
  const at::ScalarType type = precision_ == nets::Precision::kFloat32 ? at::kFloat : at::kDouble;
  result.tensors.images =
      pixels.permute({0, 3, 1, 2}).to(type);  // channels-last memory, as it came
  if (cache_.kind() == data::LabelKind::kSingle) {
    result.tensors.labels = at::from_blob(memory.labels.data(), {count}, at::kLong);
  } else {
    result.tensors.labels = at::from_blob(memory.targets.data(), {count, classes()}).to(type);
  }
  return result;
}

void SearchData::start_train(int epoch, std::uint64_t step) {
  train_->start_epoch(static_cast<std::uint64_t>(epoch), static_cast<std::size_t>(step));
}

std::optional<OwnedBatch> SearchData::next_train() { return owned(train_->next()); }

OwnedBatch SearchData::alpha_batch(std::uint64_t index) {
  const std::uint64_t batches = alpha_->batches();
  if (!alpha_started_ || index != next_alpha_ || index % batches == 0) {
    alpha_->start_epoch(index / batches, static_cast<std::size_t>(index % batches));
    alpha_started_ = true;
  }
  next_alpha_ = index + 1;
  std::optional<OwnedBatch> batch = owned(alpha_->next());
  require(batch.has_value(), "the architecture half has no batch");
  return std::move(*batch);
}

void SearchData::start_evaluation() { evaluation_->start_epoch(0); }

std::optional<OwnedBatch> SearchData::next_evaluation() { return owned(evaluation_->next()); }

double SearchData::wait_seconds() const { return train_->wait_seconds() + alpha_->wait_seconds(); }

}  // namespace probedarts::learn
