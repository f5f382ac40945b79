#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "space/cell_graph.hpp"
#include "space/network_spec.hpp"

/// From a network's description to the list of its tensors: names, shapes, places in flat buffers,
/// and which unit of the graph uses which. Both executors, probing, counting and checkpoints walk
/// this one structure. No LibTorch here.
namespace probedarts::nets {

/// What a parameter tensor does.
enum class Role {
  kStem,        ///< convolution of the stem
  kPreprocess,  ///< 1x1 convolution of a cell input
  kReduce,      ///< 1x1 stride-2 convolutions of a factorised reduce
  kDepthwise,   ///< k x k, groups = channels
  kPointwise,   ///< the 1x1 after it
  kAuxiliary,   ///< convolution of the auxiliary head
  kNormScale,   ///< gamma of an affine BN
  kNormShift,   ///< beta of an affine BN
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

/// One parameter tensor: `numel` consecutive elements of the flat weight buffer from `offset`,
/// row-major.
struct ParameterInfo {
  std::string name;  ///< of the original DARTS's state dict, for example
                     ///< "cells.0._ops.3._ops.4.op.1.weight"
  std::vector<std::int64_t> shape;
  std::int64_t offset;
  std::int64_t numel;
  Role role;
  Place place;
};

/// One batch normalisation: running mean and variance lie in the flat buffer of statistics, mean at
/// `offset`, variance at `offset + channels`.
struct NormInfo {
  std::string name;  ///< prefix of its buffers, for example "stem.1"
  int channels;
  std::int64_t offset;
  std::optional<std::size_t>
      scale;  ///< parameter index of gamma; empty in a supernet's cells (no affine)
  std::optional<std::size_t> shift;
};

/// A convolution: parameter index and geometry (square kernels, no bias).
struct ConvUnit {
  std::size_t parameter;
  int in_channels, out_channels, kernel, stride, padding, dilation, groups;
};

/// Index into NetworkLayout::norms.
struct NormUnit {
  std::size_t norm;
};

/// ReLU, 1x1 convolution, BN.
struct ReluConvNorm {
  ConvUnit conv;
  NormUnit norm;
};

/// ReLU, two 1x1 stride-2 convolutions of half the channels, the second on the input shifted by one
/// pixel down and right (zero-padded when a side is odd), concatenated, BN.
struct FactorizedReduce {
  ConvUnit even, odd;
  NormUnit norm;
};

/// ReLU, depthwise, pointwise, BN.
struct SeparableBlock {
  ConvUnit depthwise, pointwise;
  NormUnit norm;
};

/// A candidate on an edge with the units it owns.
struct CandidateUnit {
  space::Primitive primitive;
  std::optional<int> slot;  ///< column in softmax(alpha); empty in a derived cell
  int stride;
  std::vector<SeparableBlock> blocks;      ///< sep_conv: 2, dil_conv: 1
  std::optional<FactorizedReduce> reduce;  ///< skip_connect at stride 2
  std::optional<NormUnit> pool_norm;       ///< pools of a supernet
};

struct EdgeUnit {
  int from, to, stride;
  std::optional<int> drop;  ///< number among the edges that drop-path may drop; derived cells only
  std::vector<CandidateUnit> candidates;
};

struct CellUnit {
  space::CellPlan plan;
  std::variant<ReluConvNorm, FactorizedReduce> input0;
  ReluConvNorm input1;
  std::vector<EdgeUnit> edges;
  std::vector<int> concat;
};

/// The stem: one or two convolutions, each with an affine BN; a ReLU between them.
struct StemUnit {
  std::vector<ConvUnit> convs;
  std::vector<NormUnit> norms;
};

/// Second classifier on the output of the cell after the second reduction, in training only:
/// ReLU, pool to 2x2, 1x1 convolution, BN, ReLU, 2x2 convolution, BN, ReLU, linear. The pool is
/// adaptive, so that any image size fits, but for the 8x8 maps of the `cifar` stem at 32 px, where
/// it is the original's 5x5 average pool with stride 3. The original's first ReLU works in place
/// and so rectifies the cell's output itself; ours does not (a difference for networks of at most 3
/// cells).
struct AuxiliaryUnit {
  std::size_t cell;  ///< index of the cell whose output it reads
  ConvUnit conv0, conv1;
  NormUnit norm0, norm1;
  std::size_t classifier_weight, classifier_bias;  ///< parameter indices
};

struct NetworkLayout {
  space::NetworkSpec spec;
  StemUnit stem;
  std::vector<CellUnit> cells;
  std::optional<AuxiliaryUnit> auxiliary;
  std::size_t classifier_weight, classifier_bias;  ///< parameter indices
  int feature_channels;                            ///< into the classifier
  std::vector<ParameterInfo> parameters;           ///< in the order of the original's state dict
  std::vector<NormInfo> norms;
  std::int64_t weight_count = 0;     ///< elements of the flat weight buffer
  std::int64_t statistic_count = 0;  ///< elements of the flat buffer of running statistics
  int alpha_edges = 0;               ///< rows of each alpha; 0 for a derived network
  int droppable_edges = 0;           ///< edges with a `drop` number
};

/// Lays out a network. \throws UserError when the description is out of range (space::validate).
NetworkLayout lay_out(const space::NetworkSpec& spec);

}  // namespace probedarts::nets
