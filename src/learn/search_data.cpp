#include "learn/search_data.hpp"

#include <utility>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/progress.hpp"
#include "data/equal_patches.hpp"

namespace probedarts::learn {
namespace {

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
    : precision_(precision), opened_(open_patches(config, config)) {
  halves_ = data::split_halves(cache(), config.train_portion, config.seed, config.split_by_group);
  if (halves_.copies > 0) {
    print_line(
        fmt::format("{} training images are copies of others; each is in the half of its like",
                    halves_.copies));
  }
  if (const auto sentence = data::shared_images_sentence(opened_.dataset, cache())) {
    print_line("warning: " + *sentence);
  }
  check_batch(config, "weight", halves_.train.size());
  check_batch(config, "architecture", halves_.valid.size());
  normalization_ = normalization_of(config, cache());
  const data::LoaderOptions options = loader_options(config, config, config.batch, normalization_);
  probe_options_ = in_order(options);
  probe_options_.shuffle = true;  // as they lie on disk, the first images may be of one class
  probe_options_.stream = "probe";
  probe_options_.drop_last = true;
  probe_options_.threads = 0;
  const auto learning = [&](const char* stream, const std::vector<std::size_t>& indices) {
    data::LoaderOptions own = options;
    own.stream = stream;
    // A last batch of one image has no batch statistics once a map has shrunk to one pixel.
    own.drop_last = indices.size() % own.batch == 1;
    return std::make_unique<data::Loader>(cache(), data::Split::kTrain, indices, own);
  };
  train_ = learning("train", halves_.train);
  alpha_ = learning("alpha", halves_.valid);
  evaluation_ = std::make_unique<data::Loader>(cache(), data::Split::kTrain, halves_.valid,
                                               in_order(options));
}

void SearchData::start_train(int epoch, std::uint64_t step) {
  train_->start_epoch(static_cast<std::uint64_t>(epoch), static_cast<std::size_t>(step));
}

std::optional<OwnedBatch> SearchData::next_train() {
  return next_batch(*train_, cache(), precision_);
}

OwnedBatch SearchData::alpha_batch(std::uint64_t index) {
  const std::uint64_t batches = alpha_->batches();
  if (!alpha_started_ || index != next_alpha_ || index % batches == 0) {
    alpha_->start_epoch(index / batches, static_cast<std::size_t>(index % batches));
    alpha_started_ = true;
  }
  next_alpha_ = index + 1;
  std::optional<OwnedBatch> batch = next_batch(*alpha_, cache(), precision_);
  require(batch.has_value(), "the architecture half has no batch");
  return std::move(*batch);
}

std::vector<OwnedBatch> SearchData::probe_batches(const std::vector<std::size_t>& half,
                                                  std::size_t count) {
  data::Loader loader(cache(), data::Split::kTrain, half, probe_options_);
  loader.start_epoch(0);
  std::vector<OwnedBatch> batches;
  while (batches.size() < count) {
    std::optional<OwnedBatch> batch = next_batch(loader, cache(), precision_);
    if (!batch) {
      break;
    }
    batches.push_back(std::move(*batch));
  }
  require(!batches.empty(), "a half holds a batch");  // the constructor has checked it
  return batches;
}

double SearchData::wait_seconds() const { return train_->wait_seconds() + alpha_->wait_seconds(); }

}  // namespace probedarts::learn
