#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "nets/layer_graph.hpp"

namespace probedarts::nets {

/// Geometry of a convolution; padding that keeps the size at stride 1 unless told otherwise.
struct ConvShape {
  int out_channels;
  int kernel = 1;
  int stride = 1;
  int groups = 1;
  bool bias = false;
};

/// Appends layers with their tensors to a graph; every function returns the new layer's index. What
/// one network of the zoo does differently from PyTorch's defaults are its members.
class LayerBuilder {
 public:
  using InitialOf = std::function<Initial(const std::vector<std::int64_t>& weight_shape)>;

  LayerBuilder(std::string network, int classes);

  InitialOf conv_weight = normal_fan_out;
  InitialOf conv_bias = [](const auto&) { return Initial{}; };
  InitialOf linear_weight = uniform_fan_in;
  InitialOf linear_bias = uniform_fan_in;  ///< from the shape of the weight
  double norm_epsilon = kNormEpsilon;

  /// Index of the images.
  std::size_t input() const { return 0; }
  /// Channels that leave a layer.
  int channels(std::size_t layer) const { return channels_[layer]; }

  std::size_t conv(const std::string& name, std::size_t input, const ConvShape& shape);
  std::size_t norm(const std::string& name, std::size_t input);
  std::size_t activation(const std::string& name, std::size_t input, layer::Activation::Kind kind);
  std::size_t pool(const std::string& name, std::size_t input, const layer::Pool& pool);
  std::size_t global_pool(const std::string& name, std::size_t input, bool function);
  /// \param last  whether it is the classifier, which other classes replace.
  std::size_t linear(const std::string& name, std::size_t input, int out_features, bool last);
  std::size_t dropout(const std::string& name, std::size_t input, double probability);
  std::size_t add(const std::string& name, std::size_t a, std::size_t b);
  std::size_t scale(const std::string& name, std::size_t map, std::size_t factor);
  std::size_t concat(const std::string& name, std::size_t a, std::size_t b);
  std::size_t slice(const std::string& name, std::size_t input, int begin, int end);
  std::size_t shuffle(const std::string& name, std::size_t input, int groups);

  LayerGraph take() { return std::move(graph_); }

 private:
  std::size_t push(const std::string& name, Operation operation, std::vector<std::size_t> inputs,
                   int channels);

  LayerGraph graph_;
  std::vector<int> channels_;
};

/// The multiple of `divisor` nearest to `value`, at least `divisor` and not below 0.9 value
/// (Sandler et al., "MobileNetV2", 2018, as in the authors' code).
int round_channels(double value, int divisor = 8);

}  // namespace probedarts::nets
