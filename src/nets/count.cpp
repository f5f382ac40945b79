#include "nets/count.hpp"

#include <algorithm>
#include <utility>

namespace probedarts::nets {
namespace {

constexpr std::int64_t kElementBytes = 4;

class Counter {
 public:
  Counter(const LayerGraph& graph, const std::vector<MapShape>& shapes)
      : graph_(graph), shapes_(shapes) {}

  LayerCount count(std::size_t index) {
    const Layer& layer = graph_.layers[index];
    LayerCount counted{layer.name, name_of(layer.operation), shapes_[index]};
    const std::int64_t in = layer.inputs.empty() ? 0 : shapes_[layer.inputs.front()].numel();
    const std::int64_t out = shapes_[index].numel();
    counted.activations = layer.inputs.empty() ? 0 : out;
    std::visit([&](const auto& operation) { add(counted, operation, in, out); }, layer.operation);
    counted.macs_paper = counted.macs + layer.repeats * counted.macs_paper;
    return counted;
  }

 private:
  std::int64_t numel(std::size_t parameter) const { return graph_.parameters[parameter].numel; }

  // Each fills parameters, macs, and in macs_paper what the paper counts beside the macs.
  void add(LayerCount& counted, const layer::Conv& conv, std::int64_t, std::int64_t out) const {
    counted.parameters = numel(conv.weight) + (conv.bias ? numel(*conv.bias) : 0);
    counted.macs = out * conv.kernel * conv.kernel * (conv.in_channels / conv.groups);
    counted.macs_paper = conv.bias ? out : 0;
  }
  void add(LayerCount& counted, const layer::Linear& linear, std::int64_t, std::int64_t out) const {
    counted.parameters = numel(linear.weight) + numel(linear.bias);
    counted.macs = out * linear.in_features;
    counted.macs_paper = out;
  }
  void add(LayerCount& counted, const layer::Norm& unit, std::int64_t in, std::int64_t) const {
    const NormInfo& norm = graph_.norms[unit.norm];
    counted.parameters = norm.scale ? 2 * norm.channels : 0;
    counted.macs_paper = norm.scale ? 2 * in : in;
  }
  void add(LayerCount& counted, const layer::Activation& activation, std::int64_t,
           std::int64_t out) const {
    const bool seen = activation.kind == layer::Activation::Kind::kRelu ||
                      activation.kind == layer::Activation::Kind::kRelu6;
    counted.macs_paper = seen ? out : 0;
  }
  void add(LayerCount& counted, const layer::Pool&, std::int64_t in, std::int64_t) const {
    counted.macs_paper = in;
  }
  void add(LayerCount& counted, const layer::GlobalPool& pool, std::int64_t in,
           std::int64_t) const {
    counted.macs_paper = pool.function ? 0 : in;
  }
  template <class Other>
  void add(LayerCount&, const Other&, std::int64_t, std::int64_t) const {}

  const LayerGraph& graph_;
  const std::vector<MapShape>& shapes_;
};

bool writes_in_place(const Operation& operation) {
  return std::holds_alternative<layer::Norm>(operation) ||
         std::holds_alternative<layer::Activation>(operation) ||
         std::holds_alternative<layer::Dropout>(operation);
}

/// Elements alive while each layer runs. A slice owns nothing: it keeps the map it is a view of
/// alive.
std::vector<std::int64_t> live_elements(const LayerGraph& graph,
                                        const std::vector<MapShape>& shapes) {
  const std::size_t count = graph.layers.size();
  std::vector<std::size_t> owner(count);  // of the memory a layer's output lies in
  std::vector<std::size_t> dies(count);   // last reader of the memory a layer owns
  for (std::size_t i = 0; i < count; ++i) {
    const Layer& layer = graph.layers[i];
    owner[i] = std::holds_alternative<layer::Slice>(layer.operation) ? owner[layer.inputs[0]] : i;
    dies[i] = i;
    for (const std::size_t input : layer.inputs) {
      dies[owner[input]] = i;
    }
  }
  std::vector<std::int64_t> held(count, 0);
  std::int64_t live = 0;
  std::vector<std::int64_t> live_at(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    const Layer& layer = graph.layers[i];
    if (owner[i] != i) {
      live_at[i] = live;
      continue;
    }
    if (writes_in_place(layer.operation) && owner[layer.inputs[0]] == layer.inputs[0] &&
        dies[layer.inputs[0]] == i) {
      held[i] = std::exchange(held[layer.inputs[0]], 0);
    } else {
      held[i] = shapes[i].numel();
      live += held[i];
    }
    live_at[i] = live;
    for (const std::size_t input : layer.inputs) {
      if (dies[owner[input]] == i) {
        live -= std::exchange(held[owner[input]], 0);
      }
    }
  }
  return live_at;
}

}  // namespace

NetworkCount count_network(const LayerGraph& graph, int height_px, int width_px) {
  const std::vector<MapShape> shapes = infer_shapes(graph, height_px, width_px);
  NetworkCount total;
  Counter counter(graph, shapes);
  const std::vector<std::int64_t> live = live_elements(graph, shapes);
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    total.layers.push_back(counter.count(i));
    LayerCount& counted = total.layers.back();
    const auto* norm = std::get_if<layer::Norm>(&graph.layers[i].operation);
    counted.weight_bytes =
        kElementBytes *
        (counted.parameters + (norm != nullptr ? 2 * graph.norms[norm->norm].channels : 0));
    counted.live_map_bytes = kElementBytes * live[i];
    total.parameters += counted.parameters;
    total.macs += counted.macs;
    total.macs_paper += counted.macs_paper;
    total.activations += counted.activations;
    total.weight_bytes += counted.weight_bytes;
    total.peak_map_bytes = std::max(total.peak_map_bytes, counted.live_map_bytes);
  }
  return total;
}

}  // namespace probedarts::nets
