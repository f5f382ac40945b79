#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "space/primitive.hpp"

/// Every tensor of a network: its name, shape, first values, and place in the flat buffers. All
/// that initialises, loads, stores, optimises, probes or counts walks this one structure, whether
/// the network was made of cells (layout.hpp) or belongs to the zoo (zoo.hpp). No LibTorch here.
namespace probedarts::nets {

/// What a parameter tensor does.
enum class Role {
  kStem,          ///< convolution of the stem
  kPreprocess,    ///< 1x1 convolution of a cell input
  kReduce,        ///< 1x1 stride-2 convolutions of a factorised reduce
  kDepthwise,     ///< k x k, groups = channels
  kPointwise,     ///< 1x1 convolution; in a cell, the one after a depthwise
  kConvolution,   ///< any other convolution of a network of the zoo
  kAuxiliary,     ///< convolution of the auxiliary head
  kNormScale,     ///< gamma of an affine BN
  kNormShift,     ///< beta of an affine BN
  kBias,          ///< of a convolution, or of a hidden linear layer
  kHiddenWeight,  ///< of a linear layer before the classifier
  kClassifierWeight,
  kClassifierBias,
};

std::string_view name_of(Role role);
constexpr bool is_convolution(Role role) { return role <= Role::kAuxiliary; }

/// Which cell, edge and candidate a parameter belongs to; empty where that does not apply.
struct Place {
  std::optional<int> cell;
  std::optional<int> edge;  ///< index into CellGraph::edges
  std::optional<space::Primitive> primitive;
  std::optional<int>
      position;  ///< block of the primitive: 0, and 1 for the second half of a sep_conv
};

/// Where the values of a new tensor come from.
struct Initial {
  enum class Law {
    kConstant,  ///< `scale` itself
    kUniform,   ///< uniform in [-scale, scale)
    kNormal,    ///< normal with mean 0 and standard deviation `scale`
  };
  Law law = Law::kConstant;
  double scale = 0.0;
};

/// How PyTorch initialises a convolution or linear layer, weight and bias alike: uniform in
/// ±1/sqrt(fan_in), which for the weight is kaiming_uniform with a = sqrt(5).
/// \param weight_shape  [out, in, ...] of the layer's weight.
Initial uniform_fan_in(const std::vector<std::int64_t>& weight_shape);

/// kaiming_normal in fan_out mode for ReLU (He et al., ICCV 2015): standard deviation
/// sqrt(2 / (out * kernel area)). Groups do not count, as in PyTorch.
Initial normal_fan_out(const std::vector<std::int64_t>& weight_shape);

/// One parameter tensor: `numel` consecutive elements of the flat weight buffer from `offset`,
/// row-major.
struct ParameterInfo {
  std::string name;  ///< as in the original's state dict, for example
                     ///< "cells.0._ops.3._ops.4.op.1.weight"
  std::vector<std::int64_t> shape;
  std::int64_t offset;
  std::int64_t numel;
  Role role;
  Place place;
  Initial initial;
};

inline constexpr double kNormEpsilon = 1e-5;  ///< PyTorch's default

/// One batch normalisation: running mean and variance lie in the flat buffer of statistics, mean at
/// `offset`, variance at `offset + channels`.
struct NormInfo {
  std::string name;  ///< prefix of its buffers, for example "stem.1"
  int channels;
  std::int64_t offset;
  std::optional<std::size_t>
      scale;  ///< parameter index of gamma; empty in a supernet's cells (no affine)
  std::optional<std::size_t> shift;
  double epsilon = kNormEpsilon;  ///< added to the variance
};

/// The tensors of a network.
struct TensorTable {
  std::vector<ParameterInfo> parameters;  ///< in the order of the original's state dict
  std::vector<NormInfo> norms;
  std::int64_t weight_count = 0;     ///< elements of the flat weight buffer
  std::int64_t statistic_count = 0;  ///< elements of the flat buffer of running statistics
  int alpha_edges = 0;               ///< rows of each alpha; 0 for all but a supernet

  /// Appends a tensor and hands out its index; offsets follow from the order.
  std::size_t add_parameter(const std::string& name, std::vector<std::int64_t> shape, Role role,
                            Initial initial, const Place& place = {});
  /// Appends a batch normalisation; an affine one also gets "<name>.weight" = 1 and "<name>.bias"
  /// = 0.
  std::size_t add_norm(const std::string& name, int channels, bool affine,
                       double epsilon = kNormEpsilon, const Place& place = {});
};

/// The parameter of this name, or nothing.
std::optional<std::size_t> parameter_named(const TensorTable& table, std::string_view name);

}  // namespace probedarts::nets
