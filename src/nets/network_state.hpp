#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/tensor_file.hpp"
#include "nets/tensor_table.hpp"

namespace probedarts::nets {

enum class Precision { kFloat32, kFloat64 };

/// Everything a network learns, as flat buffers: optimisers, clipping, checkpoints and the unrolled
/// copy of the second order are single passes over memory. Copying the struct shares memory;
/// `clone` does not.
struct NetworkState {
  at::Tensor weights;     ///< [weight_count]; parameter i is its elements [offset, offset + numel)
  at::Tensor statistics;  ///< [statistic_count]; running means and (unbiased) variances of the BNs
  at::Tensor alpha;  ///< [2, edges, 8]: architecture logits of normal and reduction cells; [2, 0,
                     ///< 8] when derived
  std::int64_t batches_tracked = 0;  ///< training passes that moved the statistics
  /// Not learned: beta of an auxiliary skip (Chu et al., "DARTS-", ICLR 2021). Every edge of a
  /// supernet weighs its candidates by softmax(alpha), and its skip by beta more:
  ///     edge(x) = sum_k softmax(alpha_e)[k] o_k(x) + beta o_skip(x).
  /// The gradient in alpha is that of the softmax alone. 0: off, the same bits as without.
  double auxiliary_skip = 0.0;

  NetworkState clone() const;
};

/// Gradients of the loss, same shapes as `weights` and `alpha`; undefined where they were not asked
/// for.
struct Gradients {
  at::Tensor weights;
  at::Tensor alpha;
};

/// A new network: weights as the table says (`ParameterInfo::initial`), statistics 0 and 1, alpha
/// 1e-3 * N(0, 1) (DARTS). Every tensor draws from its own stream of `seed`, so it depends on
/// nothing but its name.
NetworkState initial_state(const TensorTable& table, Precision precision, std::uint64_t seed);

/// View of one parameter with its shape; shares memory with `weights`.
at::Tensor parameter_view(const NetworkState& state, const ParameterInfo& parameter);

/// Loads tensors stored under the state-dict names of the network's original
/// (`<prefix>stem.0.weight`, ...,
/// `<prefix>cells.0.preprocess0.op.2.running_mean`); num_batches_tracked is optional. alpha is not
/// part of it.
/// \throws UserError  naming the first tensor that is missing or has another shape.
void load_state_dict(const TensorTable& table, const TensorFile& file, const std::string& prefix,
                     NetworkState& state);

/// The state dict under the same names, as stored tensors (weights and statistics, no alpha).
TensorFile state_dict(const TensorTable& table, const NetworkState& state);

}  // namespace probedarts::nets
