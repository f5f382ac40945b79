#include "explain/choose_layer.hpp"

#include <set>
#include <vector>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/nearest.hpp"

namespace probedarts::explain {
namespace {

/// All names under which a layer or a block can be meant.
std::vector<std::string> names_of(const nets::LayerGraph& graph) {
  std::set<std::string> names = {"last_conv"};
  for (const nets::Layer& layer : graph.layers) {
    names.insert(layer.name);
    for (std::size_t dot = layer.name.find('.'); dot != std::string::npos;
         dot = layer.name.find('.', dot + 1)) {
      names.insert(layer.name.substr(0, dot));
    }
  }
  return {names.begin(), names.end()};
}

std::size_t layer_of(const nets::LayerGraph& graph, const std::string& name) {
  if (name == "last_conv") {
    return nets::last_convolution(graph);
  }
  if (const auto layer = nets::layer_named(graph, name)) {
    return *layer;
  }
  const auto near = nearest(name, names_of(graph));
  throw UserError(fmt::format(
      "--layer: {} has no layer '{}'; {}", graph.name, name,
      near ? fmt::format("did you mean '{}'?", *near)
           : std::string("`probedarts count` lists the layers, and last_conv is the default")));
}

}  // namespace

std::size_t layer_to_explain(const nets::LayerGraph& graph, const std::string& name, int size_px) {
  const std::size_t layer = layer_of(graph, name);
  const nets::MapShape shape = nets::infer_shapes(graph, size_px, size_px)[layer];
  if (shape.height * shape.width == 1) {
    throw UserError(fmt::format(
        "--layer: '{}' of {} has a single pixel for images of {} px, so no heat map; use an "
        "earlier layer or a larger --size",
        graph.layers[layer].name, graph.name, size_px));
  }
  return layer;
}

}  // namespace probedarts::explain
