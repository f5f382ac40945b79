// MobileNetV2 and MobileNetV3.

#include <span>

#include <fmt/format.h>

#include "nets/layer_builder.hpp"
#include "nets/zoo_families.hpp"

namespace probedarts::nets::zoo {
namespace {

using Kind = layer::Activation::Kind;

/// Convolution, BN, and an activation unless the block is linear there.
std::size_t conv_norm(LayerBuilder& net, const std::string& name, std::size_t x,
                      const ConvShape& shape, std::optional<Kind> kind) {
  x = net.norm(name + ".1", net.conv(name + ".0", x, shape));
  return kind ? net.activation(name, x, *kind) : x;
}

/// The initial weights of both families.
void initialise_as_torchvision(LayerBuilder& net) {
  net.linear_weight = [](const auto&) { return Initial{Initial::Law::kNormal, 0.01}; };
  net.linear_bias = [](const auto&) { return Initial{}; };
}

/// Expansion by `expansion`, depthwise 3x3, linear projection; a shortcut where shapes allow.
std::size_t inverted_residual(LayerBuilder& net, const std::string& name, std::size_t input,
                              int expansion, int channels, int stride) {
  const int hidden = net.channels(input) * expansion;
  std::size_t x = input;
  int part = 0;
  if (expansion != 1) {
    x = conv_norm(net, fmt::format("{}.conv.{}", name, part++), x, {hidden}, Kind::kRelu6);
  }
  x = conv_norm(net, fmt::format("{}.conv.{}", name, part++), x, {hidden, 3, stride, hidden},
                Kind::kRelu6);
  x = net.conv(fmt::format("{}.conv.{}", name, part), x, {channels});
  x = net.norm(fmt::format("{}.conv.{}", name, part + 1), x);
  const bool residual = stride == 1 && net.channels(input) == channels;
  return residual ? net.add(name, x, input) : x;
}

struct V3Row {
  int kernel, expanded, channels;
  bool squeeze_excitation;
  Kind kind;
  int stride;
};

std::size_t squeeze_excitation(LayerBuilder& net, const std::string& name, std::size_t map) {
  const int channels = net.channels(map);
  std::size_t x = net.global_pool(name + ".avgpool", map, false);
  x = net.conv(name + ".fc1", x, {.out_channels = round_channels(channels / 4.0), .bias = true});
  x = net.activation(name + ".activation", x, Kind::kRelu);
  x = net.conv(name + ".fc2", x, {.out_channels = channels, .bias = true});
  x = net.activation(name + ".scale_activation", x, Kind::kHardsigmoid);
  return net.scale(name, map, x);
}

std::size_t v3_block(LayerBuilder& net, const std::string& name, std::size_t input,
                     const V3Row& row) {
  std::size_t x = input;
  int part = 0;
  const auto next = [&] { return fmt::format("{}.block.{}", name, part++); };
  if (row.expanded != net.channels(input)) {
    x = conv_norm(net, next(), x, {row.expanded}, row.kind);
  }
  x = conv_norm(net, next(), x, {row.expanded, row.kernel, row.stride, row.expanded}, row.kind);
  if (row.squeeze_excitation) {
    x = squeeze_excitation(net, next(), x);
  }
  x = conv_norm(net, next(), x, {row.channels}, std::nullopt);
  const bool residual = row.stride == 1 && net.channels(input) == row.channels;
  return residual ? net.add(name, x, input) : x;
}

LayerGraph mobilenet_v3(const std::string& network, int classes, std::span<const V3Row> rows,
                        int hidden_features) {
  constexpr int kStem = 16;
  LayerBuilder net(network, classes);
  net.norm_epsilon = 1e-3;
  initialise_as_torchvision(net);
  std::size_t x = conv_norm(net, "features.0", net.input(), {kStem, 3, 2}, Kind::kHardswish);
  int index = 1;
  for (const V3Row& row : rows) {
    x = v3_block(net, fmt::format("features.{}", index++), x, row);
  }
  x = conv_norm(net, fmt::format("features.{}", index), x, {6 * net.channels(x)}, Kind::kHardswish);
  x = net.linear("classifier.0", net.global_pool("avgpool", x, false), hidden_features, false);
  x = net.dropout("classifier.2", net.activation("classifier.1", x, Kind::kHardswish), 0.2);
  net.linear("classifier.3", x, classes, true);
  return net.take();
}

}  // namespace

LayerGraph mobilenet_v2(int classes, double width) {
  struct Row {
    int expansion, channels, repeats, stride;
  };
  constexpr Row kRows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                           {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  constexpr int kStem = 32;
  constexpr int kLast = 1280;  // never narrowed
  LayerBuilder net("mobilenet_v2", classes);
  initialise_as_torchvision(net);
  std::size_t x = conv_norm(net, "features.0", net.input(), {round_channels(kStem * width), 3, 2},
                            Kind::kRelu6);
  int index = 1;
  for (const Row& row : kRows) {
    for (int repeat = 0; repeat < row.repeats; ++repeat) {
      x = inverted_residual(net, fmt::format("features.{}", index++), x, row.expansion,
                            round_channels(row.channels * width), repeat == 0 ? row.stride : 1);
    }
  }
  x = conv_norm(net, fmt::format("features.{}", index), x, {kLast}, Kind::kRelu6);
  x = net.dropout("classifier.0", net.global_pool("adaptive_avg_pool2d", x, true), 0.2);
  net.linear("classifier.1", x, classes, true);
  return net.take();
}

LayerGraph mobilenet_v3_large(int classes) {
  constexpr V3Row kRows[] = {
      {3, 16, 16, false, Kind::kRelu, 1},       {3, 64, 24, false, Kind::kRelu, 2},
      {3, 72, 24, false, Kind::kRelu, 1},       {5, 72, 40, true, Kind::kRelu, 2},
      {5, 120, 40, true, Kind::kRelu, 1},       {5, 120, 40, true, Kind::kRelu, 1},
      {3, 240, 80, false, Kind::kHardswish, 2}, {3, 200, 80, false, Kind::kHardswish, 1},
      {3, 184, 80, false, Kind::kHardswish, 1}, {3, 184, 80, false, Kind::kHardswish, 1},
      {3, 480, 112, true, Kind::kHardswish, 1}, {3, 672, 112, true, Kind::kHardswish, 1},
      {5, 672, 160, true, Kind::kHardswish, 2}, {5, 960, 160, true, Kind::kHardswish, 1},
      {5, 960, 160, true, Kind::kHardswish, 1},
  };
  return mobilenet_v3("mobilenet_v3_large", classes, kRows, 1280);
}

LayerGraph mobilenet_v3_small(int classes) {
  constexpr V3Row kRows[] = {
      {3, 16, 16, true, Kind::kRelu, 2},       {3, 72, 24, false, Kind::kRelu, 2},
      {3, 88, 24, false, Kind::kRelu, 1},      {5, 96, 40, true, Kind::kHardswish, 2},
      {5, 240, 40, true, Kind::kHardswish, 1}, {5, 240, 40, true, Kind::kHardswish, 1},
      {5, 120, 48, true, Kind::kHardswish, 1}, {5, 144, 48, true, Kind::kHardswish, 1},
      {5, 288, 96, true, Kind::kHardswish, 2}, {5, 576, 96, true, Kind::kHardswish, 1},
      {5, 576, 96, true, Kind::kHardswish, 1},
  };
  return mobilenet_v3("mobilenet_v3_small", classes, kRows, 1024);
}

}  // namespace probedarts::nets::zoo
