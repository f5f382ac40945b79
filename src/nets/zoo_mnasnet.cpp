// MnasNet-A1 and MnasNet-small.

#include <cmath>
#include <span>

#include <fmt/format.h>

#include "nets/layer_builder.hpp"
#include "nets/zoo_families.hpp"

namespace probedarts::nets::zoo {
namespace {

struct Row {
  int repeats, kernel, stride, expansion, channels;
  bool squeeze_excitation = false;
};

/// Squeezes to a quarter of the channels that enter the block (not of the expanded ones).
std::size_t squeeze_excitation(LayerBuilder& net, const std::string& name, std::size_t map,
                               int block_channels) {
  std::size_t x = net.global_pool(name + ".mean", map, true);
  x = net.conv(name + ".conv_reduce", x, {.out_channels = block_channels / 4, .bias = true});
  x = net.activation(name + ".act1", x, kRelu);
  x = net.conv(name + ".conv_expand", x, {.out_channels = net.channels(map), .bias = true});
  x = net.activation(name + ".gate", x, layer::Activation::Kind::kSigmoid);
  return net.scale(name, map, x);
}

/// Depthwise and linear pointwise: the first stage.
std::size_t separable(LayerBuilder& net, const std::string& name, std::size_t input, int channels,
                      bool may_skip) {
  const int in = net.channels(input);
  std::size_t x = net.norm(name + ".bn1", net.conv(name + ".conv_dw", input, {in, 3, 1, in}));
  x = net.conv(name + ".conv_pw", net.activation(name + ".act1", x, kRelu), {channels});
  x = net.norm(name + ".bn2", x);
  return may_skip && in == channels ? net.add(name, x, input) : x;
}

std::size_t inverted_residual(LayerBuilder& net, const std::string& name, std::size_t input,
                              const Row& row, int stride) {
  const int in = net.channels(input);
  const int expanded = in * row.expansion;
  std::size_t x = net.norm(name + ".bn1", net.conv(name + ".conv_pw", input, {expanded}));
  x = net.activation(name + ".act1", x, kRelu);
  x = net.norm(name + ".bn2",
               net.conv(name + ".conv_dw", x, {expanded, row.kernel, stride, expanded}));
  x = net.activation(name + ".act2", x, kRelu);
  if (row.squeeze_excitation) {
    x = squeeze_excitation(net, name + ".se", x, in);
  }
  x = net.norm(name + ".bn3", net.conv(name + ".conv_pwl", x, {row.channels}));
  return stride == 1 && in == row.channels ? net.add(name, x, input) : x;
}

LayerGraph mnasnet(const std::string& network, int classes, int stem, int first, bool first_skips,
                   std::span<const Row> rows) {
  constexpr int kLast = 1280;
  LayerBuilder net(network, classes);
  // timm's "goog" initialisation: normal in fan_out with groups counted, uniform in
  // ±1/sqrt(classes) for the classifier, biases 0.
  net.conv_weight = [](const std::vector<std::int64_t>& shape) {
    // A depthwise weight is [C, 1, k, k]: one output channel for each group.
    const bool depthwise = shape[1] == 1 && shape[2] > 1;
    const auto fan_out = static_cast<double>((depthwise ? 1 : shape[0]) * shape[2] * shape[3]);
    return Initial{Initial::Law::kNormal, std::sqrt(2.0 / fan_out)};
  };
  net.linear_weight = [](const std::vector<std::int64_t>& shape) {
    return Initial{Initial::Law::kUniform, 1.0 / std::sqrt(static_cast<double>(shape[0]))};
  };
  net.linear_bias = [](const auto&) { return Initial{}; };
  std::size_t x = net.norm("bn1", net.conv("conv_stem", net.input(), {stem, 3, 2}));
  x = separable(net, "blocks.0.0", net.activation("act1", x, kRelu), first, first_skips);
  int stage = 1;
  for (const Row& row : rows) {
    for (int repeat = 0; repeat < row.repeats; ++repeat) {
      x = inverted_residual(net, fmt::format("blocks.{}.{}", stage, repeat), x, row,
                            repeat == 0 ? row.stride : 1);
    }
    ++stage;
  }
  x = net.norm("bn2", net.conv("conv_head", x, {kLast}));
  x = net.global_pool("global_pool", net.activation("act2", x, kRelu), false);
  net.linear("classifier", x, classes, true);
  return net.take();
}

}  // namespace

LayerGraph mnasnet_a1(int classes) {
  constexpr Row kRows[] = {{2, 3, 2, 6, 24},        {3, 5, 2, 3, 40, true},  {4, 3, 2, 6, 80},
                           {2, 3, 1, 6, 112, true}, {3, 5, 2, 6, 160, true}, {1, 3, 1, 6, 320}};
  return mnasnet("mnasnet_a1", classes, 32, 16, false, kRows);
}

LayerGraph mnasnet_small(int classes) {
  constexpr Row kRows[] = {{1, 3, 2, 3, 16},       {2, 3, 2, 6, 16},       {4, 5, 2, 6, 32, true},
                           {3, 3, 1, 6, 32, true}, {3, 5, 2, 6, 88, true}, {1, 3, 1, 6, 144}};
  return mnasnet("mnasnet_small", classes, 8, 8, true, kRows);
}

}  // namespace probedarts::nets::zoo
