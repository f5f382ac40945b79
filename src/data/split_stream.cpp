#include "data/split_stream.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "data/augment.hpp"
#include "data/batch_queue.hpp"
#include "data/cifar.hpp"
#include "data/image.hpp"
#include "data/parallel.hpp"

namespace probedarts::data {
namespace {

constexpr std::size_t kNotCached = static_cast<std::size_t>(-1);

std::size_t patch_values(int size_px) {
  return 3 * static_cast<std::size_t>(size_px) * static_cast<std::size_t>(size_px);
}

/// Moves the first `count` images of a batch to the end of another.
void move_images(Batch& from, std::size_t count, Batch& to) {
  const std::size_t values = from.count == 0 ? 0 : from.images.size() / from.count;
  const auto end = from.images.begin() + static_cast<std::ptrdiff_t>(count * values);
  to.images.insert(to.images.end(), from.images.begin(), end);
  from.images.erase(from.images.begin(), end);
  const auto last = from.indices.begin() + static_cast<std::ptrdiff_t>(count);
  to.indices.insert(to.indices.end(), from.indices.begin(), last);
  from.indices.erase(from.indices.begin(), last);
  from.count -= count;
  to.count += count;
}

}  // namespace

struct SplitStream::Impl {
  Impl(const Dataset& data, Split from, CacheOptions cached, const StreamOptions& wanted)
      : dataset(data),
        samples(data.of(from)),
        cache_options(std::move(cached)),
        options(wanted),
        table(wanted.normalization),
        cache(PatchCache::find(data, cache_options)),
        split(from),
        patches(samples.size(), kNotCached),
        queue([this](std::size_t number, Batch& batch) { make(number, batch); }, wanted.ahead,
              std::max(wanted.ahead, 1) + 1) {
    require(options.batch > 0, "a stream needs a positive batch size");
    for (std::size_t i = 0; cache && i < cache->count(from); ++i) {
      patches[cache->place(from, i)] = i;
    }
    for (const Sample& sample : samples) {
      if (sample.record >= 0 && cifar_files.count(sample.file) == 0) {
        cifar_files[sample.file] = read_file(sample.file);
      }
    }
    queue.start(0, (samples.size() + options.batch - 1) / options.batch);
  }

  Image read(const Sample& sample) const {
    return sample.record >= 0
               ? cifar_image(cifar_files.at(sample.file), dataset.cifar_label_bytes, sample.record)
               : read_image(sample.file);
  }

  /// Writes a sample's normalised pixels. \returns whether it could be read.
  bool put(std::size_t place, float* to) const {
    const int side = cache_options.size_px;
    if (patches[place] != kNotCached) {
      std::vector<std::uint8_t> patch(patch_values(side));
      cache->read_pixels(split, patches[place], patch);
      augment_patch(patch.data(), side, {}, table, to);
      return true;
    }
    try {
      const Image image = resize_bicubic(read(samples[place]), side, side);
      augment_patch(image.rgb.data(), side, {}, table, to);
    } catch (const UserError& error) {
      if (!cache_options.skip_unreadable) {
        throw UserError(fmt::format("{}, or skip it with --skip-unreadable", error.what()));
      }
      return false;
    }
    return true;
  }

  /// The readable ones of a stretch of samples.
  void make(std::size_t number, Batch& batch) const {
    const std::size_t first = number * options.batch;
    const std::size_t count = std::min(options.batch, samples.size() - first);
    const std::size_t values = patch_values(cache_options.size_px);
    batch.size_px = cache_options.size_px;
    batch.count = 0;
    batch.indices.clear();
    batch.images.resize(count * values);
    std::vector<char> readable(count, 0);
    // Copies from the cache take less time than threads to start.
    parallel_in_order(count, cache ? 1 : cache_options.threads, [&](std::size_t i) {
      readable[i] = put(first + i, batch.images.data() + i * values) ? 1 : 0;
    });
    for (std::size_t i = 0; i < count; ++i) {
      if (readable[i] == 0) {
        continue;
      }
      if (batch.count != i) {
        std::copy_n(batch.images.data() + i * values, values,
                    batch.images.data() + batch.count * values);
      }
      ++batch.count;
      batch.indices.push_back(first + i);
    }
    batch.images.resize(batch.count * values);
  }

  /// A stretch as it was made; what is missing in it is noted.
  PooledBatch take() {
    PooledBatch batch = queue.next();
    if (batch) {
      const std::size_t end = std::min(served + options.batch, samples.size());
      auto known = batch->indices.begin();
      for (; served < end; ++served) {
        if (known != batch->indices.end() && *known == served) {
          ++known;
        } else {
          unreadable.push_back(served);
        }
      }
    }
    return batch;
  }

  PooledBatch next() {
    PooledBatch batch = std::exchange(left, nullptr);
    while (!batch || batch->count < options.batch) {
      PooledBatch more = take();
      if (!more) {
        break;
      }
      if (!batch || batch->count == 0) {
        batch = std::move(more);
        continue;
      }
      move_images(*more, std::min(more->count, options.batch - batch->count), *batch);
      left = std::move(more);
    }
    return batch && batch->count > 0 ? std::move(batch) : nullptr;
  }

  const Dataset& dataset;
  const std::vector<Sample>& samples;
  const CacheOptions cache_options;
  const StreamOptions options;
  const NormalizationTable table;
  const std::optional<PatchCache> cache;
  const Split split;
  std::vector<std::size_t> patches;  ///< places in the cache; kNotCached: to be decoded
  std::map<std::filesystem::path, std::string> cifar_files;
  std::size_t served = 0;  ///< samples looked at
  std::vector<std::size_t> unreadable;
  PooledBatch left;  ///< of a stretch, beyond the batch it completed
  BatchQueue queue;  // last: its threads use all of the above
};

SplitStream::SplitStream(const Dataset& dataset, Split split, const CacheOptions& cache,
                         const StreamOptions& options)
    : impl_(std::make_unique<Impl>(dataset, split, cache, options)) {}

SplitStream::~SplitStream() = default;

PooledBatch SplitStream::next() { return impl_->next(); }

const std::vector<std::size_t>& SplitStream::unreadable() const { return impl_->unreadable; }

}  // namespace probedarts::data
