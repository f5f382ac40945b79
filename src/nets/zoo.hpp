#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nets/layer_graph.hpp"
#include "space/network_spec.hpp"

/// The networks the paper compares with (its Table 7), under the parameter names of the libraries
/// whose ImageNet weights exist, so that these load (docs/networks.md says where each comes from).
namespace probedarts::nets {

/// Their names, in the order of documents and messages.
std::vector<std::string_view> zoo_names();

/// For a network of the zoo that is made of cells (darts_4cell), its description: such a network
/// trains and runs like any derived one. Nothing for the others and for unknown names.
std::optional<space::NetworkSpec> zoo_spec(std::string_view name, int classes);

/// A network of the zoo for this many classes, with its initial weights as in the original library.
/// \throws UserError an unknown name (the message lists the known ones), or classes below 1.
LayerGraph make_zoo_network(std::string_view name, int classes);

}  // namespace probedarts::nets
