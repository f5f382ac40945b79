#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nets/layer_graph.hpp"

/// What a network costs for one image.
namespace probedarts::nets {

/// Costs of one layer. "Element" is one number of a feature map.
struct LayerCount {
  std::string name;
  std::string_view kind;  ///< name_of(Operation)
  MapShape out;
  std::int64_t parameters = 0;
  /// Multiply-accumulates of convolutions and linear layers, biases not counted:
  /// k^2 (in/groups) numel(out).
  std::int64_t macs = 0;
  /// The paper's count, which is that of ptflops 0.6: `macs`, 1 an output element for a bias, BN 2
  /// an element when affine (else 1), ReLU and ReLU6 1 an output element, pools 1 an input element,
  /// global pools that are modules of the original likewise. Sums, products, concatenations,
  /// hardswish, hardsigmoid and sigmoid count nothing. A ReLU or pool that several readers share is
  /// counted for each of them, as the original computes it.
  std::int64_t macs_paper = 0;
  std::int64_t activations = 0;   ///< elements written
  std::int64_t weight_bytes = 0;  ///< float32, parameters and running statistics
  /// Bytes of all float32 feature maps alive while the layer runs, its own output among them
  /// (NetworkCount::peak_map_bytes is the largest of these).
  std::int64_t live_map_bytes = 0;
};

struct NetworkCount {
  std::vector<LayerCount> layers;
  std::int64_t parameters = 0;  ///< without an auxiliary head
  std::int64_t macs = 0, macs_paper = 0, activations = 0;
  std::int64_t weight_bytes = 0;  ///< of all layers
  /// Most bytes of float32 feature maps alive at once when the layers run in their order, a map
  /// lives from its writing to its last reading, and BN, activations and dropout write over a map
  /// that nobody else will read. Slices are views. A lower bound of what any layer-by-layer program
  /// needs, without the working memory of single operations.
  std::int64_t peak_map_bytes = 0;
};

/// Counts a network for one image of this size. \throws UserError as infer_shapes.
NetworkCount count_network(const LayerGraph& graph, int height_px, int width_px);

}  // namespace probedarts::nets
