#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor_fwd.hpp"

namespace probedarts::optim {

/// Consecutive segments of a flat parameter buffer: tensor i covers [offsets[i], offsets[i+1]).
struct Segments {
  std::vector<std::int64_t> offsets;  ///< size = tensors + 1, offsets[0] = 0
  std::size_t count() const { return offsets.size() - 1; }
};

/// Hyper-parameters of SGD with momentum.
struct SgdOptions {
  double momentum = 0.9;
  double weight_decay = 3e-4;
};

/// Scales `gradients` so that its Euclidean norm is at most `max_norm`, as torch's clip_grad_norm_:
/// factor max_norm / (norm + 1e-6), capped at 1. The squares are summed in double, in blocks of a
/// fixed size and order: the same bits for any thread count.
///
/// \param gradients  contiguous, float32 or float64, CPU; untouched when the norm is not finite.
/// \returns  the norm before clipping; not finite when a gradient is not.
/// \throws Bug  the tensor is not contiguous or not on the CPU. Cost: two passes.
double clip_gradient_norm(at::Tensor& gradients, double max_norm);

/// One step of SGD with momentum on flat buffers, with a learning rate for each tensor:
///     g <- g + decay * w
///     buf <- momentum * buf + g      (buf <- g in the first step)
///     w <- w - lr_i * buf
/// Decay is added after clipping; `gradients` is changed. Elementwise in the buffers' type, so the
/// same bits for any thread count.
///
/// \param first  no step was taken before: `momentum_buffer` is not read.
/// \param learning_rates  one for each segment, or a single one for all.
/// \throws Bug  sizes or types do not fit. Cost: one pass over the three buffers.
void sgd_step(at::Tensor& weights, at::Tensor& gradients, at::Tensor& momentum_buffer, bool first,
              const Segments& segments, std::span<const double> learning_rates,
              const SgdOptions& options);

/// Hyper-parameters of Adam; decay is L2 in the gradient, not decoupled.
struct AdamOptions {
  double learning_rate = 3e-4;
  double beta1 = 0.5;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-3;
};

/// Adam (Kingma & Ba, ICLR 2015) on one tensor, bias-corrected, with the arithmetic of
/// torch.optim.Adam. `first_moment` and `second_moment` start as zeros; `step` counts from 0 and is
/// raised by one.
void adam_step(at::Tensor& values, const at::Tensor& gradient, at::Tensor& first_moment,
               at::Tensor& second_moment, std::int64_t& step, const AdamOptions& options);

/// Cosine annealing in closed form: final + (initial - final) (1 + cos(pi epoch / epochs)) / 2.
double cosine_learning_rate(double initial, double final_rate, int epoch, int epochs);

}  // namespace probedarts::optim
