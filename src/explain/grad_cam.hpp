#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/tensor_fwd.hpp"
#include "explain/cam_method.hpp"
#include "explain/heat_map.hpp"
#include "nets/layer_graph.hpp"
#include "nets/network_state.hpp"

namespace probedarts::explain {

/// What a network says about one image.
struct CamResult {
  std::vector<float> logits;  ///< [classes]
  std::vector<int> classes;   ///< asked for
  std::vector<HeatMap> raw;   ///< one for each of them, at the layer's resolution; negative values
                              ///< speak against the class
  /// w_k of cam_method.hpp, [channels] for each class; empty for HiResCAM, which weighs places.
  std::vector<std::vector<float>> channel_weights;
};

/// Heat maps of one image in evaluation mode. Y_c is the logit, before any softmax or sigmoid, so
/// single- and multi-label networks are treated alike.
///
/// \param image    [1, 3, H, W], normalised; float32 or float64 as the state.
/// \param layer    index of a layer whose output is a map (see choose_layer.hpp).
/// \param classes  indices of outputs; nothing stands for the one of the largest logit.
/// \throws UserError for an image that is too small. \throws Diverged when a logit is not finite.
/// Cost: one forward pass, and a backward pass from the logits to the layer for each class.
CamResult class_activation(const nets::LayerGraph& graph, const nets::NetworkState& state,
                           const at::Tensor& image, std::size_t layer,
                           std::span<const std::optional<int>> classes, CamMethod method);

}  // namespace probedarts::explain
