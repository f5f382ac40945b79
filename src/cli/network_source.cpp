#include "cli/network_source.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/genotype_source.hpp"
#include "core/errors.hpp"
#include "core/nearest.hpp"
#include "nets/layout.hpp"
#include "nets/zoo.hpp"
#include "space/published.hpp"

namespace probedarts::cli {
namespace {

std::vector<std::string> known_networks() {
  std::vector<std::string> names;
  for (const auto& group : {nets::zoo_names(), space::published_names()}) {
    names.insert(names.end(), group.begin(), group.end());
  }
  return names;
}

/// The cell of a network of cells; nothing for another one.
std::optional<space::Genotype> genotype_of(const NetworkSource& source) {
  if (!source.genotype.empty()) {
    return read_genotype(source.genotype, "--genotype");
  }
  return space::published_genotype(source.network);
}

space::NetworkSpec derived_spec(space::Genotype genotype, const NetworkSource& source,
                                int classes) {
  const auto stem = space::stem_named(source.stem);
  if (!stem) {
    throw UserError(fmt::format("--stem: '{}' is unknown; use cifar or pathology", source.stem));
  }
  space::NetworkSpec spec;
  spec.stem = *stem;
  spec.channels = source.channels;
  spec.cells = source.cells;
  spec.classes = classes;
  spec.nodes = genotype.nodes();
  spec.genotype = std::move(genotype);
  return spec;
}

nets::LayerGraph zoo_network(const std::string& name, int classes) {
  const std::vector<std::string> names = known_networks();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    const auto near = nearest(name, names);
    throw UserError(near
                        ? fmt::format("--network: '{}' is unknown; did you mean '{}'?", name, *near)
                        : fmt::format("--network: '{}' is unknown; use one of {}", name,
                                      fmt::join(names, ", ")));
  }
  return nets::make_zoo_network(name, classes);
}

}  // namespace

bool is_of_cells(const NetworkSource& source) {
  return !source.genotype.empty() || space::published_genotype(source.network).has_value();
}

nets::LayerGraph make_network(const NetworkSource& source, int classes, int size_px) {
  auto genotype = genotype_of(source);
  if (!genotype) {
    return zoo_network(source.network, classes);
  }
  const space::NetworkSpec spec = derived_spec(std::move(*genotype), source, classes);
  const nets::NetworkLayout layout = nets::lay_out(spec);
  space::validate_image_size(spec, size_px, size_px);
  return nets::lower(layout);
}

}  // namespace probedarts::cli
