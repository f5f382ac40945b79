#include "learn/weight_step.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "core/errors.hpp"

namespace probedarts::learn {
namespace {

optim::Segments segments_of(const nets::TensorTable& table) {
  optim::Segments segments;
  for (const nets::ParameterInfo& parameter : table.parameters) {
    segments.offsets.push_back(parameter.offset);
  }
  segments.offsets.push_back(table.weight_count);
  return segments;
}

/// The classifier's; the auxiliary head's comes before it.
std::string classifier_name(const nets::TensorTable& table) {
  std::string name;
  for (const nets::ParameterInfo& parameter : table.parameters) {
    if (parameter.role == nets::Role::kClassifierWeight) {
      name = parameter.name;
    }
  }
  return name;
}

bool all_finite(const at::Tensor& values) { return values.isfinite().all().item<bool>(); }

}  // namespace

std::string first_non_finite(const nets::TensorTable& table, const nets::NetworkState& network) {
  for (const nets::ParameterInfo& parameter : table.parameters) {
    if (!all_finite(nets::parameter_view(network, parameter))) {
      return fmt::format("weight '{}'", parameter.name);
    }
  }
  for (const nets::NormInfo& norm : table.norms) {
    if (!all_finite(network.statistics.narrow(0, norm.offset, 2 * norm.channels))) {
      return fmt::format("input of batch norm '{}'", norm.name);
    }
  }
  return fmt::format("logits after '{}'", classifier_name(table));
}

void require_finite_weights(const nets::TensorTable& table, const nets::NetworkState& network) {
  for (const nets::ParameterInfo& parameter : table.parameters) {
    if (!all_finite(nets::parameter_view(network, parameter))) {
      throw Diverged(fmt::format("weight '{}' is not finite", parameter.name));
    }
  }
}

void require_finite_loss(double loss, const char* what, const nets::TensorTable& table,
                         const nets::NetworkState& network) {
  if (!std::isfinite(loss)) {
    throw Diverged(fmt::format("the {} became {}; first seen in the {}", what,
                               std::isnan(loss) ? "NaN" : "infinite",
                               first_non_finite(table, network)));
  }
}

WeightLearner::WeightLearner(const nets::TensorTable& table, nets::Executor& executor,
                             Objective objective, WeightStepOptions options)
    : table_(table),
      executor_(executor),
      objective_(std::move(objective)),
      options_(options),
      segments_(segments_of(table)) {}

nets::Gradients WeightLearner::gradients(nets::NetworkState& network, const LabelledBatch& batch,
                                         nets::Wanted wanted, LossResult& result,
                                         const nets::DropPath* drop_path) {
  const nets::Logits logits =
      executor_.forward(network, batch.images, {nets::Mode::kTrain, wanted, drop_path});
  result = objective_.evaluate(logits.main, batch.labels, true);
  nets::Logits gradient{result.logits_gradient, {}};
  double loss = result.loss;
  if (logits.auxiliary.defined()) {
    const LossResult auxiliary = objective_.evaluate(logits.auxiliary, batch.labels, true);
    gradient.auxiliary = auxiliary.logits_gradient.mul(options_.auxiliary_weight);
    loss += options_.auxiliary_weight * auxiliary.loss;
  }
  require_finite_loss(loss, "loss", table_, network);
  return executor_.backward(gradient);
}

LossResult WeightLearner::step(nets::NetworkState& network, Momentum momentum,
                               const LabelledBatch& batch, std::span<const double> rates,
                               const nets::DropPath* drop_path) {
  LossResult result;
  at::Tensor gradient =
      gradients(network, batch, nets::Wanted::kWeights, result, drop_path).weights;
  last_gradient_norm_ = optim::clip_gradient_norm(gradient, options_.clip);
  if (!std::isfinite(last_gradient_norm_)) {
    for (const nets::ParameterInfo& parameter : table_.parameters) {
      if (!all_finite(gradient.narrow(0, parameter.offset, parameter.numel))) {
        throw Diverged(fmt::format("the gradient of weight '{}' is not finite", parameter.name));
      }
    }
  }
  optim::sgd_step(network.weights, gradient, momentum.buffer, !momentum.started, segments_, rates,
                  options_.sgd);
  momentum.started = true;
  return result;
}

}  // namespace probedarts::learn
