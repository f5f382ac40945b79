#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nets/tensor_table.hpp"

/// A network as a plain list of layers in an order in which it can be computed: what the zoo is
/// made of, and what derived networks are lowered to wherever single layers matter (counting,
/// Grad-CAM, export). run_layers.hpp computes it. No LibTorch here.
namespace probedarts::nets {

struct NetworkLayout;

namespace layer {

/// The images [B, channels, H, W].
struct Input {
  int channels;
};

/// Convolution with square kernels.
struct Conv {
  std::size_t weight;               ///< parameter index; [out, in/groups, kernel, kernel]
  std::optional<std::size_t> bias;  ///< parameter index
  int in_channels, out_channels, kernel, stride, padding, dilation, groups;
};

/// Batch normalisation.
struct Norm {
  std::size_t norm;  ///< index into TensorTable::norms
};

/// Element by element. hardsigmoid(x) = relu6(x + 3) / 6, hardswish(x) = x hardsigmoid(x).
struct Activation {
  enum class Kind { kRelu, kRelu6, kHardswish, kHardsigmoid, kSigmoid };
  Kind kind;
};

/// Square windows. An average counts the pixels inside the image only (the networks at hand all
/// do).
struct Pool {
  enum class Kind { kMax, kAverage };
  Kind kind;
  int kernel, stride, padding;
  bool round_up = false;  ///< a last window that hangs over the edge counts ("ceil_mode")
};

/// Mean over all pixels, to 1x1.
struct GlobalPool {
  /// The original calls a function here instead of a module; the paper's count does not see it.
  bool function;
};

/// [B, C, 1, 1] or [B, C] to [B, out].
struct Linear {
  std::size_t weight, bias;  ///< parameter indices; weight [out, in]
  int in_features, out_features;
};

/// Sum of two or more maps of one shape.
struct Add {};

/// Input 0 times input 1, a factor [B, C, 1, 1] for each channel (squeeze-excitation).
struct Scale {};

/// Channels one behind the other.
struct Concat {};

/// Channels [begin, end).
struct Slice {
  int begin, end;
};

/// Channels seen as [groups, C/groups] and transposed (Zhang et al., "ShuffleNet", 2018).
struct Shuffle {
  int groups;
};

/// One pixel up and left; an odd side gets a row of zeros back, an even one is one shorter: the
/// second path of a factorised reduce. Its stride-2 convolution sees every other pixel of it.
struct Shift {};

/// In training, sets elements to 0 with this probability and divides the others by 1 - probability.
struct Dropout {
  double probability;
};

}  // namespace layer

using Operation =
    std::variant<layer::Input, layer::Conv, layer::Norm, layer::Activation, layer::Pool,
                 layer::GlobalPool, layer::Linear, layer::Add, layer::Scale, layer::Concat,
                 layer::Slice, layer::Shuffle, layer::Shift, layer::Dropout>;

/// "conv", "norm", "relu", "max_pool", ... as in tables and JSON.
std::string_view name_of(const Operation& operation);

struct Layer {
  std::string name;  ///< of the module in the original where it has one; unique in a graph
  Operation operation;
  std::vector<std::size_t> inputs;  ///< indices of earlier layers
  /// How often the original computes it: it rectifies a state anew for each of its readers, we do
  /// once.
  int repeats = 1;
};

/// Layer 0 is the Input, the last one gives the logits [B, classes].
struct LayerGraph : TensorTable {
  std::string name;  ///< of the network, for messages
  int classes = 0;
  std::vector<Layer> layers;
};

/// Shape of a layer's output for one image.
struct MapShape {
  int channels, height, width;
  std::int64_t numel() const { return static_cast<std::int64_t>(channels) * height * width; }
  bool operator==(const MapShape&) const = default;
};

/// Shape of each layer's output for images of this size. \throws UserError when a layer would have
/// no pixel, naming the layer and the smallest square size that works.
std::vector<MapShape> infer_shapes(const LayerGraph& graph, int height_px, int width_px);

/// For each layer the last layer that reads it; its own index where none does.
std::vector<std::size_t> last_readers(const LayerGraph& graph);

/// The layer of this name, or the last one within the block of this name ("features.18", "stem"),
/// or nothing.
std::optional<std::size_t> layer_named(const LayerGraph& graph, std::string_view name);

/// The last convolution on a map of more than one pixel whatever the image (none of those behind a
/// global pool): the usual target of Grad-CAM.
std::size_t last_convolution(const LayerGraph& graph);

/// A derived network as layers, without its auxiliary head (whose tensors stay in the table).
/// Convolutions and norms bear the names of their parameters ("cells.0._ops.1.op.2"); "cells.<k>"
/// is the output of a cell. A state is rectified and pooled once for all its readers
/// (`Layer::repeats`).
LayerGraph lower(const NetworkLayout& layout);

}  // namespace probedarts::nets
