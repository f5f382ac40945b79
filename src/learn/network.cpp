#include "learn/network.hpp"

#include <algorithm>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/nearest.hpp"
#include "learn/options.hpp"
#include "nets/choose_executor.hpp"
#include "nets/layer_graph.hpp"
#include "nets/layout.hpp"
#include "nets/run_layers.hpp"
#include "nets/torch_runtime.hpp"
#include "nets/zoo.hpp"
#include "space/published.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

/// \throws UserError for a name that is not one of the zoo.
void require_known(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& group : {nets::zoo_names(), space::published_names()}) {
    known.insert(known.end(), group.begin(), group.end());
  }
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    return;
  }
  const auto near = nearest(name, known);
  throw UserError(near ? fmt::format("--network: '{}' is unknown; did you mean '{}'?", name, *near)
                       : fmt::format("--network: '{}' is unknown; use one of {}", name,
                                     fmt::join(known, ", ")));
}

NetworkDescription of_cells(const NetworkOptions& options, space::Genotype genotype, int classes,
                            bool auxiliary) {
  check_choice("stem", options.stem, {"pathology", "cifar"});
  NetworkDescription description;
  space::NetworkSpec& spec = description.spec;
  spec.stem = *space::stem_named(options.stem);
  spec.channels = options.channels;
  spec.cells = options.cells;
  spec.nodes = genotype.nodes();
  spec.classes = classes;
  spec.genotype = std::move(genotype);
  spec.auxiliary = auxiliary;
  return description;
}

}  // namespace

NetworkDescription describe_network(const NetworkOptions& options, int classes, bool auxiliary) {
  if (options.network.empty() == options.genotype.empty()) {
    throw UserError(
        options.network.empty()
            ? "--network: no network given; name one, or give the cell to build from with "
              "--genotype"
            : "--network goes without --genotype; give one of them");
  }
  if (!options.genotype.empty()) {
    return of_cells(options, space::parse_genotype(options.genotype), classes, auxiliary);
  }
  if (auto published = space::published_genotype(options.network)) {
    return of_cells(options, std::move(*published), classes, auxiliary);
  }
  require_known(options.network);
  if (auto spec = nets::zoo_spec(options.network, classes)) {
    spec->auxiliary = auxiliary;
    return {"", *spec};
  }
  if (auxiliary) {
    throw UserError(
        fmt::format("--auxiliary: '{}' has no place for an auxiliary head; use --auxiliary false",
                    options.network));
  }
  NetworkDescription description;
  description.name = options.network;
  description.spec.classes = classes;
  return description;
}

json to_json(const NetworkDescription& description) {
  const space::NetworkSpec& spec = description.spec;
  if (!description.name.empty()) {
    return {{"name", description.name}, {"classes", spec.classes}};
  }
  return {{"name", "cells"},
          {"classes", spec.classes},
          {"stem", std::string(space::name_of(spec.stem))},
          {"channels", spec.channels},
          {"cells", spec.cells},
          {"genotype", json::parse(space::to_json(spec.genotype.value()))},
          {"auxiliary", spec.auxiliary}};
}

NetworkDescription description_from_json(const json& stored) {
  NetworkDescription description;
  space::NetworkSpec& spec = description.spec;
  stored.at("name").get_to(description.name);
  stored.at("classes").get_to(spec.classes);
  if (description.name != "cells") {
    return description;
  }
  description.name.clear();
  const auto stem = space::stem_named(stored.at("stem").get<std::string>());
  if (!stem) {
    throw UserError("network: its stem is unknown; use the version that made it");
  }
  spec.stem = *stem;
  stored.at("channels").get_to(spec.channels);
  stored.at("cells").get_to(spec.cells);
  stored.at("auxiliary").get_to(spec.auxiliary);
  spec.genotype = space::parse_genotype(stored.at("genotype").dump());
  spec.nodes = spec.genotype->nodes();
  return description;
}

struct Network::Impl {
  std::variant<nets::NetworkLayout, nets::LayerGraph> made;
};

Network::Network(NetworkDescription description) : description_(std::move(description)) {
  if (description_.name.empty()) {
    impl_ = std::make_unique<Impl>(Impl{nets::lay_out(description_.spec)});
  } else {
    impl_ = std::make_unique<Impl>(
        Impl{nets::make_zoo_network(description_.name, description_.spec.classes)});
  }
}

Network::~Network() = default;

const nets::TensorTable& Network::table() const {
  return std::visit([](const auto& made) -> const nets::TensorTable& { return made; }, impl_->made);
}

const nets::NetworkLayout* Network::cells() const {
  return std::get_if<nets::NetworkLayout>(&impl_->made);
}

nets::LayerGraph Network::layers() const {
  return cells() != nullptr ? nets::lower(*cells()) : std::get<nets::LayerGraph>(impl_->made);
}

int Network::droppable_edges() const { return cells() == nullptr ? 0 : cells()->droppable_edges; }

void Network::require_image_size(int size_px) const {
  if (cells() != nullptr) {
    space::validate_image_size(description_.spec, size_px, size_px);
  } else {
    nets::infer_shapes(std::get<nets::LayerGraph>(impl_->made), size_px, size_px);
  }
}

nets::ChosenExecutor Network::make_executor(const std::string& choice, nets::Precision precision,
                                            int threads, std::uint64_t seed) const {
  if (cells() != nullptr) {
    return nets::make_executor(*cells(), choice, precision, threads);
  }
  if (choice == "fused") {
    throw UserError(
        fmt::format("--executor fused: runs networks of cells only, not '{}'; use composed or auto",
                    description_.name));
  }
  nets::set_threads(threads);
  return {nets::make_layer_executor(std::get<nets::LayerGraph>(impl_->made), seed), "composed"};
}

}  // namespace probedarts::learn
