#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace probedarts::data {

/// Per-channel statistics of images scaled to 0..1.
struct Normalization {
  std::array<double, 3> mean = {0.0, 0.0, 0.0};
  std::array<double, 3> sd = {1.0, 1.0, 1.0};
};

/// Statistics published for a data set (docs/method.md, "Data sets"): cifar10, cifar100, adp, bcss,
/// bach, osteosarcoma, imagenet (that of torchvision's weights), none.
std::optional<Normalization> published_normalization(const std::string& name);

/// Random changes of a training image, drawn from (seed, epoch, sample) alone.
struct Augmentation {
  bool flip_horizontal = false;
  bool flip_vertical = false;
  double max_rotation_degrees = 0.0;  ///< affine, uniform in ±
  double max_shift_share = 0.0;       ///< of the side, uniform in ±
  int pad_crop_px = 0;                ///< zero padding, then a random crop of the old size
  int cutout_px = 0;                  ///< side of the square zeroed after normalisation
};

/// Where and how patches are cached at training size.
struct CacheOptions {
  int size_px = 64;              ///< square side after bicubic resize
  std::filesystem::path folder;  ///< where cache files live
  int threads = 2;
  bool skip_unreadable = false;  ///< count and list unreadable images instead of failing
};

/// All splits of a data set at one size: 8-bit RGB, read-only, shared by any number of threads and
/// processes.
///
/// The patches are decoded once into `<folder>/<fingerprint>.patches`, which is memory-mapped. The
/// file carries a hash of all its bytes that every opening checks; a truncated, damaged or foreign
/// file is made anew. The fingerprint needs a hash of every image's content: `<folder>/<hash of the
/// root>.contents` remembers them by path, size, and times of change, so that an unchanged data set
/// opens without its images being read. A file changed less than two seconds before it was hashed
/// is hashed again next time, since the file system's clock may not tell a later change apart.
/// Several processes may make the same file at once: each writes its own and renames it, and all
/// contents are equal.
class PatchCache {
 public:
  /// Opens the cache of this data set and size, or makes it (atomically; an interrupted build
  /// leaves nothing behind). Keyed by `fingerprint()`. \throws UserError for the first unreadable
  /// image, unless skip_unreadable; for a split none of whose images can be read; for a folder that
  /// cannot be written or a full disk; Interrupted after a signal.
  static PatchCache open(const Dataset& dataset, const CacheOptions& options);
  /// The cache if it is there already and known to be that of the images as they are now, with
  /// those that are unreadable left out. Reads no image and makes nothing.
  static std::optional<PatchCache> find(const Dataset& dataset, const CacheOptions& options);
  ~PatchCache();
  PatchCache(PatchCache&&) noexcept;
  PatchCache& operator=(PatchCache&&) noexcept;

  /// Hash over names, sizes and contents of all images, labels, splits and the patch size: 32 hex
  /// digits.
  const std::string& fingerprint() const;
  const std::vector<std::string>& unreadable() const;  ///< paths skipped
  LabelKind kind() const;
  const std::vector<std::string>& classes() const;
  int size_px() const;
  std::size_t count(Split split) const;
  std::size_t place(Split split, std::size_t index) const;  ///< in the data set's list of the split
  const std::uint8_t* pixels(Split split,
                             std::size_t index) const;  ///< size * size * 3 interleaved
  /// The same into memory of the caller, which is faster where each patch is looked at once
  /// (MappedFile::read). \throws UserError for a file that was cut off meanwhile.
  void read_pixels(Split split, std::size_t index, std::span<std::uint8_t> to) const;
  std::int32_t label(Split split, std::size_t index) const;
  const std::vector<std::uint8_t>& labels(Split split, std::size_t index) const;
  const std::string& group(Split split, std::size_t index) const;
  /// Mean and sd over all pixels of a split, the same bits on every machine; a channel without any
  /// variation gets sd 1. \throws Interrupted after a signal.
  Normalization measured_normalization(Split split) const;

 private:
  struct Impl;
  explicit PatchCache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Leaves the new elements of a vector unset, which is for numbers that are written before they are
/// read.
template <typename Number>
struct UnsetAllocator : std::allocator<Number> {
  UnsetAllocator() = default;
  template <typename Other>
  UnsetAllocator(const UnsetAllocator<Other>& /*other*/) {}
  void construct(Number* at) noexcept { ::new (static_cast<void*>(at)) Number; }
  void construct(Number* at, const Number& value) noexcept {
    ::new (static_cast<void*>(at)) Number(value);
  }
};

/// One mini-batch in the layout the networks take.
struct Batch {
  /// [count, height, width, 3] interleaved (channels last), normalised.
  std::vector<float, UnsetAllocator<float>> images;
  std::vector<std::int64_t> labels;  ///< single: [count]
  std::vector<float> targets;        ///< multi: [count, classes], 0 or 1
  std::vector<std::size_t> indices;  ///< [count] places in the split
  std::size_t count = 0;
  int size_px = 0;
};

/// Batches whose memory may be filled again. Clearing fresh memory takes a loader longer than
/// normalising the pixels that go into it.
class BatchPool;

/// A batch that goes back to its pool, if it has one, when it is dropped. It may outlive its
/// loader.
struct BatchReturn {
  std::shared_ptr<BatchPool> pool;
  void operator()(Batch* batch) const;
};
using PooledBatch = std::unique_ptr<Batch, BatchReturn>;

/// Which samples a loader serves and how.
struct LoaderOptions {
  std::size_t batch = 32;
  bool shuffle = true;  ///< a new order each epoch from (seed, stream, epoch)
  bool drop_last = false;
  Augmentation augmentation;
  Normalization normalization;
  std::uint64_t seed = 0;
  std::string stream = "train";  ///< name of its random streams: two loaders draw independently
  int threads = 1;               ///< prefetching threads; 0: `next` makes each batch itself
  int prefetch = 4;              ///< batches kept ready
};

/// Serves mini-batches of a subset of a split. What batch b of epoch e holds is a function of
/// options and data alone: not of threads, timing, or whether the epoch was entered in the middle.
class Loader {
 public:
  /// \param cache    outlives the loader and is not moved meanwhile
  /// \param indices  places in the split
  /// \throws Bug  a batch of 0, an index beyond the split, threads < 0 or prefetch < 1.
  Loader(const PatchCache& cache, Split split, std::vector<std::size_t> indices,
         LoaderOptions options);
  ~Loader();
  Loader(Loader&&) noexcept;

  std::size_t batches() const;  ///< in an epoch
  std::size_t samples() const;

  /// Starts (or restarts) an epoch at batch `first`; prefetching begins.
  void start_epoch(std::uint64_t epoch, std::size_t first = 0);

  /// The next batch of the epoch started; nothing after the last. Rethrows what a prefetching
  /// thread threw.
  PooledBatch next();

  double wait_seconds() const;  ///< time `next` has waited for data since start_epoch

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The two halves of the train split that a search learns from: places in that split.
struct SearchHalves {
  std::vector<std::size_t> train;  ///< of the weights
  std::vector<std::size_t> valid;  ///< of the architecture
  std::size_t copies = 0;          ///< images with the content of an earlier one
};

/// Cuts the train split into the two halves of a search: the first floor(portion * n) of a random
/// order (seed alone) learn the weights, the rest the architecture. Patches of equal content go to
/// one side, and where `by_group` so do whole groups (two that share content as one), as near to
/// that number as their sizes allow.
/// \throws UserError  a half is empty.
SearchHalves split_halves(const PatchCache& cache, double portion, std::uint64_t seed,
                          bool by_group);

/// Class weights of the multi-label loss: images / positives of the class (docs/method.md,
/// "Losses"), over `indices` of train. \throws UserError when a class has no positive.
std::vector<float> class_weights(const PatchCache& cache, const std::vector<std::size_t>& indices);

}  // namespace probedarts::data
