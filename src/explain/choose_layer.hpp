#pragma once

#include <cstddef>
#include <string>

#include "nets/layer_graph.hpp"

namespace probedarts::explain {

/// The layer a user names: a layer or a block ("cells.3", "features.18"; the output of the block),
/// or the last convolution for "last_conv".
/// \throws UserError for an unknown name (with the nearest known one), and for a layer that has a
/// single pixel for images of this size and so no places to tell apart.
std::size_t layer_to_explain(const nets::LayerGraph& graph, const std::string& name, int size_px);

}  // namespace probedarts::explain
