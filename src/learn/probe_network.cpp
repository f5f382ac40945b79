#include "learn/probe_network.hpp"

#include <ATen/core/Tensor.h>

namespace probedarts::learn {

std::vector<std::size_t> convolution_parameters(const nets::TensorTable& table) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < table.parameters.size(); ++i) {
    if (nets::is_convolution(table.parameters[i].role)) {
      found.push_back(i);
    }
  }
  return found;
}

std::vector<int> layer_of_parameter(const nets::TensorTable& table) {
  std::vector<int> layers(table.parameters.size(), -1);
  int next = 0;
  for (const std::size_t index : convolution_parameters(table)) {
    layers[index] = next++;
  }
  return layers;
}

std::vector<probe::LayerMetrics> probe_network(const nets::TensorTable& table,
                                               const nets::NetworkState& network, int threads,
                                               probe::EvbmfScale scale) {
  const std::vector<std::size_t> convolutions = convolution_parameters(table);
  std::vector<at::Tensor> weights;
  weights.reserve(convolutions.size());  // the targets point into it
  std::vector<probe::ProbeTarget> targets;
  for (const std::size_t index : convolutions) {
    const nets::ParameterInfo& parameter = table.parameters[index];
    weights.push_back(nets::parameter_view(network, parameter));
    targets.push_back({&weights.back(), parameter.role == nets::Role::kDepthwise});
  }
  return probe::probe_layers(targets, threads, scale);
}

}  // namespace probedarts::learn
