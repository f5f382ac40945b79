#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "learn/epoch_progress.hpp"
#include "learn/model_card.hpp"
#include "nets/network_state.hpp"
#include "optim/adas.hpp"

namespace probedarts::learn {

/// Where a training stands.
struct TrainProgress : EpochProgress {
  int best_epoch = -1;      ///< whose weights are best.safetensors; -1: none yet
  double best_error = 1.0;  ///< its validation error
};

/// Everything an exact resume needs. Random numbers need no state: they are functions of (seed,
/// name, epoch, index).
struct TrainCheckpoint {
  nets::NetworkState network;
  at::Tensor momentum;  ///< flat, as the weights
  bool momentum_started = false;
  std::optional<optim::AdasState> adas;
  TrainProgress progress;
  std::string fingerprint;  ///< of the data
};

/// Writes a checkpoint: weights under their names with the model's card, as `save_weights` does,
/// and beside them what only training needs, under `resume.`.
void save_train_checkpoint(const std::filesystem::path& path, const ModelCard& card,
                           const nets::TensorTable& table, const TrainCheckpoint& checkpoint);

/// Reads it back. \throws UserError when the file is missing, truncated, damaged, of another
/// program or version, or does not fit the network.
TrainCheckpoint load_train_checkpoint(const std::filesystem::path& path,
                                      const nets::TensorTable& table, nets::Precision precision);

}  // namespace probedarts::learn
