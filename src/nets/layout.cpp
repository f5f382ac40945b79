#include "nets/layout.hpp"

#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "nets/lay_out_candidate.hpp"

namespace probedarts::nets {
namespace {

using space::CellPlan;
using space::Primitive;
using space::PrimitiveInfo;
using space::PrimitiveKind;

/// Adds tensors in order and hands out their indices and offsets.
class Builder {
 public:
  explicit Builder(NetworkLayout& layout) : layout_(layout) {}

  std::size_t weight(const std::string& name, std::vector<std::int64_t> shape, Role role,
                     const Place& place) {
    const Initial initial = uniform_fan_in(shape);
    return layout_.add_parameter(name, std::move(shape), role, initial, place);
  }

  /// Weight and bias of a linear layer.
  std::pair<std::size_t, std::size_t> classifier(const std::string& name, int features,
                                                 int classes) {
    const std::size_t index =
        weight(name + ".weight", {classes, features}, Role::kClassifierWeight, {});
    return {index, layout_.add_parameter(name + ".bias", {classes}, Role::kClassifierBias,
                                         layout_.parameters[index].initial)};
  }

  ConvUnit conv(const std::string& name, int in, int out, int kernel, int stride, int padding,
                int dilation, int groups, Role role, const Place& place) {
    const std::size_t index =
        weight(name + ".weight", {out, in / groups, kernel, kernel}, role, place);
    return {index, in, out, kernel, stride, padding, dilation, groups};
  }

  ConvUnit pointwise(const std::string& name, int in, int out, int stride, Role role,
                     const Place& place) {
    return conv(name, in, out, 1, stride, 0, 1, 1, role, place);
  }

  NormUnit norm(const std::string& name, int channels, bool affine, const Place& place) {
    return {layout_.add_norm(name, channels, affine, kNormEpsilon, place)};
  }

  ReluConvNorm relu_conv_norm(const std::string& name, int in, int out, bool affine,
                              const Place& place) {
    const ConvUnit unit = pointwise(name + ".op.1", in, out, 1, Role::kPreprocess, place);
    return {unit, norm(name + ".op.2", out, affine, place)};
  }

  FactorizedReduce factorized_reduce(const std::string& name, int in, int out, bool affine,
                                     const Place& place) {
    const ConvUnit even = pointwise(name + ".conv_1", in, out / 2, 2, Role::kReduce, place);
    const ConvUnit odd = pointwise(name + ".conv_2", in, out / 2, 2, Role::kReduce, place);
    return {even, odd, norm(name + ".bn", out, affine, place)};
  }

  CandidateUnit candidate(const std::string& name, const space::Candidate& described, int channels,
                          int stride, bool relaxed, Place place) {
    const PrimitiveInfo& info = space::info_of(described.primitive);
    place.primitive = described.primitive;
    CandidateUnit unit{described.primitive, described.slot, stride, {}, {}, {}};
    const bool affine = !relaxed;
    switch (info.kind) {
      case PrimitiveKind::kZero:
        break;
      case PrimitiveKind::kMaxPool:
      case PrimitiveKind::kAvgPool:
        if (relaxed) {
          unit.pool_norm = norm(name + ".1", channels, false, place);
        }
        break;
      case PrimitiveKind::kIdentity:
        if (stride == 2) {
          unit.reduce = factorized_reduce(name, channels, channels, affine, place);
        }
        break;
      case PrimitiveKind::kSeparable:
      case PrimitiveKind::kDilated:
        for (int repeat = 0; repeat < info.repeats; ++repeat) {
          place.position = repeat;
          unit.blocks.push_back(
              block(name, repeat, info, channels, repeat == 0 ? stride : 1, affine, place));
        }
        break;
    }
    return unit;
  }

 private:
  // Block r of a primitive is op.(4r): ReLU, op.(4r+1): depthwise, op.(4r+2): pointwise, op.(4r+3):
  // BN.
  SeparableBlock block(const std::string& name, int repeat, const PrimitiveInfo& info, int channels,
                       int stride, bool affine, const Place& place) {
    const std::string op = name + ".op.";
    const int padding = info.dilation * (info.kernel / 2);
    const ConvUnit depthwise =
        conv(op + std::to_string(4 * repeat + 1), channels, channels, info.kernel, stride, padding,
             info.dilation, channels, Role::kDepthwise, place);
    const ConvUnit point = pointwise(op + std::to_string(4 * repeat + 2), channels, channels, 1,
                                     Role::kPointwise, place);
    return {depthwise, point, norm(op + std::to_string(4 * repeat + 3), channels, affine, place)};
  }

  NetworkLayout& layout_;
};

StemUnit lay_out_stem(Builder& builder, const space::NetworkSpec& spec) {
  StemUnit stem;
  if (spec.stem == space::Stem::kCifar) {
    const int channels = space::stem_channels(spec);
    stem.convs.push_back(builder.conv("stem.0", 3, channels, 3, 1, 1, 1, 1, Role::kStem, {}));
    stem.norms.push_back(builder.norm("stem.1", channels, true, {}));
    return stem;
  }
  const int half = spec.channels / 2;
  stem.convs.push_back(builder.conv("stem.0", 3, half, 3, 2, 1, 1, 1, Role::kStem, {}));
  stem.norms.push_back(builder.norm("stem.1", half, true, {}));
  stem.convs.push_back(builder.conv("stem.3", half, spec.channels, 3, 2, 1, 1, 1, Role::kStem, {}));
  stem.norms.push_back(builder.norm("stem.4", spec.channels, true, {}));
  return stem;
}

CellUnit lay_out_cell(Builder& builder, const space::NetworkSpec& spec, const CellPlan& plan,
                      int& droppable_edges) {
  const space::CellGraph graph = space::graph_of(spec, plan.kind);
  const bool affine = !graph.relaxed;
  const std::string name = fmt::format("cells.{}", plan.index);
  Place place;
  place.cell = plan.index;
  CellUnit cell{plan, {}, {}, {}, graph.concat};
  if (plan.reduction_before) {
    cell.input0 = builder.factorized_reduce(name + ".preprocess0", plan.channels_in0, plan.channels,
                                            affine, place);
  } else {
    cell.input0 = builder.relu_conv_norm(name + ".preprocess0", plan.channels_in0, plan.channels,
                                         affine, place);
  }
  cell.input1 = builder.relu_conv_norm(name + ".preprocess1", plan.channels_in1, plan.channels,
                                       affine, place);
  for (std::size_t e = 0; e < graph.edges.size(); ++e) {
    const space::Edge& edge = graph.edges[e];
    place.edge = static_cast<int>(e);
    EdgeUnit unit{edge.from, edge.to, edge.stride, {}, {}};
    const int channels = plan.channels / spec.partial_channels;
    const std::string edge_name = fmt::format("{}._ops.{}", name, e);
    for (const space::Candidate& candidate : edge.candidates) {
      const std::string candidate_name =
          graph.relaxed ? fmt::format("{}._ops.{}", edge_name, *candidate.slot) : edge_name;
      unit.candidates.push_back(builder.candidate(candidate_name, candidate, channels, edge.stride,
                                                  graph.relaxed, place));
    }
    const bool identity = unit.candidates.front().primitive == Primitive::kSkipConnect &&
                          !unit.candidates.front().reduce;
    if (!graph.relaxed && !identity) {
      unit.drop = droppable_edges++;
    }
    cell.edges.push_back(std::move(unit));
  }
  return cell;
}

AuxiliaryUnit lay_out_auxiliary(Builder& builder, const space::NetworkSpec& spec,
                                const std::vector<CellUnit>& cells) {
  constexpr int kNarrow = 128;
  constexpr int kWide = 768;
  AuxiliaryUnit unit{};
  unit.cell = 2 * cells.size() / 3;
  const std::string name = "auxiliary_head.features.";
  unit.conv0 = builder.conv(name + "2", cells[unit.cell].plan.channels_out, kNarrow, 1, 1, 0, 1, 1,
                            Role::kAuxiliary, {});
  unit.norm0 = builder.norm(name + "3", kNarrow, true, {});
  unit.conv1 = builder.conv(name + "5", kNarrow, kWide, 2, 1, 0, 1, 1, Role::kAuxiliary, {});
  unit.norm1 = builder.norm(name + "6", kWide, true, {});
  std::tie(unit.classifier_weight, unit.classifier_bias) =
      builder.classifier("auxiliary_head.classifier", kWide, spec.classes);
  return unit;
}

}  // namespace

CandidateUnit lay_out_candidate(NetworkLayout& layout, const std::string& name,
                                const space::Candidate& described, int channels, int stride,
                                CandidateForm form) {
  return Builder(layout).candidate(name, described, channels, stride,
                                   form == CandidateForm::kRelaxed, {});
}

NetworkLayout lay_out(const space::NetworkSpec& spec) {
  space::validate(spec);
  NetworkLayout layout;
  layout.spec = spec;
  Builder builder(layout);
  layout.stem = lay_out_stem(builder, spec);
  layout.feature_channels = space::stem_channels(spec);
  for (const CellPlan& plan : space::plan_cells(spec)) {
    layout.cells.push_back(lay_out_cell(builder, spec, plan, layout.droppable_edges));
    layout.feature_channels = plan.channels_out;
  }
  if (spec.auxiliary) {
    layout.auxiliary = lay_out_auxiliary(builder, spec, layout.cells);
  }
  std::tie(layout.classifier_weight, layout.classifier_bias) =
      builder.classifier("classifier", layout.feature_channels, spec.classes);
  layout.alpha_edges = spec.relaxed() ? space::edge_count(spec.nodes) : 0;
  return layout;
}

}  // namespace probedarts::nets
