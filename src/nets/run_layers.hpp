#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "nets/executor.hpp"
#include "nets/layer_graph.hpp"

namespace probedarts::nets {

/// How convolutions are computed. kFast takes fast_convolution.hpp where that has one; kPlain is
/// at::conv2d throughout, the slow truth.
enum class Convolutions { kFast, kPlain };

/// What a layer graph is run with.
struct LayerInputs {
  const std::vector<at::Tensor>& parameters;  ///< one per entry of the table, with its shape
  const at::Tensor& running;                  ///< running statistics; used in kEvaluate
  Mode mode = Mode::kEvaluate;
  std::uint64_t seed = 0;  ///< of dropout
  std::int64_t pass = 0;   ///< number of the training pass: each draws its own dropout
  Convolutions convolutions = Convolutions::kFast;
};

/// What comes out.
struct LayerRun {
  at::Tensor logits;  ///< [B, classes]
  /// Outputs of the watched layers, in the order asked for. While autograd records, the logits
  /// depend on them: torch::autograd::grad(logits, activations) works even where neither images nor
  /// parameters need gradients.
  std::vector<at::Tensor> activations;
  /// kTrain: the batch's means and unbiased variances, laid out as `running`; else undefined.
  at::Tensor batch;
};

/// Computes a network layer by layer with ATen operations, any device and dtype, with autograd, and
/// with kernels of our own for depthwise convolutions in float32 on the CPU. Feature maps are let
/// go after their last reader (unless autograd keeps them).
///
/// \param images   [B, 3, H, W]
/// \param watched  indices of layers whose outputs are wanted.
/// \throws UserError when the images are too small for the network, or when in kTrain a batch norm
/// would see a single value per channel.
LayerRun run_layers(const LayerGraph& graph, const LayerInputs& inputs, const at::Tensor& images,
                    const std::vector<std::size_t>& watched = {});

/// An executor for a network of layers, so that peers train by the same loop as derived networks.
/// It moves running statistics with PyTorch's default momentum 0.1 for every network. Dropout is
/// drawn from `seed` and the state's `batches_tracked`, so that a resumed training repeats it.
/// Keeps a reference to `graph`, which must outlive it. `ForwardOptions::drop_path` must be null.
std::unique_ptr<Executor> make_layer_executor(const LayerGraph& graph, std::uint64_t seed);

}  // namespace probedarts::nets
