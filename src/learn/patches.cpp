#include "learn/patches.hpp"

#include <cstdlib>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <ATen/ops/from_blob.h>

#include "core/errors.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "data/dataset.hpp"
#include "data/equal_patches.hpp"

namespace probedarts::learn {
namespace {

namespace fs = std::filesystem;

fs::path cache_folder(const DataOptions& options) {
  if (!options.cache.empty()) {
    return options.cache;
  }
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0') {
    return fs::path(xdg) / "probedarts";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return fs::path(home) / ".cache" / "probedarts";
  }
  return fs::temp_directory_path() / "probedarts";
}

}  // namespace

data::Dataset dataset_of(const DataOptions& options, const RunOptions& run, double valid_share) {
  data::DatasetOptions reading;
  reading.layout = options.layout;
  reading.adp_level = options.adp_level;
  reading.label_columns = options.label_columns;
  reading.group_column = options.group_column;
  reading.valid_share = valid_share;
  reading.seed = run.seed;
  return data::open_dataset(options.data, reading);
}

data::CacheOptions cache_options(const DataOptions& options, const RunOptions& run, int size_px) {
  data::CacheOptions cache;
  cache.size_px = size_px;
  cache.folder = cache_folder(options);
  cache.threads = run.threads;
  cache.skip_unreadable = options.skip_unreadable;
  return cache;
}

void print_unreadable(const std::vector<std::string>& files) {
  if (files.empty()) {
    return;
  }
  print_line(fmt::format("{} unreadable images left out:", files.size()));
  for (const std::string& file : files) {
    print_line("  " + file);
  }
}

OpenedPatches open_patches(const DataOptions& options, const RunOptions& run, double valid_share) {
  data::Dataset dataset = dataset_of(options, run, valid_share);
  data::PatchCache patches =
      data::PatchCache::open(dataset, cache_options(options, run, options.size));
  OpenedPatches opened{std::move(dataset), std::move(patches)};
  print_unreadable(opened.cache.unreadable());
  return opened;
}

std::vector<std::string> image_names(const OpenedPatches& opened, data::Split split) {
  return data::cached_names(opened.dataset, opened.cache, split);
}

void require_same_data(const data::PatchCache& cache, const std::string& fingerprint,
                       const DataOptions& options) {
  if (fingerprint != cache.fingerprint()) {
    throw UserError(fmt::format(
        "data set '{}' changed since the run began; restore it or start a new run", options.data));
  }
}

data::Normalization normalization_of(const DataOptions& options, const data::PatchCache& cache) {
  return options.normalize == "measured" ? cache.measured_normalization(data::Split::kTrain)
                                         : normalization_named(options.normalize).value();
}

data::LoaderOptions loader_options(const DataOptions& options, const RunOptions& run, int batch,
                                   const data::Normalization& normalization) {
  data::LoaderOptions loader;
  loader.batch = static_cast<std::size_t>(batch);
  loader.augmentation = augmentation_of(options);
  loader.normalization = normalization;
  loader.seed = run.seed;
  loader.threads = run.loader_threads;
  return loader;
}

data::LoaderOptions in_order(data::LoaderOptions options) {
  options.augmentation = {};
  options.shuffle = false;
  options.drop_last = false;
  options.stream = "evaluation";
  return options;
}

std::vector<std::size_t> all_of(const data::PatchCache& cache, data::Split split) {
  std::vector<std::size_t> indices(cache.count(split));
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return indices;
}

Objective objective_of(const data::PatchCache& cache, const std::vector<std::size_t>& indices) {
  if (cache.kind() == data::LabelKind::kSingle) {
    return Objective::cross_entropy();
  }
  std::vector<float> weights = data::class_weights(cache, indices);
  return Objective::multi_label(
      at::from_blob(weights.data(), {static_cast<std::int64_t>(weights.size())}).clone());
}

at::Tensor images_tensor(data::Batch& batch) {
  return at::from_blob(batch.images.data(),
                       {static_cast<std::int64_t>(batch.count), batch.size_px, batch.size_px, 3})
      .permute({0, 3, 1, 2});
}

std::optional<OwnedBatch> next_batch(data::Loader& loader, const data::PatchCache& cache,
                                     nets::Precision precision) {
  data::PooledBatch batch = loader.next();
  if (!batch) {
    return std::nullopt;
  }
  OwnedBatch result{std::move(batch), {}};
  data::Batch& memory = *result.memory;
  const auto count = static_cast<std::int64_t>(memory.count);
  const auto classes = static_cast<std::int64_t>(cache.classes().size());
  const at::ScalarType type = precision == nets::Precision::kFloat32 ? at::kFloat : at::kDouble;
  result.tensors.images = images_tensor(memory).to(type);
  if (cache.kind() == data::LabelKind::kSingle) {
    result.tensors.labels = at::from_blob(memory.labels.data(), {count}, at::kLong);
  } else {
    result.tensors.labels = at::from_blob(memory.targets.data(), {count, classes}).to(type);
  }
  return result;
}

PassFigures evaluate_pass(nets::Executor& executor, nets::NetworkState& network,
                          const Objective& objective, data::Loader& loader,
                          const data::PatchCache& cache, nets::Precision precision) {
  PassFigures figures;
  Progress bar("validation", loader.samples(), 0);
  double correct = 0.0;
  double decisions = 0.0;
  loader.start_epoch(0);
  while (const std::optional<OwnedBatch> batch = next_batch(loader, cache, precision)) {
    const at::Tensor logits = executor
                                  .forward(network, batch->tensors.images,
                                           {nets::Mode::kEvaluate, nets::Wanted::kNothing})
                                  .main;
    const LossResult loss = objective.evaluate(logits, batch->tensors.labels, false);
    const auto count = static_cast<std::uint64_t>(batch->tensors.count());
    figures.loss += loss.loss * static_cast<double>(count);
    figures.images += count;
    correct += loss.correct;
    decisions += loss.decisions;
    bar.advance(count);
    throw_if_interrupted("stopped in a pass over images");
  }
  figures.loss /= static_cast<double>(figures.images);
  figures.error = 1.0 - correct / decisions;
  return figures;
}

}  // namespace probedarts::learn
