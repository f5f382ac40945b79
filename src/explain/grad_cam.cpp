#include "explain/grad_cam.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/errors.hpp"
#include "nets/composed_executor.hpp"
#include "nets/run_layers.hpp"

namespace probedarts::explain {
namespace {

std::vector<float> to_floats(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kFloat).contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

/// What each place of each map, or each map as a whole, counts.
at::Tensor weights_of(const at::Tensor& gradient, const at::Tensor& maps, CamMethod method) {
  if (method == CamMethod::kHiResCam) {
    return gradient;
  }
  if (method == CamMethod::kGradCam) {
    return gradient.mean({2, 3}, /*keepdim=*/true);
  }
  const at::Tensor square = gradient.mul(gradient);
  const at::Tensor mass = maps.sum({2, 3}, /*keepdim=*/true);
  const at::Tensor below = square.mul(2.0).add(square.mul(gradient).mul(mass));
  const at::Tensor shares = square.div(below).masked_fill(below.eq(0.0), 0.0);
  return shares.mul(gradient.clamp_min(0.0)).sum({2, 3}, /*keepdim=*/true);
}

HeatMap weighed(const at::Tensor& weights, const at::Tensor& maps) {
  const at::Tensor sum = weights.mul(maps).sum(1);
  return {static_cast<int>(sum.size(1)), static_cast<int>(sum.size(2)), to_floats(sum)};
}

}  // namespace

CamResult class_activation(const nets::LayerGraph& graph, const nets::NetworkState& state,
                           const at::Tensor& image, std::size_t layer,
                           std::span<const std::optional<int>> classes, CamMethod method) {
  require(image.dim() == 4 && image.size(0) == 1, "one image, [1, 3, H, W]");
  const at::AutoGradMode record(true);
  const std::vector<at::Tensor> parameters = nets::split_parameters(graph, state.weights.detach());
  const nets::LayerRun run =
      nets::run_layers(graph, {parameters, state.statistics}, image.detach(), {layer});
  CamResult result;
  result.logits = to_floats(run.logits);
  if (!std::all_of(result.logits.begin(), result.logits.end(),
                   [](float logit) { return std::isfinite(logit); })) {
    throw Diverged(fmt::format("{}: a logit is not finite; its weights are of no use", graph.name));
  }
  const at::Tensor& maps = run.activations[0];
  require(maps.dim() == 4, "the layer to explain has maps");
  const auto most = std::max_element(result.logits.begin(), result.logits.end());
  const int top = static_cast<int>(most - result.logits.begin());
  for (const std::optional<int> wanted : classes) {
    const int c = wanted.value_or(top);
    require(c >= 0 && c < graph.classes, "a class is an output of the network");
    const at::Tensor gradient = torch::autograd::grad({run.logits.select(1, c).sum()}, {maps}, {},
                                                      /*retain_graph=*/true)[0];
    const at::Tensor weights = weights_of(gradient, maps.detach(), method);
    result.classes.push_back(c);
    result.raw.push_back(weighed(weights, maps.detach()));
    result.channel_weights.push_back(method == CamMethod::kHiResCam ? std::vector<float>()
                                                                    : to_floats(weights));
  }
  return result;
}

}  // namespace probedarts::explain
