#include "learn/bilevel.hpp"

#include <cmath>
#include <utility>

#include <ATen/ops/empty.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros_like.h>

#include "core/errors.hpp"

namespace probedarts::learn {
namespace {

/// Puts what an iteration sees in the place of alpha while it lives.
class SeenAlpha {
 public:
  SeenAlpha(nets::NetworkState& network, const AlphaView& view)
      : network_(network), own_(network.alpha) {
    if (view.noise.defined()) {
      network.alpha = own_.add(view.noise).div(view.temperature);
    }
  }
  ~SeenAlpha() { network_.alpha = own_; }
  SeenAlpha(const SeenAlpha&) = delete;
  SeenAlpha& operator=(const SeenAlpha&) = delete;

 private:
  nets::NetworkState& network_;
  at::Tensor own_;
};

}  // namespace

at::Tensor gumbel_noise(const at::Tensor& like, Stream stream) {
  constexpr double kSmallest = 0x1p-54;  // half of the finest u: log 0 is not finite
  at::Tensor noise = at::empty(like.sizes(), at::kDouble);
  for (std::int64_t i = 0; i < noise.numel(); ++i) {
    noise.data_ptr<double>()[i] = -std::log(-std::log(stream.uniform() + kSmallest));
  }
  return noise.to(like.scalar_type());
}

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
    : options_(options),
      weights_(layout, executor, std::move(objective), {options.sgd, options.clip}) {
  require(options.order == 1 || options.order == 2, "order must be 1 or 2");
}

at::Tensor BilevelLearner::scaled_by_rates(const at::Tensor& flat,
                                           std::span<const double> rates) const {
  if (rates.size() == 1) {
    return flat.mul(rates[0]);
  }
  const std::vector<std::int64_t>& offsets = segments().offsets;
  require(rates.size() == segments().count(), "one learning rate, or one per parameter tensor");
  at::Tensor scaled = flat.clone();
  for (std::size_t i = 0; i < rates.size(); ++i) {
    scaled.narrow(0, offsets[i], offsets[i + 1] - offsets[i]).mul_(rates[i]);
  }
  return scaled;
}

ArchitectureGradient BilevelLearner::architecture_gradient(SearchState& state,
                                                           const LabelledBatch& train,
                                                           const LabelledBatch& valid,
                                                           std::span<const double> rates) {
  ArchitectureGradient result;
  if (options_.order == 1) {
    result.direct =
        weights_.gradients(state.network, valid, nets::Wanted::kAlpha, result.valid).alpha;
    result.total = result.direct;
    return result;
  }
  LossResult unused;
  nets::NetworkState& network = state.network;
  at::Tensor step = weights_.gradients(network, train, nets::Wanted::kWeights, unused).weights;
  step.add_(network.weights, options_.sgd.weight_decay);
  if (state.momentum_started) {
    step.add_(state.momentum, options_.sgd.momentum);
  }
  nets::NetworkState unrolled = network;  // shares alpha; weights and statistics become its own
  unrolled.weights = network.weights.sub(scaled_by_rates(step, rates));
  unrolled.statistics = network.statistics.clone();
  result.unrolled_weights = unrolled.weights;
  const nets::Gradients at_unrolled =
      weights_.gradients(unrolled, valid, nets::Wanted::kBoth, result.valid);
  result.direct = at_unrolled.alpha;

  const at::Tensor vector = options_.rate_inside_difference
                                ? scaled_by_rates(at_unrolled.weights, rates)
                                : at_unrolled.weights;
  result.epsilon = options_.finite_difference / vector.norm().item<double>();
  at::Tensor sides[2];
  const at::Tensor weights = network.weights;
  for (int side = 0; side < 2; ++side) {
    network.weights = weights.add(vector, side == 0 ? result.epsilon : -result.epsilon);
    sides[side] = weights_.gradients(network, train, nets::Wanted::kAlpha, unused).alpha;
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
                                      const LabelledBatch& valid, std::span<const double> rates,
                                      const AlphaView& view) {
  ArchitectureGradient gradient;
  {
    const SeenAlpha seen(state.network, view);
    gradient = architecture_gradient(state, train, valid, rates);
  }
  if (view.noise.defined()) {
    gradient.total = gradient.total.div(view.temperature);
  }
  if (view.logit_decay != 0.0) {
    const at::Tensor& alpha = state.network.alpha;
    const double rows = static_cast<double>(alpha.size(0) * alpha.size(1));
    gradient.total = gradient.total.add(at::softmax(alpha, -1), view.logit_decay / rows);
  }
  optim::adam_step(state.network.alpha, gradient.total, state.alpha_first_moment,
                   state.alpha_second_moment, state.alpha_steps, options_.adam);
  return gradient.valid;
}

LossResult BilevelLearner::weight_step(SearchState& state, const LabelledBatch& train,
                                       std::span<const double> rates, const AlphaView& view) {
  const SeenAlpha seen(state.network, view);
  return weights_.step(state.network, {state.momentum, state.momentum_started}, train, rates);
}

}  // namespace probedarts::learn
