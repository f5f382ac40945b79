#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/tensor_file.hpp"

namespace probedarts::exchange {

/// One tensor of a network.
struct WantedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  ElementType type = ElementType::kF32;  ///< F32 or F64; I64 for counters
};

/// What may differ between a network and a checkpoint. Names are globs: `*` stands for any text.
struct MatchRules {
  /// May be missing in the checkpoint, and may be in it without being wanted. Such tensors keep the
  /// network's own values, or are left aside.
  std::vector<std::string> optional = {"*num_batches_tracked"};
  /// May have another shape as well; the network then keeps its own values. For the classifier when
  /// the classes differ.
  std::vector<std::string> replaceable = {};
};

struct MatchedCheckpoint {
  /// What fits, in the wanted types. Copy these into the network.
  std::map<std::string, StoredTensor> tensors;
  /// Wanted, but missing or replaced: the network keeps its own values.
  std::vector<std::string> kept;
  /// In the checkpoint, but not wanted.
  std::vector<std::string> unused;
};

/// Holds a checkpoint against a network: every wanted tensor must be there in the wanted shape, and
/// nothing else may be there, but for what the rules allow. Floating-point types are converted to
/// the wanted one, integers to I64.
///
/// \param source  stands before the message, as in "n4.pt: does not fit the network: ...".
/// \throws UserError naming the first three tensors that do not fit and the shapes wanted and got.
MatchedCheckpoint match_checkpoint(const TensorFile& checkpoint,
                                   std::span<const WantedTensor> wanted, const MatchRules& rules,
                                   const std::string& source);

}  // namespace probedarts::exchange
