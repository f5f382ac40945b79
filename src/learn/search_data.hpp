#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "data/loader.hpp"
#include "learn/loss.hpp"
#include "learn/search_config.hpp"
#include "nets/network_state.hpp"

namespace probedarts::learn {

/// A mini-batch with the memory its tensors look into.
struct OwnedBatch {
  data::Batch memory;
  LabelledBatch tensors;
};

/// The data of a search: the train split in two halves, and what follows from them.
class SearchData {
 public:
  /// Opens the data set and its cache, cuts the halves. \throws UserError (docs/data.md).
  SearchData(const SearchConfig& config, nets::Precision precision);

  const data::PatchCache& cache() const { return cache_; }
  const std::string& layout() const { return layout_; }
  const data::SearchHalves& halves() const { return halves_; }
  const data::Normalization& normalization() const { return normalization_; }
  Objective objective() const;
  int classes() const { return static_cast<int>(cache_.classes().size()); }

  /// Batches of an epoch that weights learn on.
  std::size_t train_batches() const { return train_->batches(); }
  void start_train(int epoch, std::uint64_t step);
  std::optional<OwnedBatch> next_train();

  /// The validation batch of architecture step `index`, counted from the beginning of the search:
  /// the half is walked again and again, each time in a new order. Consecutive calls with
  /// consecutive indices are cheap.
  OwnedBatch alpha_batch(std::uint64_t index);

  /// The validation half without augmentation, in order, for the error of an epoch.
  void start_evaluation();
  std::optional<OwnedBatch> next_evaluation();

  double wait_seconds() const;  ///< that training has waited for data in this epoch

 private:
  std::optional<OwnedBatch> owned(std::optional<data::Batch> batch) const;

  nets::Precision precision_;
  std::string layout_;
  data::PatchCache cache_;
  data::SearchHalves halves_;
  data::Normalization normalization_;
  std::unique_ptr<data::Loader> train_, alpha_, evaluation_;
  std::uint64_t next_alpha_ = 0;
  bool alpha_started_ = false;
};

}  // namespace probedarts::learn
