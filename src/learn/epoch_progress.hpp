#pragma once

#include <cstdint>

#include <nlohmann/json_fwd.hpp>

#include "learn/loss.hpp"
#include "learn/patches.hpp"

namespace probedarts::learn {

/// Where a run stands, down to the iteration, with the sums of the epoch under way: what every
/// checkpoint keeps.
struct EpochProgress {
  int epoch = 0;           ///< under way, or about to begin
  std::uint64_t step = 0;  ///< iterations of it that are done
  double loss_sum = 0.0;   ///< over training images of this epoch
  double correct = 0.0;
  double decisions = 0.0;
  std::uint64_t images = 0;
  std::uint64_t epochs_bytes = 0;  ///< length of epochs.jsonl that belongs to this state

  /// One more iteration, on `count` images.
  void add(const LossResult& loss, std::int64_t count);
  /// Averages over the epoch so far.
  PassFigures figures() const;
};

nlohmann::json to_json(const EpochProgress& progress);
/// \throws nlohmann::json::exception when a field is missing.
void read_progress(const nlohmann::json& stored, EpochProgress& progress);

}  // namespace probedarts::learn
