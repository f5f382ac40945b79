#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "data/loader.hpp"

namespace probedarts::data {

/// How a split is streamed.
struct StreamOptions {
  std::size_t batch = 32;
  Normalization normalization;
  int ahead = 1;  ///< batches under way while the caller works; 0: `next` makes each itself
};

/// The images of one split in order, once, in the mini-batches that a Loader without augmentation
/// serves from a PatchCache: the same bits, but no cache is made, and no other split is read. Where
/// the cache is there already (PatchCache::find) its patches are taken; else every image is read,
/// decoded and resized when its batch is due, by `CacheOptions::threads` threads a batch.
class SplitStream {
 public:
  /// \param dataset  outlives the stream
  SplitStream(const Dataset& dataset, Split split, const CacheOptions& cache,
              const StreamOptions& options);
  ~SplitStream();

  /// The next batch, its images alone (no labels); nothing after the last. `indices` are places in
  /// the data set's list of the split. Unreadable images are left out, and the batches are as if
  /// they had never been listed.
  /// \throws UserError for the first unreadable image, unless skip_unreadable.
  PooledBatch next();

  /// Places of the images left out so far.
  const std::vector<std::size_t>& unreadable() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probedarts::data
