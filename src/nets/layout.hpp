#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "nets/tensor_table.hpp"
#include "space/cell_graph.hpp"
#include "space/network_spec.hpp"

/// From a network's description to its tensors and to which unit of the graph uses which. Both
/// executors walk this one structure. No LibTorch here.
namespace probedarts::nets {

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

struct NetworkLayout : TensorTable {
  space::NetworkSpec spec;
  StemUnit stem;
  std::vector<CellUnit> cells;
  std::optional<AuxiliaryUnit> auxiliary;
  std::size_t classifier_weight, classifier_bias;  ///< parameter indices
  int feature_channels;                            ///< into the classifier
  int droppable_edges = 0;                         ///< edges with a `drop` number
};

/// Lays out a network. \throws UserError when the description is out of range (space::validate).
NetworkLayout lay_out(const space::NetworkSpec& spec);

}  // namespace probedarts::nets
