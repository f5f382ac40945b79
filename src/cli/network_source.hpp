#pragma once

#include <string>

#include "nets/layer_graph.hpp"

namespace probedarts::cli {

/// A network as the flags of a command name it.
struct NetworkSource {
  std::string network;   ///< --network: of the zoo, or a published genotype
  std::string genotype;  ///< --genotype: see read_genotype
  std::string stem = "pathology";
  int channels = 36;
  int cells = 4;
};

/// Whether it is made of cells, so that stem, channels and cells mean something.
bool is_of_cells(const NetworkSource& source);

/// The network as a list of layers. \throws UserError for an unknown name (with the nearest known
/// one), a genotype that cannot be read, a description out of range, images too small for its
/// cells.
nets::LayerGraph make_network(const NetworkSource& source, int classes, int size_px);

}  // namespace probedarts::cli
