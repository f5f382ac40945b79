#include "data/loader.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "data/augment.hpp"
#include "data/batch_queue.hpp"
#include "data/equal_patches.hpp"

namespace probedarts::data {

struct Loader::Impl {
  Impl(const PatchCache& patches, Split from, std::vector<std::size_t> chosen, LoaderOptions wanted)
      : cache(patches),
        split(from),
        indices(std::move(chosen)),
        options(std::move(wanted)),
        table(options.normalization),
        queue(nullptr, options.threads, options.prefetch) {
    require(options.batch > 0, "a loader needs a positive batch size");
    const std::size_t count = cache.count(split);
    require(std::all_of(indices.begin(), indices.end(), [&](std::size_t i) { return i < count; }),
            "a loader's indices lie within its split");
  }

  std::size_t batches() const {
    const std::size_t whole = indices.size() / options.batch;
    return options.drop_last || indices.size() % options.batch == 0 ? whole : whole + 1;
  }

  std::vector<std::size_t> order_of(std::uint64_t epoch) const {
    if (!options.shuffle) {
      return indices;
    }
    Stream random(options.seed, options.stream + "/order", epoch);
    std::vector<std::size_t> order = random_order(indices.size(), random);
    for (std::size_t& place : order) {
      place = indices[place];
    }
    return order;
  }

  void make(const std::vector<std::size_t>& order, std::uint64_t epoch, std::size_t number,
            Batch& batch) const {
    const std::size_t begin = number * options.batch;
    const std::size_t end = std::min(begin + options.batch, order.size());
    const std::size_t side = static_cast<std::size_t>(cache.size_px());
    const std::size_t patch = 3 * side * side;
    batch.count = end - begin;
    batch.size_px = cache.size_px();
    batch.images.resize(batch.count * patch);
    batch.indices.assign(order.begin() + static_cast<std::ptrdiff_t>(begin),
                         order.begin() + static_cast<std::ptrdiff_t>(end));
    batch.labels.clear();
    batch.targets.clear();
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t sample = order[i];
      const AugmentationDraw draw = draw_augmentation(options.augmentation, cache.size_px(),
                                                      options.seed, options.stream, epoch, sample);
      augment_patch(cache.pixels(split, sample), cache.size_px(), draw, table,
                    batch.images.data() + (i - begin) * patch);
      if (cache.kind() == LabelKind::kSingle) {
        batch.labels.push_back(cache.label(split, sample));
      } else {
        const std::vector<std::uint8_t>& labels = cache.labels(split, sample);
        batch.targets.insert(batch.targets.end(), labels.begin(), labels.end());
      }
    }
  }

  const PatchCache& cache;
  const Split split;
  const std::vector<std::size_t> indices;
  const LoaderOptions options;
  const NormalizationTable table;
  BatchQueue queue;  // last: its threads use all of the above
};

Loader::Loader(const PatchCache& cache, Split split, std::vector<std::size_t> indices,
               LoaderOptions options)
    : impl_(std::make_unique<Impl>(cache, split, std::move(indices), std::move(options))) {}

Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;

std::size_t Loader::batches() const { return impl_->batches(); }

std::size_t Loader::samples() const {
  const std::size_t all = impl_->indices.size();
  return impl_->options.drop_last ? all - all % impl_->options.batch : all;
}

void Loader::start_epoch(std::uint64_t epoch, std::size_t first) {
  impl_->queue.start(
      first, impl_->batches(),
      [impl = impl_.get(), epoch, order = impl_->order_of(epoch)](
          std::size_t number, Batch& batch) { impl->make(order, epoch, number, batch); });
}

PooledBatch Loader::next() { return impl_->queue.next(); }

double Loader::wait_seconds() const { return impl_->queue.wait_seconds(); }

std::optional<Normalization> published_normalization(const std::string& name) {
  static const std::map<std::string, Normalization> kPublished = {
      {"adp", {{0.81233799, 0.64032477, 0.81902153}, {0.18129702, 0.25731668, 0.16800649}}},
      {"bach", {{0.6880, 0.5881, 0.8209}, {0.1632, 0.1841, 0.1175}}},
      {"bcss", {{0.7107, 0.4878, 0.6726}, {0.1788, 0.2152, 0.1615}}},
      {"cifar10", {{0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}}},
      {"cifar100", {{0.5071, 0.4867, 0.4408}, {0.2675, 0.2565, 0.2761}}},
      {"imagenet", {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}}},
      {"none", {{0.0, 0.0, 0.0}, {1.0, 1.0, 1.0}}},
      {"osteosarcoma", {{0.8414, 0.6492, 0.7377}, {0.1379, 0.2508, 0.1979}}},
  };
  const auto found = kPublished.find(name);
  return found == kPublished.end() ? std::nullopt : std::optional(found->second);
}

namespace {

/// Images that stay together, as a number for each: that of the first image of its block.
class Blocks {
 public:
  explicit Blocks(std::size_t count) : before_(count) {
    std::iota(before_.begin(), before_.end(), std::size_t{0});
  }

  std::size_t first_of(std::size_t image) {
    while (before_[image] != image) {
      image = before_[image] = before_[before_[image]];
    }
    return image;
  }

  void join(std::size_t one, std::size_t other) {
    const auto [low, high] = std::minmax({first_of(one), first_of(other)});
    before_[high] = low;
  }

 private:
  std::vector<std::size_t> before_;
};

/// How many patches have the content of an earlier one.
std::size_t count_copies(const std::vector<std::size_t>& first_equal) {
  std::size_t copies = 0;
  for (std::size_t i = 0; i < first_equal.size(); ++i) {
    copies += first_equal[i] == i ? 0 : 1;
  }
  return copies;
}

/// Indices of the train split in a random order, cut into blocks that stay together.
std::vector<std::vector<std::size_t>> random_blocks(const PatchCache& cache,
                                                    const std::vector<std::size_t>& first_equal,
                                                    std::uint64_t seed, bool by_group) {
  const std::size_t count = first_equal.size();
  Blocks together(count);
  std::map<std::string, std::size_t> first_of_group;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& group = cache.group(Split::kTrain, i);
    if (by_group && !group.empty()) {
      together.join(first_of_group.try_emplace(group, i).first->second, i);
    }
    together.join(first_equal[i], i);
  }
  std::vector<std::vector<std::size_t>> blocks;
  std::map<std::size_t, std::size_t> block_of;
  for (std::size_t i = 0; i < count; ++i) {
    const auto [place, is_new] = block_of.try_emplace(together.first_of(i), blocks.size());
    if (is_new) {
      blocks.emplace_back();
    }
    blocks[place->second].push_back(i);
  }
  Stream random(seed, "halves");
  std::vector<std::vector<std::size_t>> shuffled;
  for (const std::size_t place : random_order(blocks.size(), random)) {
    shuffled.push_back(std::move(blocks[place]));
  }
  return shuffled;
}

}  // namespace

SearchHalves split_halves(const PatchCache& cache, double portion, std::uint64_t seed,
                          bool by_group) {
  const std::size_t count = cache.count(Split::kTrain);
  const auto wanted = static_cast<std::size_t>(portion * static_cast<double>(count));
  const std::vector<std::size_t> first_equal = first_equals(cache, Split::kTrain);
  SearchHalves halves;
  halves.copies = count_copies(first_equal);
  for (const std::vector<std::size_t>& block : random_blocks(cache, first_equal, seed, by_group)) {
    // A block joins the weights' half when that brings its size nearer to what is wanted.
    const std::size_t have = halves.train.size();
    const bool nearer = have < wanted && block.size() <= 2 * (wanted - have);
    std::vector<std::size_t>& half = nearer ? halves.train : halves.valid;
    half.insert(half.end(), block.begin(), block.end());
  }
  if (halves.train.empty() || halves.valid.empty()) {
    throw UserError(fmt::format(
        "train split: {} images{}{} cut at a portion of {} leave one half of the search empty; "
        "choose another portion{} or add images",
        count, by_group ? " in whole groups" : "",
        halves.copies > 0 ? " with copies kept together" : "", portion,
        by_group ? ", split without groups" : ""));
  }
  return halves;
}

std::vector<float> class_weights(const PatchCache& cache, const std::vector<std::size_t>& indices) {
  require(cache.kind() == LabelKind::kMulti, "class weights belong to multi-label data");
  const std::vector<std::string>& classes = cache.classes();
  std::vector<std::size_t> positives(classes.size(), 0);
  for (const std::size_t index : indices) {
    const std::vector<std::uint8_t>& labels = cache.labels(Split::kTrain, index);
    for (std::size_t c = 0; c < classes.size(); ++c) {
      positives[c] += labels[c];
    }
  }
  std::vector<float> weights;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (positives[c] == 0) {
      throw UserError(fmt::format(
          "class '{}': none of the {} training images has it, so its weight in the loss has no "
          "value; leave the class out, or train on more images",
          classes[c], indices.size()));
    }
    weights.push_back(static_cast<float>(static_cast<double>(indices.size()) /
                                         static_cast<double>(positives[c])));
  }
  return weights;
}

}  // namespace probedarts::data
