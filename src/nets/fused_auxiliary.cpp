#include "nets/fused_auxiliary.hpp"

#include <algorithm>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <torch/csrc/autograd/autograd.h>

#include "nets/composed_executor.hpp"

namespace probedarts::nets::fused {
namespace {

constexpr double kNormEpsilon = 1e-5;
constexpr double kNormMomentum = 0.1;

std::vector<std::size_t> parameters_of(const NetworkLayout& layout) {
  const AuxiliaryUnit& unit = *layout.auxiliary;
  const NormInfo& norm0 = layout.norms[unit.norm0.norm];
  const NormInfo& norm1 = layout.norms[unit.norm1.norm];
  return {unit.conv0.parameter, *norm0.scale, *norm0.shift,           unit.conv1.parameter,
          *norm1.scale,         *norm1.shift, unit.classifier_weight, unit.classifier_bias};
}

/// Calls visit(state, its first channel in the concatenation).
template <typename Visit>
void for_each_state(const Plan& plan, const Visit& visit) {
  int first = 0;
  for (const std::size_t s : plan.auxiliary) {
    visit(plan.states[s], first);
    first += plan.states[s].channels;
  }
}

at::Tensor concatenated(const Context& context) {
  const kernels::MapShape& shape = context.plan.states[context.plan.auxiliary.front()].value.shape;
  const int channels = context.layout.cells[context.layout.auxiliary->cell].plan.channels_out;
  at::Tensor joined =
      at::empty({context.plan.batch, shape.height, shape.width, channels}, at::kFloat);
  float* to = joined.data_ptr<float>();
  const std::size_t image_floats = shape.pixels() * static_cast<std::size_t>(channels);
  context.for_each_image([&](int image, int, Workspace&) {
    for_each_state(context.plan, [&](const State& state, int first) {
      const float* from = context.image_of(state.value, image);
      float* pixel = to + static_cast<std::size_t>(image) * image_floats + first;
      for (std::size_t p = 0; p < shape.pixels(); ++p, pixel += channels) {
        std::copy_n(from + p * static_cast<std::size_t>(shape.channels), state.channels, pixel);
      }
    });
  });
  return joined.permute({0, 3, 1, 2});
}

}  // namespace

at::Tensor AuxiliaryHead::forward(const Context& context) {
  const NetworkLayout& layout = context.layout;
  const bool with_graph = context.wanted != Wanted::kNothing;
  features_ = concatenated(context);
  features_.set_requires_grad(with_graph);
  parameters_.assign(layout.parameters.size(), at::Tensor());
  for (const std::size_t index : parameters_of(layout)) {
    const ParameterInfo& info = layout.parameters[index];
    // The kernels read the same memory; LibTorch's copies keep its graph from seeing later steps.
    parameters_[index] = at::from_blob(const_cast<float*>(context.network.weights) + info.offset,
                                       info.shape, at::kFloat)
                             .clone();
    parameters_[index].set_requires_grad(with_graph);
  }
  const at::AutoGradMode record(with_graph);
  logits_ = auxiliary_logits(
      layout, parameters_, features_, [&](const NormUnit& unit, const at::Tensor& x) {
        const NormInfo& info = layout.norms[unit.norm];
        float* mean = context.network.statistics + info.offset;
        const at::Tensor running_mean = at::from_blob(mean, {info.channels}, at::kFloat);
        const at::Tensor running_variance =
            at::from_blob(mean + info.channels, {info.channels}, at::kFloat);
        return at::batch_norm(x, parameters_[*info.scale], parameters_[*info.shift], running_mean,
                              running_variance, true, kNormMomentum, kNormEpsilon, false);
      });
  return logits_.detach();
}

void AuxiliaryHead::backward(const Context& context, const at::Tensor& gradient) {
  const std::vector<std::size_t> indices = parameters_of(context.layout);
  std::vector<at::Tensor> leaves = {features_};
  for (const std::size_t index : indices) {
    leaves.push_back(parameters_[index]);
  }
  const auto found = torch::autograd::grad({std::exchange(logits_, {})}, leaves, {gradient});
  for (std::size_t i = 0; i < indices.size() && context.network.weight_gradient != nullptr; ++i) {
    const ParameterInfo& info = context.layout.parameters[indices[i]];
    const at::Tensor values = found[i + 1].contiguous();
    std::copy_n(values.data_ptr<float>(), info.numel,
                context.network.weight_gradient + info.offset);
  }
  const at::Tensor pixels = found[0].permute({0, 2, 3, 1}).contiguous();
  const auto channels = static_cast<std::size_t>(pixels.size(3));
  const float* from = pixels.data_ptr<float>();
  context.memory.starting.clear();
  for (const std::size_t state : context.plan.auxiliary) {
    start_gradient(context, state);
  }
  context.for_each_image([&](int image, int, Workspace&) {
    zero_started(context, image);
    for_each_state(context.plan, [&](const State& state, int first) {
      const kernels::MapShape& shape = state.value.shape;
      float* to = context.image_of(state.gradient, image);
      const float* pixel =
          from + static_cast<std::size_t>(image) * shape.pixels() * channels + first;
      for (std::size_t p = 0; p < shape.pixels(); ++p, pixel += channels, to += shape.channels) {
        for (int c = 0; c < state.channels; ++c) {
          to[c] += pixel[c];
        }
      }
    });
  });
}

}  // namespace probedarts::nets::fused
