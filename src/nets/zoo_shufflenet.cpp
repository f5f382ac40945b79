// ShuffleNetV2.

#include <fmt/format.h>

#include "nets/layer_builder.hpp"
#include "nets/zoo_families.hpp"

namespace probedarts::nets::zoo {
namespace {

/// 1x1, depthwise 3x3, 1x1: the branch every unit has.
std::size_t right_branch(LayerBuilder& net, const std::string& name, std::size_t x, int channels,
                         int stride) {
  x = net.norm(name + ".1", net.conv(name + ".0", x, {channels}));
  x = net.activation(name + ".2", x, kRelu);
  x = net.norm(name + ".4", net.conv(name + ".3", x, {channels, 3, stride, channels}));
  x = net.norm(name + ".6", net.conv(name + ".5", x, {channels}));
  return net.activation(name + ".7", x, kRelu);
}

/// The first unit of a stage: both branches see the whole map and halve it.
std::size_t halving_unit(LayerBuilder& net, const std::string& name, std::size_t input,
                         int channels) {
  const int in = net.channels(input);
  const std::string left_name = name + ".branch1";
  std::size_t left = net.conv(left_name + ".0", input, {in, 3, 2, in});
  left = net.conv(left_name + ".2", net.norm(left_name + ".1", left), {channels / 2});
  left = net.activation(left_name + ".4", net.norm(left_name + ".3", left), kRelu);
  const std::size_t right = right_branch(net, name + ".branch2", input, channels / 2, 2);
  return net.shuffle(name, net.concat(name + ".cat", left, right), 2);
}

/// The others: half of the channels pass unchanged.
std::size_t unit(LayerBuilder& net, const std::string& name, std::size_t input) {
  const int channels = net.channels(input);
  const std::size_t left = net.slice(name + ".chunk1", input, 0, channels / 2);
  std::size_t right = net.slice(name + ".chunk2", input, channels / 2, channels);
  right = right_branch(net, name + ".branch2", right, channels / 2, 1);
  return net.shuffle(name, net.concat(name + ".cat", left, right), 2);
}

}  // namespace

LayerGraph shufflenet_v2_x1_0(int classes) {
  struct Stage {
    int units, channels;
  };
  constexpr Stage kStages[] = {{4, 116}, {8, 232}, {4, 464}};
  constexpr int kStem = 24;
  constexpr int kLast = 1024;
  LayerBuilder net("shufflenet_v2_x1_0", classes);
  net.conv_weight = uniform_fan_in;  // the library leaves PyTorch's default
  std::size_t x = net.norm("conv1.1", net.conv("conv1.0", net.input(), {kStem, 3, 2}));
  x = net.pool("maxpool", net.activation("conv1.2", x, kRelu), {layer::Pool::Kind::kMax, 3, 2, 1});
  int stage_number = 2;
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.units; ++i) {
      const std::string name = fmt::format("stage{}.{}", stage_number, i);
      x = i == 0 ? halving_unit(net, name, x, stage.channels) : unit(net, name, x);
    }
    ++stage_number;
  }
  x = net.norm("conv5.1", net.conv("conv5.0", x, {kLast}));
  x = net.global_pool("mean", net.activation("conv5.2", x, kRelu), true);
  net.linear("fc", x, classes, true);
  return net.take();
}

}  // namespace probedarts::nets::zoo
