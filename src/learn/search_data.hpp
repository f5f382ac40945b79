#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/loader.hpp"
#include "learn/patches.hpp"
#include "learn/search_config.hpp"

namespace probedarts::learn {

/// The data of a search: the train split in two halves, and what follows from them.
class SearchData {
 public:
  /// Opens the data set and its cache, cuts the halves. \throws UserError (docs/data.md).
  SearchData(const SearchConfig& config, nets::Precision precision);

  const data::PatchCache& cache() const { return opened_.cache; }
  const std::string& layout() const { return opened_.dataset.layout; }
  const data::SearchHalves& halves() const { return halves_; }
  const data::Normalization& normalization() const { return normalization_; }
  Objective objective() const { return objective_of(cache(), halves_.train); }
  int classes() const { return static_cast<int>(cache().classes().size()); }

  /// Batches of an epoch that weights learn on.
  std::size_t train_batches() const { return train_->batches(); }
  void start_train(int epoch, std::uint64_t step);
  std::optional<OwnedBatch> next_train();

  /// The validation batch of architecture step `index`, counted from the beginning of the search:
  /// the half is walked again and again, each time in a new order. Consecutive calls with
  /// consecutive indices are cheap.
  OwnedBatch alpha_batch(std::uint64_t index);

  /// The first `count` batches of a half (or all), without augmentation, in an order of the seed
  /// alone: the same images at every call, for probes.
  std::vector<OwnedBatch> probe_batches(const std::vector<std::size_t>& half, std::size_t count);

  /// The validation half without augmentation, in order, for the error of an epoch.
  data::Loader& evaluation() { return *evaluation_; }

  double wait_seconds() const;  ///< that training has waited for data in this epoch

 private:
  nets::Precision precision_;
  OpenedPatches opened_;
  data::SearchHalves halves_;
  data::Normalization normalization_;
  data::LoaderOptions probe_options_;
  std::unique_ptr<data::Loader> train_, alpha_, evaluation_;
  std::uint64_t next_alpha_ = 0;
  bool alpha_started_ = false;
};

}  // namespace probedarts::learn
