#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "learn/bilevel.hpp"
#include "learn/epoch_progress.hpp"
#include "optim/adas.hpp"

namespace probedarts::learn {

/// Where a search stands, down to the half of an iteration.
struct SearchProgress : EpochProgress {
  bool alpha_done = false;        ///< the architecture step of the next iteration is done already
  std::uint64_t alpha_steps = 0;  ///< validation batches used since the search began
};

/// Everything an exact resume needs. Random numbers need no state: they are functions of (seed,
/// name, epoch, index).
struct SearchCheckpoint {
  SearchState state;
  std::optional<optim::AdasState> adas;
  SearchProgress progress;
  std::string fingerprint;  ///< of the data
};

/// Writes a checkpoint: a safetensors file with a hash of its own content, to a temporary name,
/// synced, renamed.
void save_checkpoint(const std::filesystem::path& path, const SearchCheckpoint& checkpoint);

/// Reads it back. \throws UserError when the file is missing, truncated, damaged, of another
/// program or version, or does
///         not fit the network.
SearchCheckpoint load_checkpoint(const std::filesystem::path& path,
                                 const nets::NetworkLayout& layout, nets::Precision precision);

}  // namespace probedarts::learn
