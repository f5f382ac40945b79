#pragma once

#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/loader.hpp"
#include "nets/layer_graph.hpp"
#include "nets/network_state.hpp"

namespace probedarts::explain {

/// A trained network and what its images must look like.
struct TrainedNetwork {
  std::string name;  ///< on pages and in files; unlike any other's
  nets::LayerGraph graph;
  nets::NetworkState state;
  std::vector<std::string> classes;
  data::LabelKind labels = data::LabelKind::kSingle;
  data::Normalization normalization;
  int size_px = 0;
};

}  // namespace probedarts::explain
