#include "nets/layer_builder.hpp"

#include <algorithm>
#include <utility>

#include "core/errors.hpp"

namespace probedarts::nets {

LayerBuilder::LayerBuilder(std::string network, int classes) {
  constexpr int kColours = 3;
  graph_.name = std::move(network);
  graph_.classes = classes;
  push("input", layer::Input{kColours}, {}, kColours);
}

std::size_t LayerBuilder::push(const std::string& name, Operation operation,
                               std::vector<std::size_t> inputs, int channels) {
  graph_.layers.push_back({name, operation, std::move(inputs)});
  channels_.push_back(channels);
  return graph_.layers.size() - 1;
}

std::size_t LayerBuilder::conv(const std::string& name, std::size_t input, const ConvShape& shape) {
  const int in = channels_[input];
  require(in % shape.groups == 0 && shape.out_channels % shape.groups == 0,
          "groups divide the channels");
  const std::vector<std::int64_t> weight = {shape.out_channels, in / shape.groups, shape.kernel,
                                            shape.kernel};
  Role role = Role::kConvolution;
  if (shape.groups == in && in > 1) {
    role = Role::kDepthwise;
  } else if (shape.kernel == 1) {
    role = Role::kPointwise;
  } else if (input == 0) {
    role = Role::kStem;
  }
  layer::Conv conv{graph_.add_parameter(name + ".weight", weight, role, conv_weight(weight)),
                   {},
                   in,
                   shape.out_channels,
                   shape.kernel,
                   shape.stride,
                   shape.kernel / 2,
                   1,
                   shape.groups};
  if (shape.bias) {
    conv.bias =
        graph_.add_parameter(name + ".bias", {shape.out_channels}, Role::kBias, conv_bias(weight));
  }
  return push(name, conv, {input}, shape.out_channels);
}

std::size_t LayerBuilder::norm(const std::string& name, std::size_t input) {
  const std::size_t index = graph_.add_norm(name, channels_[input], true, norm_epsilon);
  return push(name, layer::Norm{index}, {input}, channels_[input]);
}

std::size_t LayerBuilder::activation(const std::string& name, std::size_t input,
                                     layer::Activation::Kind kind) {
  return push(name, layer::Activation{kind}, {input}, channels_[input]);
}

std::size_t LayerBuilder::pool(const std::string& name, std::size_t input,
                               const layer::Pool& pool) {
  return push(name, pool, {input}, channels_[input]);
}

std::size_t LayerBuilder::global_pool(const std::string& name, std::size_t input, bool function) {
  return push(name, layer::GlobalPool{function}, {input}, channels_[input]);
}

std::size_t LayerBuilder::linear(const std::string& name, std::size_t input, int out_features,
                                 bool last) {
  const int in = channels_[input];
  const std::vector<std::int64_t> weight = {out_features, in};
  const layer::Linear linear{
      graph_.add_parameter(name + ".weight", weight,
                           last ? Role::kClassifierWeight : Role::kHiddenWeight,
                           linear_weight(weight)),
      graph_.add_parameter(name + ".bias", {out_features},
                           last ? Role::kClassifierBias : Role::kBias, linear_bias(weight)),
      in, out_features};
  return push(name, linear, {input}, out_features);
}

std::size_t LayerBuilder::dropout(const std::string& name, std::size_t input, double probability) {
  return push(name, layer::Dropout{probability}, {input}, channels_[input]);
}

std::size_t LayerBuilder::add(const std::string& name, std::size_t a, std::size_t b) {
  require(channels_[a] == channels_[b], "a sum has terms of one shape");
  return push(name, layer::Add{}, {a, b}, channels_[a]);
}

std::size_t LayerBuilder::scale(const std::string& name, std::size_t map, std::size_t factor) {
  require(channels_[map] == channels_[factor], "one factor for each channel");
  return push(name, layer::Scale{}, {map, factor}, channels_[map]);
}

std::size_t LayerBuilder::concat(const std::string& name, std::size_t a, std::size_t b) {
  return push(name, layer::Concat{}, {a, b}, channels_[a] + channels_[b]);
}

std::size_t LayerBuilder::slice(const std::string& name, std::size_t input, int begin, int end) {
  require(0 <= begin && begin < end && end <= channels_[input], "a slice lies in its map");
  return push(name, layer::Slice{begin, end}, {input}, end - begin);
}

std::size_t LayerBuilder::shuffle(const std::string& name, std::size_t input, int groups) {
  require(channels_[input] % groups == 0, "groups divide the channels");
  return push(name, layer::Shuffle{groups}, {input}, channels_[input]);
}

int round_channels(double value, int divisor) {
  const int rounded =
      std::max(divisor, static_cast<int>(value + divisor / 2.0) / divisor * divisor);
  return rounded < 0.9 * value ? rounded + divisor : rounded;
}

}  // namespace probedarts::nets
