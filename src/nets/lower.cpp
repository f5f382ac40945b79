// A derived network (layout.hpp) as a list of layers (layer_graph.hpp).

#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "nets/layer_graph.hpp"
#include "nets/layout.hpp"

namespace probedarts::nets {
namespace {

class Lowering {
 public:
  explicit Lowering(const NetworkLayout& layout) : layout_(layout) {
    require(!layout.spec.relaxed(), "only derived networks have one plain list of layers");
    static_cast<TensorTable&>(graph_) = layout;
    graph_.name = "the derived network";
    graph_.classes = layout.spec.classes;
  }

  LayerGraph run() {
    std::size_t last = stem(push("input", layer::Input{3}, {}));
    std::size_t before = last;
    for (const CellUnit& unit : layout_.cells) {
      const std::size_t out = cell(unit, before, last);
      before = std::exchange(last, out);
    }
    const std::size_t pooled = push("global_pooling", layer::GlobalPool{false}, {last});
    push("classifier",
         layer::Linear{layout_.classifier_weight, layout_.classifier_bias, layout_.feature_channels,
                       layout_.spec.classes},
         {pooled});
    return std::move(graph_);
  }

 private:
  std::size_t push(std::string name, Operation operation, std::vector<std::size_t> inputs) {
    graph_.layers.push_back({std::move(name), operation, std::move(inputs)});
    return graph_.layers.size() - 1;
  }

  std::size_t conv(const ConvUnit& unit, std::size_t input) {
    constexpr std::size_t kSuffix = 7;  // ".weight"
    const std::string& name = layout_.parameters[unit.parameter].name;
    return push(name.substr(0, name.size() - kSuffix),
                layer::Conv{unit.parameter,
                            {},
                            unit.in_channels,
                            unit.out_channels,
                            unit.kernel,
                            unit.stride,
                            unit.padding,
                            unit.dilation,
                            unit.groups},
                {input});
  }

  std::size_t norm(const NormUnit& unit, std::size_t input) {
    return push(layout_.norms[unit.norm].name, layer::Norm{unit.norm}, {input});
  }

  /// The rectified map, computed once for all its readers.
  std::size_t relu(std::size_t input) {
    const auto [found, added] = rectified_.try_emplace(input, graph_.layers.size());
    if (added) {
      push(fmt::format("relu({})", graph_.layers[input].name),
           layer::Activation{layer::Activation::Kind::kRelu}, {input});
    } else {
      ++graph_.layers[found->second].repeats;
    }
    return found->second;
  }

  /// The pooled map, likewise.
  std::size_t pool(const std::string& name, std::size_t input, space::Primitive primitive,
                   int stride) {
    const auto [found, added] =
        pooled_.try_emplace({input, primitive, stride}, graph_.layers.size());
    if (added) {
      const auto kind = primitive == space::Primitive::kMaxPool3x3 ? layer::Pool::Kind::kMax
                                                                   : layer::Pool::Kind::kAverage;
      push(name, layer::Pool{kind, 3, stride, 1}, {input});
    } else {
      ++graph_.layers[found->second].repeats;
    }
    return found->second;
  }

  std::size_t stem(std::size_t x) {
    for (std::size_t i = 0; i < layout_.stem.convs.size(); ++i) {
      x = i > 0 ? relu(x) : x;
      x = norm(layout_.stem.norms[i], conv(layout_.stem.convs[i], x));
    }
    return x;
  }

  std::size_t reduce(const std::string& name, const FactorizedReduce& unit, std::size_t input) {
    const std::size_t x = relu(input);
    const std::size_t even = conv(unit.even, x);
    const std::size_t odd = conv(unit.odd, push(name + ".shift", layer::Shift{}, {x}));
    return norm(unit.norm, push(name + ".cat", layer::Concat{}, {even, odd}));
  }

  std::size_t preprocess(const ReluConvNorm& unit, std::size_t input) {
    return norm(unit.norm, conv(unit.conv, relu(input)));
  }

  std::size_t candidate(const std::string& name, const CandidateUnit& unit, std::size_t state) {
    switch (space::info_of(unit.primitive).kind) {
      case space::PrimitiveKind::kZero:
        break;  // a derived cell has none
      case space::PrimitiveKind::kMaxPool:
      case space::PrimitiveKind::kAvgPool:
        return pool(name, state, unit.primitive, unit.stride);
      case space::PrimitiveKind::kIdentity:
        return unit.reduce ? reduce(name, *unit.reduce, state) : state;
      case space::PrimitiveKind::kSeparable:
      case space::PrimitiveKind::kDilated: {
        std::size_t x = state;
        for (const SeparableBlock& block : unit.blocks) {
          x = norm(block.norm, conv(block.pointwise, conv(block.depthwise, relu(x))));
        }
        return x;
      }
    }
    report_bug("unknown primitive of a derived cell", __FILE__, __LINE__);
  }

  std::size_t cell(const CellUnit& unit, std::size_t before, std::size_t last) {
    const std::string name = fmt::format("cells.{}", unit.plan.index);
    std::vector<std::size_t> states;
    const auto* reduced = std::get_if<FactorizedReduce>(&unit.input0);
    states.push_back(reduced != nullptr ? reduce(name + ".preprocess0", *reduced, before)
                                        : preprocess(std::get<ReluConvNorm>(unit.input0), before));
    states.push_back(preprocess(unit.input1, last));
    for (int to = 2; to < 2 + layout_.spec.nodes; ++to) {
      std::vector<std::size_t> terms;
      for (std::size_t e = 0; e < unit.edges.size(); ++e) {
        const EdgeUnit& edge = unit.edges[e];
        if (edge.to == to) {
          terms.push_back(candidate(fmt::format("{}._ops.{}", name, e), edge.candidates.front(),
                                    states[static_cast<std::size_t>(edge.from)]));
        }
      }
      states.push_back(push(fmt::format("{}.states.{}", name, to), layer::Add{}, terms));
    }
    std::vector<std::size_t> kept;
    for (const int index : unit.concat) {
      kept.push_back(states[static_cast<std::size_t>(index)]);
    }
    return push(name, layer::Concat{}, kept);
  }

  const NetworkLayout& layout_;
  LayerGraph graph_;
  std::map<std::size_t, std::size_t> rectified_;
  std::map<std::tuple<std::size_t, space::Primitive, int>, std::size_t> pooled_;
};

}  // namespace

LayerGraph lower(const NetworkLayout& layout) { return Lowering(layout).run(); }

}  // namespace probedarts::nets
