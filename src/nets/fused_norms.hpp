#pragma once

#include <cstdint>
#include <vector>

#include "kernels/memory.hpp"
#include "nets/executor.hpp"
#include "nets/fused_plan.hpp"

/// Batch normalisation and edge weights as per-channel coefficients of the kernels.
///
/// A site with weight w, scale gamma and shift beta contributes
///     w (gamma (y - m) r + beta) = scale y + shift,            m mean, r = 1 / sqrt(variance +
///     eps).
/// Backward, with g the gradient in the sum, n pixels, S_g = sum g and S = sum g (y - m), which one
/// pass over g and y gives:
///     dy = a g + b y + c,  a = w gamma r,  b = -a r^2 S / n,  c = -a S_g / n - b m   (b = c = 0
///     with running statistics), dw = sum over channels of gamma r S + beta S_g,  dgamma = w r S,
///     dbeta = w S_g.
/// Under drop-path w is 1 / keep_probability and the sums go over the images that keep the edge; an
/// image that drops it still gets b y + c, since its y is part of the batch's statistics.
/// So the gradient of alpha costs nothing beyond what BN needs anyway.
namespace probedarts::nets::fused {

struct Coefficients {
  kernels::FloatBuffer centre, inverse, scale, shift, a, b, c;  ///< [Plan::slots] each
};

/// What the passes leave per chunk of the batch.
struct Partials {
  int chunks = 0;
  kernels::FloatBuffer means, deviations;  ///< [chunks][moment_slots]
  std::vector<std::int64_t> counts;        ///< [chunks][moment_slots / kChannelBlock]
  kernels::FloatBuffer sums;  ///< [chunks][slots]: S at a site's slot, S_g at its gradient_sum
};

/// Where a pass reads and writes the network's numbers.
struct NetworkMemory {
  const float* weights;
  float* statistics;
  const double* edge_weights;  ///< softmax(alpha) [2][alpha_edges][8]; null when derived
  float* weight_gradient;      ///< or null
  double* edge_gradient;       ///< or null
  const DropPath* drop_path;   ///< or null
};

/// Forward: statistics of the batch (or the running ones) to scale and shift; in kTrain the running
/// ones move.
void settle_forward(const NetworkLayout& layout, const Plan& plan, const Site& site, Mode mode,
                    const Partials& partials, const NetworkMemory& memory,
                    Coefficients& coefficients);

/// shift of a state = sum of its terms' shifts.
void sum_shifts(const Plan& plan, const State& state, Coefficients& coefficients);

/// Backward: sums to a, b, c and the gradients of gamma, beta and the edge weight.
void settle_backward(const NetworkLayout& layout, const Plan& plan, const Site& site, Mode mode,
                     const Partials& partials, const NetworkMemory& memory,
                     Coefficients& coefficients);

}  // namespace probedarts::nets::fused
