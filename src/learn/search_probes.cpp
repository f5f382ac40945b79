#include "learn/search_probes.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include "core/errors.hpp"
#include "core/interrupt.hpp"
#include "core/random.hpp"

namespace probedarts::learn {
namespace {

/// exp(-1000) is 0 in float64, and so is every other share of the softmax.
constexpr double kDecided = 1000.0;

constexpr const char* kStopped = "stopped in a probe";

/// A copy whose statistics may move.
nets::NetworkState scratch(const nets::NetworkState& network) {
  nets::NetworkState copy = network;
  copy.statistics = network.statistics.clone();
  return copy;
}

at::Tensor alpha_gradient(WeightLearner& learner, const nets::NetworkState& network,
                          const LabelledBatch& batch, const at::Tensor& alpha) {
  nets::NetworkState moved = scratch(network);
  moved.alpha = alpha;
  LossResult unused;
  return learner.gradients(moved, batch, nets::Wanted::kAlpha, unused).alpha.to(at::kDouble);
}

}  // namespace

at::Tensor hessian_product(WeightLearner& learner, const nets::NetworkState& network,
                           const LabelledBatch& batch, const at::Tensor& direction, double step) {
  throw_if_interrupted(kStopped);
  const at::Tensor shift = direction.view(network.alpha.sizes()).to(network.alpha.scalar_type());
  const at::Tensor ahead = alpha_gradient(learner, network, batch, network.alpha.add(shift, step));
  const at::Tensor behind = alpha_gradient(learner, network, batch, network.alpha.sub(shift, step));
  return ahead.sub(behind).div(2.0 * step).flatten();
}

probe::ExtremeEigenvalues alpha_eigenvalues(WeightLearner& learner,
                                            const nets::NetworkState& network,
                                            const LabelledBatch& batch,
                                            const HessianOptions& options) {
  at::Tensor start = at::empty({network.alpha.numel()}, at::kDouble);
  Stream stream(0, "lanczos");  // the same in all epochs and runs, so that values compare
  for (std::int64_t i = 0; i < start.numel(); ++i) {
    start.data_ptr<double>()[i] = stream.normal();
  }
  return probe::extreme_eigenvalues(
      start,
      [&](const at::Tensor& direction) {
        return hessian_product(learner, network, batch, direction, options.step);
      },
      options.lanczos);
}

double gradient_alignment(WeightLearner& learner, const nets::NetworkState& network,
                          const LabelledBatch& train, const LabelledBatch& valid) {
  at::Tensor gradients[2];
  const LabelledBatch* batches[2] = {&train, &valid};
  for (int side = 0; side < 2; ++side) {
    throw_if_interrupted(kStopped);
    nets::NetworkState copy = scratch(network);
    LossResult unused;
    gradients[side] = learner.gradients(copy, *batches[side], nets::Wanted::kWeights, unused)
                          .weights.to(at::kDouble);
  }
  const double lengths = gradients[0].norm().item<double>() * gradients[1].norm().item<double>();
  return lengths > 0.0 ? gradients[0].dot(gradients[1]).item<double>() / lengths : 0.0;
}

at::Tensor one_hot_alpha(const space::Genotype& genotype, const at::Tensor& like) {
  require(
      like.dim() == 3 && like.size(0) == 2 && like.size(1) == space::edge_count(genotype.nodes()),
      "one_hot_alpha: alpha has the edges of the genotype's cell");
  at::Tensor alpha = at::zeros_like(like);
  const std::int64_t none = static_cast<std::int64_t>(space::Primitive::kNone);
  alpha.select(2, none).fill_(kDecided);
  for (const space::CellKind kind : {space::CellKind::kNormal, space::CellKind::kReduce}) {
    const std::vector<space::Gene>& genes = genotype.of(kind).genes;
    at::Tensor rows = alpha.select(0, kind == space::CellKind::kReduce ? 1 : 0);
    for (std::size_t gene = 0; gene < genes.size(); ++gene) {
      const auto node = static_cast<int>(gene / 2);
      at::Tensor row = rows.select(0, space::edge_count(node) + genes[gene].from);
      row.zero_();
      row.select(0, static_cast<std::int64_t>(genes[gene].primitive)).fill_(kDecided);
    }
  }
  return alpha;
}

nets::NetworkState discretised(nets::Executor& executor, const nets::NetworkState& network,
                               const space::Genotype& genotype,
                               const std::vector<const LabelledBatch*>& batches) {
  require(!batches.empty(), "discretised: statistics need a batch");
  constexpr double kMomentum = 0.1;  // of a training pass: zeros become 0.1 times the batch's own
  nets::NetworkState derived = network;
  derived.alpha = one_hot_alpha(genotype, network.alpha);
  derived.auxiliary_skip = 0.0;  // derivation ignores it
  at::Tensor sum = at::zeros_like(network.statistics);
  for (const LabelledBatch* batch : batches) {
    throw_if_interrupted(kStopped);
    derived.statistics = at::zeros_like(network.statistics);
    executor.forward(derived, batch->images, {nets::Mode::kTrain, nets::Wanted::kNothing});
    sum.add_(derived.statistics);
  }
  derived.statistics = sum.div_(kMomentum * static_cast<double>(batches.size()));
  return derived;
}

}  // namespace probedarts::learn
