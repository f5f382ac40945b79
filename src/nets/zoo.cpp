#include "nets/zoo.hpp"

#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/errors.hpp"
#include "nets/layout.hpp"
#include "nets/zoo_families.hpp"
#include "space/published.hpp"

namespace probedarts::nets {
namespace {

LayerGraph darts_4cell(int classes) { return lower(lay_out(*zoo_spec("darts_4cell", classes))); }

struct Row {
  std::string_view name;
  LayerGraph (*make)(int classes);
};

constexpr std::array kRows = {
    Row{"resnet18", zoo::resnet18},
    Row{"senet18", zoo::senet18},
    Row{"mobilenet_v2", [](int classes) { return zoo::mobilenet_v2(classes, 1.0); }},
    Row{"mobilenet_v2_035", [](int classes) { return zoo::mobilenet_v2(classes, 0.35); }},
    Row{"mobilenet_v3_large", zoo::mobilenet_v3_large},
    Row{"mobilenet_v3_small", zoo::mobilenet_v3_small},
    Row{"shufflenet_v2_x1_0", zoo::shufflenet_v2_x1_0},
    Row{"mnasnet_a1", zoo::mnasnet_a1},
    Row{"mnasnet_small", zoo::mnasnet_small},
    Row{"darts_4cell", darts_4cell},
};

}  // namespace

std::vector<std::string_view> zoo_names() {
  std::vector<std::string_view> names;
  names.reserve(kRows.size());
  for (const Row& row : kRows) {
    names.push_back(row.name);
  }
  return names;
}

std::optional<space::NetworkSpec> zoo_spec(std::string_view name, int classes) {
  if (name != "darts_4cell") {
    return std::nullopt;
  }
  space::NetworkSpec spec;
  spec.stem = space::Stem::kPathology;
  spec.channels = 36;
  spec.cells = 4;
  spec.classes = classes;
  spec.genotype = space::published_genotype("DARTS_V2");
  spec.nodes = spec.genotype->nodes();
  return spec;
}

LayerGraph make_zoo_network(std::string_view name, int classes) {
  if (classes < 1) {
    throw UserError(fmt::format("classes {} is below 1: a network needs at least one", classes));
  }
  for (const Row& row : kRows) {
    if (row.name == name) {
      LayerGraph graph = row.make(classes);
      graph.name = name;
      return graph;
    }
  }
  throw UserError(
      fmt::format("network '{}' is unknown; use one of {}", name, fmt::join(zoo_names(), ", ")));
}

}  // namespace probedarts::nets
