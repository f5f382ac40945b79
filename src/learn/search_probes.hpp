#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "learn/weight_step.hpp"
#include "nets/executor.hpp"
#include "nets/layout.hpp"
#include "probe/lanczos.hpp"
#include "space/genotype.hpp"

/// Probes of a search that cost passes of the network (docs/probes.md). All of them work on copies:
/// weights, alpha and running statistics of the network they are given stay as they were. Between
/// passes they throw Interrupted after a signal.
namespace probedarts::learn {

struct HessianOptions {
  /// Length of the step of the central difference. It is part of the definition: the gradient jumps
  /// at the kinks of ReLU and max-pooling, a network has many of them within any step that float32
  /// resolves, and the quotient measures the curvature averaged over the step, jumps included. The
  /// derivative at a point, where no kink lies, misses them (docs/probes.md, "Eigenvalue").
  double step = 0.05;
  probe::LanczosOptions lanczos;
};

/// H v with H the Hessian in alpha of the loss on a batch (batch statistics, as in learning),
///     H v = [grad L(alpha + h v) - grad L(alpha - h v)] / (2 h),     v a unit vector.
/// \param direction  v, flat, float64. \returns the same. Cost: two passes for alpha.
at::Tensor hessian_product(WeightLearner& learner, const nets::NetworkState& network,
                           const LabelledBatch& batch, const at::Tensor& direction, double step);

/// Both ends of the spectrum of that Hessian (Zela et al., ICLR 2020: the largest grows before a
/// search collapses), by Lanczos from a fixed random vector. Each row of alpha can be shifted
/// without a change of the loss, so 0 is among the eigenvalues. Cost: 2 passes a product.
probe::ExtremeEigenvalues alpha_eigenvalues(WeightLearner& learner,
                                            const nets::NetworkState& network,
                                            const LabelledBatch& batch,
                                            const HessianOptions& options = {});

/// Cosine between the gradients in the weights of the losses on a training and on a validation
/// batch, in [-1, 1]; 0 where one vanishes. After Jiang et al., "Operation-level early stopping for
/// robustifying differentiable NAS", NeurIPS 2023, who take it for each operation; here for the
/// whole network. Cost: two passes for the weights.
double gradient_alignment(WeightLearner& learner, const nets::NetworkState& network,
                          const LabelledBatch& train, const LabelledBatch& valid);

/// Logits of alpha whose softmax is exactly 1 on what a genotype keeps: on each kept edge its
/// primitive, on every other edge `none`. \param like  alpha, for shape and type.
at::Tensor one_hot_alpha(const space::Genotype& genotype, const at::Tensor& like);

/// The supernet with alpha projected to a genotype and all weights inherited. Its nodes see other
/// sums than the supernet's did, so the running statistics are made anew: means over one training
/// pass of each batch (Guo et al., "Single path one-shot", ECCV 2020, sec. 3.4).
/// \param batches  at least one. Cost: a forward pass each.
nets::NetworkState discretised(nets::Executor& executor, const nets::NetworkState& network,
                               const space::Genotype& genotype,
                               const std::vector<const LabelledBatch*>& batches);

}  // namespace probedarts::learn
