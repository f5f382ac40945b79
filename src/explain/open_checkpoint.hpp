#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/loader.hpp"
#include "nets/layer_graph.hpp"

namespace probedarts::explain {

struct TrainedNetwork;

/// What a file of weights does not tell.
struct NetworkFacts {
  std::string name;  ///< on pages and in messages
  std::vector<std::string> classes;
  data::LabelKind labels = data::LabelKind::kSingle;
  data::Normalization normalization;
  int size_px = 0;
};

/// A network with the weights of a checkpoint (exchange::read_checkpoint), in float32. An auxiliary
/// head, which only training needs, is left aside.
/// \throws UserError when the file cannot be read or does not fit, naming the first misfits.
std::shared_ptr<const TrainedNetwork> open_checkpoint(const std::filesystem::path& file,
                                                      nets::LayerGraph graph, NetworkFacts facts);

}  // namespace probedarts::explain
