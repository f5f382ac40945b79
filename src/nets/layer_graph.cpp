#include "nets/layer_graph.hpp"

#include <numeric>

#include <fmt/format.h>

#include "core/errors.hpp"

namespace probedarts::nets {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;  // clang 14 does not deduce aggregates

/// Pixels along one side after a window; 0 or less: none fits.
int windows(int px, int kernel, int stride, int padding, int dilation, bool round_up) {
  const int room = px + 2 * padding - dilation * (kernel - 1) - 1 + (round_up ? stride - 1 : 0);
  if (room < 0) {
    return 0;
  }
  const int count = room / stride + 1;
  // As in PyTorch, a window that starts beyond the image and its left padding does not count.
  return round_up && (count - 1) * stride >= px + padding ? count - 1 : count;
}

MapShape after_windows(const MapShape& in, int channels, int kernel, int stride, int padding,
                       int dilation, bool round_up) {
  return {channels, windows(in.height, kernel, stride, padding, dilation, round_up),
          windows(in.width, kernel, stride, padding, dilation, round_up)};
}

MapShape shape_of(const Layer& layer, const std::vector<MapShape>& inputs, const MapShape& image) {
  return std::visit(
      Overloaded{
          [&](const layer::Input&) { return image; },
          [&](const layer::Conv& conv) {
            require(inputs[0].channels == conv.in_channels, "a convolution gets its channels");
            return after_windows(inputs[0], conv.out_channels, conv.kernel, conv.stride,
                                 conv.padding, conv.dilation, false);
          },
          [&](const layer::Pool& pool) {
            return after_windows(inputs[0], inputs[0].channels, pool.kernel, pool.stride,
                                 pool.padding, 1, pool.round_up);
          },
          [&](const layer::GlobalPool&) {
            return MapShape{inputs[0].channels, 1, 1};
          },
          [&](const layer::Linear& linear) {
            require(inputs[0].numel() == linear.in_features, "a linear layer gets its features");
            return MapShape{linear.out_features, 1, 1};
          },
          [&](const layer::Concat&) {
            MapShape out = inputs[0];
            for (std::size_t i = 1; i < inputs.size(); ++i) {
              out.channels += inputs[i].channels;
            }
            return out;
          },
          [&](const layer::Slice& slice) {
            return MapShape{slice.end - slice.begin, inputs[0].height, inputs[0].width};
          },
          [&](const layer::Shift&) {
            const MapShape& in = inputs[0];
            return MapShape{in.channels, in.height - 1 + in.height % 2,
                            in.width - 1 + in.width % 2};
          },
          [&](const layer::Add&) {
            for (const MapShape& shape : inputs) {
              require(shape == inputs[0], "a sum has terms of one shape");
            }
            return inputs[0];
          },
          [&](const auto&) { return inputs[0]; },
      },
      layer.operation);
}

/// Shapes up to the first layer without a pixel, or of all layers.
std::vector<MapShape> shapes_while_not_empty(const LayerGraph& graph, int height_px, int width_px) {
  std::vector<MapShape> shapes;
  MapShape image{0, height_px, width_px};
  if (!graph.layers.empty()) {
    image.channels = std::get<layer::Input>(graph.layers.front().operation).channels;
  }
  for (const Layer& layer : graph.layers) {
    std::vector<MapShape> inputs;
    for (const std::size_t input : layer.inputs) {
      require(input < shapes.size(), "a layer reads earlier ones");
      inputs.push_back(shapes[input]);
    }
    const MapShape shape = shape_of(layer, inputs, image);
    if (shape.height < 1 || shape.width < 1) {
      break;
    }
    shapes.push_back(shape);
  }
  return shapes;
}

/// Smallest square image every layer finds a pixel in.
int smallest_size(const LayerGraph& graph) {
  int px = 1;
  while (shapes_while_not_empty(graph, px, px).size() < graph.layers.size()) {
    require(px < 1024, "some image is large enough");
    ++px;
  }
  return px;
}

}  // namespace

std::string_view name_of(const Operation& operation) {
  return std::visit(Overloaded{
                        [](const layer::Input&) -> std::string_view { return "input"; },
                        [](const layer::Conv&) -> std::string_view { return "conv"; },
                        [](const layer::Norm&) -> std::string_view { return "norm"; },
                        [](const layer::Activation& activation) -> std::string_view {
                          switch (activation.kind) {
                            case layer::Activation::Kind::kRelu:
                              return "relu";
                            case layer::Activation::Kind::kRelu6:
                              return "relu6";
                            case layer::Activation::Kind::kHardswish:
                              return "hardswish";
                            case layer::Activation::Kind::kHardsigmoid:
                              return "hardsigmoid";
                            case layer::Activation::Kind::kSigmoid:
                              return "sigmoid";
                          }
                          report_bug("unknown activation", __FILE__, __LINE__);
                        },
                        [](const layer::Pool& pool) -> std::string_view {
                          return pool.kind == layer::Pool::Kind::kMax ? "max_pool" : "avg_pool";
                        },
                        [](const layer::GlobalPool&) -> std::string_view { return "global_pool"; },
                        [](const layer::Linear&) -> std::string_view { return "linear"; },
                        [](const layer::Add&) -> std::string_view { return "add"; },
                        [](const layer::Scale&) -> std::string_view { return "scale"; },
                        [](const layer::Concat&) -> std::string_view { return "concat"; },
                        [](const layer::Slice&) -> std::string_view { return "slice"; },
                        [](const layer::Shuffle&) -> std::string_view { return "shuffle"; },
                        [](const layer::Shift&) -> std::string_view { return "shift"; },
                        [](const layer::Dropout&) -> std::string_view { return "dropout"; },
                    },
                    operation);
}

std::vector<MapShape> infer_shapes(const LayerGraph& graph, int height_px, int width_px) {
  std::vector<MapShape> shapes = shapes_while_not_empty(graph, height_px, width_px);
  if (shapes.size() < graph.layers.size()) {
    const std::string size = height_px == width_px ? fmt::format("{}", height_px)
                                                   : fmt::format("{}x{}", height_px, width_px);
    throw UserError(fmt::format(
        "image size {} px is too small for {}: nothing is left at its layer '{}'; use --size {} or "
        "more",
        size, graph.name, graph.layers[shapes.size()].name, smallest_size(graph)));
  }
  return shapes;
}

std::vector<std::size_t> last_readers(const LayerGraph& graph) {
  std::vector<std::size_t> readers(graph.layers.size());
  std::iota(readers.begin(), readers.end(), 0);
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    for (const std::size_t input : graph.layers[i].inputs) {
      readers[input] = i;
    }
  }
  return readers;
}

std::optional<std::size_t> layer_named(const LayerGraph& graph, std::string_view name) {
  const std::string block = std::string(name) + ".";
  std::optional<std::size_t> inside;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (graph.layers[i].name == name) {
      return i;
    }
    if (graph.layers[i].name.starts_with(block)) {
      inside = i;
    }
  }
  return inside;
}

std::size_t last_convolution(const LayerGraph& graph) {
  std::vector<bool> pooled(graph.layers.size());  // behind a global pool, so of one pixel
  std::optional<std::size_t> last;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    // A squeeze-excitation scale has its map first and the pooled factor second.
    pooled[i] = std::holds_alternative<layer::GlobalPool>(layer.operation) ||
                (!layer.inputs.empty() && pooled[layer.inputs.front()]);
    if (std::holds_alternative<layer::Conv>(layer.operation) && !pooled[i]) {
      last = i;
    }
  }
  require(last.has_value(), "a network has a convolution");
  return *last;
}

}  // namespace probedarts::nets
