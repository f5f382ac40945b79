#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/loader.hpp"
#include "learn/loss.hpp"
#include "learn/options.hpp"
#include "nets/executor.hpp"
#include "nets/network_state.hpp"

/// From a data set on disk to batches of tensors: what the search, training and evaluation share.
namespace probedarts::learn {

/// A data set with its decoded patches.
struct OpenedPatches {
  data::Dataset dataset;
  data::PatchCache cache;
};

/// The data set that options name, its images not yet read. \throws UserError (docs/data.md).
data::Dataset dataset_of(const DataOptions& options, const RunOptions& run, double valid_share);

/// Where and how options want patches of this size cached.
data::CacheOptions cache_options(const DataOptions& options, const RunOptions& run, int size_px);

/// Says on the error stream which images were left out; nothing when none was.
void print_unreadable(const std::vector<std::string>& files);

/// Opens a data set and its cache; says on the error stream which images were left out.
/// \param valid_share  see data::DatasetOptions. \throws UserError (docs/data.md).
OpenedPatches open_patches(const DataOptions& options, const RunOptions& run,
                           double valid_share = 0.0);

/// \throws UserError when the data are not those that a run with this fingerprint began with.
void require_same_data(const data::PatchCache& cache, const std::string& fingerprint,
                       const DataOptions& options);

/// The normalisation that `options.normalize` names.
data::Normalization normalization_of(const DataOptions& options, const data::PatchCache& cache);

/// Options of a loader of one epoch after the other, with augmentation.
data::LoaderOptions loader_options(const DataOptions& options, const RunOptions& run, int batch,
                                   const data::Normalization& normalization);

/// The same without augmentation and in order, for errors and predictions.
data::LoaderOptions in_order(data::LoaderOptions options);

/// Every place of a split, in order.
std::vector<std::size_t> all_of(const data::PatchCache& cache, data::Split split);

/// The loss of a task; for several labels the classes are weighted by their shares of `indices` of
/// the train split. \throws UserError when a class has no positive there.
Objective objective_of(const data::PatchCache& cache, const std::vector<std::size_t>& indices);

/// A mini-batch with the memory its tensors look into.
struct OwnedBatch {
  data::PooledBatch memory;
  LabelledBatch tensors;
};

/// What a loader serves, as tensors: images in channels-last memory, labels as LabelledBatch says.
std::optional<OwnedBatch> next_batch(data::Loader& loader, const data::PatchCache& cache,
                                     nets::Precision precision);

/// [count, 3, size, size] float32 in channels-last memory, a view of a batch's images.
at::Tensor images_tensor(data::Batch& batch);

/// Averages of one pass over images.
struct PassFigures {
  double loss = 0.0;
  double error = 0.0;  ///< share of wrong decisions, 0..1
  std::uint64_t images = 0;
};

/// One pass in evaluation mode over all that `loader` serves. \throws Interrupted after a signal.
PassFigures evaluate_pass(nets::Executor& executor, nets::NetworkState& network,
                          const Objective& objective, data::Loader& loader,
                          const data::PatchCache& cache, nets::Precision precision);

}  // namespace probedarts::learn
