#include "learn/bilevel.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <ATen/ops/zeros_like.h>

#include "core/errors.hpp"

namespace probedarts::learn {
namespace {

optim::Segments segments_of(const nets::NetworkLayout& layout) {
  optim::Segments segments;
  for (const nets::ParameterInfo& parameter : layout.parameters) {
    segments.offsets.push_back(parameter.offset);
  }
  segments.offsets.push_back(layout.weight_count);
  return segments;
}

/// Where numbers stopped being finite: the first weight, else the first BN (in network order) that
/// saw such input.
std::string first_non_finite(const nets::NetworkLayout& layout, const nets::NetworkState& network) {
  for (const nets::ParameterInfo& parameter : layout.parameters) {
    if (!nets::parameter_view(network, parameter).isfinite().all().item<bool>()) {
      return fmt::format("weight '{}'", parameter.name);
    }
  }
  for (const nets::NormInfo& norm : layout.norms) {
    if (!network.statistics.narrow(0, norm.offset, 2 * norm.channels)
             .isfinite()
             .all()
             .item<bool>()) {
      return fmt::format("input of batch norm '{}'", norm.name);
    }
  }
  return fmt::format("logits after '{}'", layout.parameters[layout.classifier_weight].name);
}

}  // namespace

SearchState start_search(nets::NetworkState network) {
  SearchState state;
  state.momentum = at::zeros_like(network.weights);
  state.alpha_first_moment = at::zeros_like(network.alpha);
  state.alpha_second_moment = at::zeros_like(network.alpha);
  state.network = std::move(network);
  return state;
}

BilevelLearner::BilevelLearner(const nets::NetworkLayout& layout, nets::Executor& executor,
                               Objective objective, BilevelOptions options)
    : layout_(layout),
      executor_(executor),
      objective_(std::move(objective)),
      options_(options),
      segments_(segments_of(layout)) {
  require(options.order == 1 || options.order == 2, "order must be 1 or 2");
}

nets::Gradients BilevelLearner::gradients(nets::NetworkState& network, const LabelledBatch& batch,
                                          nets::Wanted wanted, LossResult& result) {
  const at::Tensor logits =
      executor_.forward(network, batch.images, {nets::Mode::kTrain, wanted}).main;
  result = objective_.evaluate(logits, batch.labels, true);
  if (!std::isfinite(result.loss)) {
    throw Diverged(fmt::format("the loss became {}; first seen in the {}",
                               std::isnan(result.loss) ? "NaN" : "infinite",
                               first_non_finite(layout_, network)));
  }
  return executor_.backward({result.logits_gradient, {}});
}

at::Tensor BilevelLearner::scaled_by_rates(const at::Tensor& flat,
                                           std::span<const double> rates) const {
  if (rates.size() == 1) {
    return flat.mul(rates[0]);
  }
  require(rates.size() == segments_.count(), "one learning rate, or one per parameter tensor");
  at::Tensor scaled = flat.clone();
  for (std::size_t i = 0; i < rates.size(); ++i) {
    scaled.narrow(0, segments_.offsets[i], segments_.offsets[i + 1] - segments_.offsets[i])
        .mul_(rates[i]);
  }
  return scaled;
}

ArchitectureGradient BilevelLearner::architecture_gradient(SearchState& state,
                                                           const LabelledBatch& train,
                                                           const LabelledBatch& valid,
                                                           std::span<const double> rates) {
  ArchitectureGradient result;
  if (options_.order == 1) {
    result.direct = gradients(state.network, valid, nets::Wanted::kAlpha, result.valid).alpha;
    result.total = result.direct;
    return result;
  }
  LossResult unused;
  nets::NetworkState& network = state.network;
  at::Tensor step = gradients(network, train, nets::Wanted::kWeights, unused).weights;
  step.add_(network.weights, options_.sgd.weight_decay);
  if (state.momentum_started) {
    step.add_(state.momentum, options_.sgd.momentum);
  }
  nets::NetworkState unrolled = network;  // shares alpha; weights and statistics become its own
  unrolled.weights = network.weights.sub(scaled_by_rates(step, rates));
  unrolled.statistics = network.statistics.clone();
  result.unrolled_weights = unrolled.weights;
  const nets::Gradients at_unrolled = gradients(unrolled, valid, nets::Wanted::kBoth, result.valid);
  result.direct = at_unrolled.alpha;

  const at::Tensor vector = options_.rate_inside_difference
                                ? scaled_by_rates(at_unrolled.weights, rates)
                                : at_unrolled.weights;
  result.epsilon = options_.finite_difference / vector.norm().item<double>();
  at::Tensor sides[2];
  const at::Tensor weights = network.weights;
  for (int side = 0; side < 2; ++side) {
    network.weights = weights.add(vector, side == 0 ? result.epsilon : -result.epsilon);
    sides[side] = gradients(network, train, nets::Wanted::kAlpha, unused).alpha;
  }
  network.weights = weights;
  result.implicit = sides[0].sub(sides[1]).div_(2.0 * result.epsilon);
  require(options_.rate_inside_difference || rates.size() == 1,
          "rates per tensor go inside the difference");
  result.total =
      result.direct.sub(result.implicit, options_.rate_inside_difference ? 1.0 : rates[0]);
  return result;
}

LossResult BilevelLearner::alpha_step(SearchState& state, const LabelledBatch& train,
                                      const LabelledBatch& valid, std::span<const double> rates) {
  const ArchitectureGradient gradient = architecture_gradient(state, train, valid, rates);
  optim::adam_step(state.network.alpha, gradient.total, state.alpha_first_moment,
                   state.alpha_second_moment, state.alpha_steps, options_.adam);
  return gradient.valid;
}

LossResult BilevelLearner::weight_step(SearchState& state, const LabelledBatch& train,
                                       std::span<const double> rates) {
  LossResult result;
  at::Tensor gradient = gradients(state.network, train, nets::Wanted::kWeights, result).weights;
  last_gradient_norm_ = optim::clip_gradient_norm(gradient, options_.clip);
  if (!std::isfinite(last_gradient_norm_)) {
    for (const nets::ParameterInfo& parameter : layout_.parameters) {
      if (!gradient.narrow(0, parameter.offset, parameter.numel).isfinite().all().item<bool>()) {
        throw Diverged(fmt::format("the gradient of weight '{}' is not finite", parameter.name));
      }
    }
  }
  optim::sgd_step(state.network.weights, gradient, state.momentum, !state.momentum_started,
                  segments_, rates, options_.sgd);
  state.momentum_started = true;
  return result;
}

}  // namespace probedarts::learn
