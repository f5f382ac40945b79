#include "nets/run_layers.hpp"

#include <fmt/format.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/relu6.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "nets/composed_executor.hpp"
#include "nets/fast_convolution.hpp"

namespace probedarts::nets {
namespace {

/// One pass; `operator()` computes one layer from the values of earlier ones.
class LayerPass {
 public:
  LayerPass(const LayerGraph& graph, const LayerInputs& inputs, const at::Tensor& images,
            at::Tensor& batch)
      : graph_(graph), inputs_(inputs), images_(images), batch_(batch) {
    values_.resize(graph.layers.size());
  }

  at::Tensor compute(std::size_t index) {
    layer_ = &graph_.layers[index];
    return std::visit([this](const auto& operation) { return run(operation); }, layer_->operation);
  }

  at::Tensor& value(std::size_t index) { return values_[index]; }

 private:
  const at::Tensor& in(std::size_t i = 0) const { return values_[layer_->inputs[i]]; }

  at::Tensor run(const layer::Input&) const { return images_; }

  at::Tensor run(const layer::Conv& conv) const {
    const at::Tensor bias = conv.bias ? inputs_.parameters[*conv.bias] : at::Tensor();
    if (inputs_.convolutions == Convolutions::kFast && has_fast_convolution(conv, in())) {
      return fast_convolution(conv, in(), inputs_.parameters[conv.weight], bias);
    }
    return at::conv2d(in(), inputs_.parameters[conv.weight], bias, conv.stride, conv.padding,
                      conv.dilation, conv.groups);
  }

  at::Tensor run(const layer::Norm& unit) {
    const NormInfo& info = graph_.norms[unit.norm];
    const bool training = inputs_.mode == Mode::kTrain;
    if (training && in().numel() == info.channels) {
      throw UserError(
          fmt::format("{}: batch norm '{}' sees a single value per channel, which has no variance; "
                      "use a larger batch or larger images",
                      graph_.name, info.name));
    }
    const at::Tensor& store = training ? batch_ : inputs_.running;
    // Without the version counter of the whole store: autograd saves these, and other norms write
    // beside them.
    const at::Tensor mean = store.narrow(0, info.offset, info.channels).variable_data();
    const at::Tensor variance =
        store.narrow(0, info.offset + info.channels, info.channels).variable_data();
    const at::Tensor scale = info.scale ? inputs_.parameters[*info.scale] : at::Tensor();
    const at::Tensor shift = info.shift ? inputs_.parameters[*info.shift] : at::Tensor();
    // Momentum 1 leaves the batch's own mean and unbiased variance in the store.
    return at::batch_norm(in(), scale, shift, mean, variance, training, 1.0, info.epsilon, false);
  }

  at::Tensor run(const layer::Activation& activation) const {
    switch (activation.kind) {
      case layer::Activation::Kind::kRelu:
        return at::relu(in());
      case layer::Activation::Kind::kRelu6:
        return at::relu6(in());
      case layer::Activation::Kind::kHardswish:
        return at::hardswish(in());
      case layer::Activation::Kind::kHardsigmoid:
        return at::hardsigmoid(in());
      case layer::Activation::Kind::kSigmoid:
        return at::sigmoid(in());
    }
    report_bug("unknown activation", __FILE__, __LINE__);
  }

  at::Tensor run(const layer::Pool& pool) const {
    if (pool.kind == layer::Pool::Kind::kMax) {
      return at::max_pool2d(in(), pool.kernel, pool.stride, pool.padding, 1, pool.round_up);
    }
    return at::avg_pool2d(in(), pool.kernel, pool.stride, pool.padding, pool.round_up, false);
  }

  at::Tensor run(const layer::GlobalPool&) const { return in().mean({2, 3}, /*keepdim=*/true); }

  at::Tensor run(const layer::Linear& linear) const {
    return at::linear(in().flatten(1), inputs_.parameters[linear.weight],
                      inputs_.parameters[linear.bias]);
  }

  at::Tensor run(const layer::Add&) const {
    at::Tensor sum = in();
    for (std::size_t i = 1; i < layer_->inputs.size(); ++i) {
      sum = sum.add(in(i));
    }
    return sum;
  }

  at::Tensor run(const layer::Scale&) const { return in(0).mul(in(1)); }

  at::Tensor run(const layer::Concat&) const {
    std::vector<at::Tensor> parts;
    for (std::size_t i = 0; i < layer_->inputs.size(); ++i) {
      parts.push_back(in(i));
    }
    return at::cat(parts, 1);
  }

  at::Tensor run(const layer::Slice& slice) const {
    return in().narrow(1, slice.begin, slice.end - slice.begin);
  }

  at::Tensor run(const layer::Shuffle& shuffle) const {
    const at::Tensor& x = in();
    const std::int64_t group = x.size(1) / shuffle.groups;
    return x.reshape({x.size(0), shuffle.groups, group, x.size(2), x.size(3)})
        .transpose(1, 2)
        .reshape(x.sizes());
  }

  at::Tensor run(const layer::Shift&) const {
    const at::Tensor& x = in();
    return at::constant_pad_nd(x.slice(2, 1).slice(3, 1), {0, x.size(3) % 2, 0, x.size(2) % 2});
  }

  at::Tensor run(const layer::Dropout& dropout) const {
    const at::Tensor& x = in();
    if (inputs_.mode != Mode::kTrain) {
      return x;
    }
    Stream stream(inputs_.seed, "dropout:" + layer_->name,
                  static_cast<std::uint64_t>(inputs_.pass));
    at::Tensor factors = at::empty(x.sizes(), at::kDouble);
    double* values = factors.data_ptr<double>();
    for (std::int64_t i = 0; i < factors.numel(); ++i) {
      values[i] = stream.uniform() < dropout.probability ? 0.0 : 1.0 / (1.0 - dropout.probability);
    }
    return x.mul(factors.to(x.options()));
  }

  const LayerGraph& graph_;
  const LayerInputs& inputs_;
  const at::Tensor& images_;
  at::Tensor& batch_;
  std::vector<at::Tensor> values_;
  const Layer* layer_ = nullptr;
};

class LayerExecutor : public Executor {
 public:
  LayerExecutor(const LayerGraph& graph, std::uint64_t seed) : graph_(graph), seed_(seed) {}

  Logits forward(NetworkState& state, const at::Tensor& images,
                 const ForwardOptions& options) override {
    require(options.drop_path == nullptr, "a network of layers has no edges to drop");
    const bool for_weights = options.wanted == Wanted::kWeights || options.wanted == Wanted::kBoth;
    wants_alpha_ = options.wanted == Wanted::kAlpha || options.wanted == Wanted::kBoth;
    alpha_ = state.alpha;
    const at::AutoGradMode record(for_weights);
    weights_ = state.weights.detach();
    weights_.set_requires_grad(for_weights);
    const std::vector<at::Tensor> parameters = split_parameters(graph_, weights_);
    const LayerRun run = run_layers(
        graph_, {parameters, state.statistics, options.mode, seed_, state.batches_tracked},
        images.contiguous(at::MemoryFormat::ChannelsLast));
    logits_ = run.logits;
    if (options.mode == Mode::kTrain) {
      const at::NoGradGuard no_graph;
      move_statistics(state.statistics, run.batch);
      ++state.batches_tracked;
    }
    return {logits_.detach(), {}};
  }

  Gradients backward(const Logits& gradient) override {
    require(logits_.defined() && (weights_.requires_grad() || wants_alpha_),
            "backward needs a forward that wanted gradients");
    Gradients gradients;
    if (weights_.requires_grad()) {
      gradients.weights = torch::autograd::grad({logits_}, {weights_}, {gradient.main})[0];
    }
    if (wants_alpha_) {
      gradients.alpha = at::zeros_like(alpha_);
    }
    logits_ = at::Tensor();
    return gradients;
  }

 private:
  const LayerGraph& graph_;
  std::uint64_t seed_;
  at::Tensor weights_, alpha_, logits_;
  bool wants_alpha_ = false;
};

}  // namespace

LayerRun run_layers(const LayerGraph& graph, const LayerInputs& inputs, const at::Tensor& images,
                    const std::vector<std::size_t>& watched) {
  require(images.dim() == 4, "images are [B, 3, H, W]");
  infer_shapes(graph, static_cast<int>(images.size(2)), static_cast<int>(images.size(3)));
  LayerRun run;
  if (inputs.mode == Mode::kTrain) {
    run.batch = at::zeros_like(inputs.running);  // momentum 1 multiplies what is there by 0
  }
  run.activations.resize(watched.size());
  const std::vector<std::size_t> readers = last_readers(graph);
  LayerPass pass(graph, inputs, images, run.batch);
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    at::Tensor out = pass.compute(i);
    for (std::size_t w = 0; w < watched.size(); ++w) {
      if (watched[w] == i) {
        if (at::GradMode::is_enabled() && !out.requires_grad()) {
          out = out.detach().set_requires_grad(true);
        }
        run.activations[w] = out;
      }
    }
    pass.value(i) = std::move(out);
    for (const std::size_t input : graph.layers[i].inputs) {
      if (readers[input] == i) {
        pass.value(input) = at::Tensor();
      }
    }
  }
  run.logits = pass.value(graph.layers.size() - 1);
  return run;
}

std::unique_ptr<Executor> make_layer_executor(const LayerGraph& graph, std::uint64_t seed) {
  return std::make_unique<LayerExecutor>(graph, seed);
}

}  // namespace probedarts::nets
