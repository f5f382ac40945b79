// ResNet18, and with squeeze-excitation SENet18.

#include <fmt/format.h>

#include "nets/layer_builder.hpp"
#include "nets/zoo_families.hpp"

namespace probedarts::nets::zoo {
namespace {

constexpr int kSqueeze = 16;

/// Two 3x3 convolutions beside a shortcut.
std::size_t basic_block(LayerBuilder& net, const std::string& name, std::size_t input, int channels,
                        int stride, bool squeeze_excitation) {
  std::size_t x = net.conv(name + ".conv1", input, {channels, 3, stride});
  x = net.activation(name + ".relu", net.norm(name + ".bn1", x), kRelu);
  x = net.norm(name + ".bn2", net.conv(name + ".conv2", x, {channels, 3}));
  if (squeeze_excitation) {
    const std::string se = name + ".se_module";
    const std::size_t map = net.activation(name + ".relu2", x, kRelu);  // as the library has it
    x = net.global_pool(se + ".mean", map, true);
    x = net.conv(se + ".fc1", x, {.out_channels = channels / kSqueeze, .bias = true});
    x = net.activation(se + ".relu", x, kRelu);
    x = net.conv(se + ".fc2", x, {.out_channels = channels, .bias = true});
    x = net.activation(se + ".sigmoid", x, layer::Activation::Kind::kSigmoid);
    x = net.scale(se, map, x);
  }
  std::size_t shortcut = input;
  if (stride != 1 || net.channels(input) != channels) {
    shortcut = net.conv(name + ".downsample.0", input, {channels, 1, stride});
    shortcut = net.norm(name + ".downsample.1", shortcut);
  }
  return net.activation(name, net.add(name + ".add", x, shortcut), kRelu);
}

/// Four stages of two blocks, the first of each but the first halving the map.
std::size_t stages(LayerBuilder& net, std::size_t x, bool squeeze_excitation) {
  int channels = 64;
  for (int stage = 1; stage <= 4; ++stage, channels *= 2) {
    for (int block = 0; block < 2; ++block) {
      const int stride = stage > 1 && block == 0 ? 2 : 1;
      x = basic_block(net, fmt::format("layer{}.{}", stage, block), x, channels, stride,
                      squeeze_excitation);
    }
  }
  return x;
}

}  // namespace

LayerGraph resnet18(int classes) {
  LayerBuilder net("resnet18", classes);
  std::size_t x = net.conv("conv1", net.input(), {64, 7, 2});
  x = net.activation("relu", net.norm("bn1", x), kRelu);
  x = net.pool("maxpool", x, {layer::Pool::Kind::kMax, 3, 2, 1});
  x = net.global_pool("avgpool", stages(net, x, false), false);
  net.linear("fc", x, classes, true);
  return net.take();
}

LayerGraph senet18(int classes) {
  LayerBuilder net("senet18", classes);
  net.conv_bias = uniform_fan_in;
  std::size_t x = net.conv("layer0.conv1", net.input(), {64, 7, 2});
  x = net.activation("layer0.relu1", net.norm("layer0.bn1", x), kRelu);
  x = net.pool("pool0", x, {layer::Pool::Kind::kMax, 3, 2, 0, true});
  x = net.global_pool("global_pool", stages(net, x, true), false);
  net.linear("last_linear", net.dropout("drop", x, 0.2), classes, true);
  return net.take();
}

}  // namespace probedarts::nets::zoo
