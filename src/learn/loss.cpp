#include "learn/loss.hpp"

#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/softplus.h>

namespace probedarts::learn {
namespace {

LossResult cross_entropy_result(const at::Tensor& logits, const at::Tensor& labels,
                                bool with_gradient) {
  const at::Tensor log_probability = logits.log_softmax(1);
  const at::Tensor index = labels.unsqueeze(1);
  LossResult result;
  result.loss = -log_probability.gather(1, index).mean().item<double>();
  result.decisions = static_cast<double>(logits.size(0));
  result.correct = logits.argmax(1).eq(labels).sum().item<double>();
  if (with_gradient) {
    at::Tensor gradient = log_probability.exp();
    gradient.scatter_add_(1, index, -at::ones_like(index, gradient.options()));
    result.logits_gradient = gradient.div_(result.decisions);
  }
  return result;
}

}  // namespace

Objective Objective::cross_entropy() { return {}; }

Objective Objective::multi_label(const at::Tensor& class_weight) {
  Objective objective;
  objective.multi_label_ = true;
  objective.class_weight_ = class_weight;
  return objective;
}

LossResult Objective::evaluate(const at::Tensor& logits, const at::Tensor& labels,
                               bool with_gradient) const {
  if (!multi_label_) {
    return cross_entropy_result(logits, labels, with_gradient);
  }
  // -(y log s(z) + (1-y) log(1-s(z))) = softplus(z) - y z, which no finite logit overflows.
  // at::softplus turns linear beyond its threshold; 40 keeps the difference below rounding in
  // float64.
  const at::Tensor terms = at::softplus(logits, 1.0, 40.0).sub_(logits.mul(labels));
  LossResult result;
  result.decisions = static_cast<double>(logits.numel());
  result.correct = logits.sigmoid().gt(0.5).eq(labels.gt(0.5)).sum().item<double>();
  const bool weighted = class_weight_.defined();
  const at::Tensor weight = weighted ? class_weight_.to(logits.dtype()) : at::Tensor();
  result.loss = (weighted ? terms.mul(weight) : terms).mean().item<double>();
  if (with_gradient) {
    at::Tensor gradient = logits.sigmoid().sub_(labels).div_(result.decisions);
    result.logits_gradient = weighted ? gradient.mul_(weight) : gradient;
  }
  return result;
}

at::Tensor Objective::graph_loss(const at::Tensor& logits, const at::Tensor& labels) const {
  if (!multi_label_) {
    return at::cross_entropy_loss(logits, labels);
  }
  const at::Tensor weight = class_weight_.defined() ? class_weight_.to(logits.dtype())
                                                    : at::ones_like(logits.select(0, 0));
  return at::binary_cross_entropy_with_logits(logits, labels, weight);
}

}  // namespace probedarts::learn
