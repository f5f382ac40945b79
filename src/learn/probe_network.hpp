#pragma once

#include <cstddef>
#include <vector>

#include "nets/network_state.hpp"
#include "probe/stable_rank.hpp"

/// The probes on a whole network: which of its parameters are layers, and their metrics.
namespace probedarts::learn {

/// The convolutions of a network, as indices into its parameters, in order: what is probed, what
/// Adas gives rates to, and what `layers` of run.json lists.
std::vector<std::size_t> convolution_parameters(const nets::TensorTable& table);

/// For each parameter tensor the index of its convolution among all, or -1: what Adas is told.
std::vector<int> layer_of_parameter(const nets::TensorTable& table);

/// Metrics of every convolution, in order (probe::probe_layers).
std::vector<probe::LayerMetrics> probe_network(const nets::TensorTable& table,
                                               const nets::NetworkState& network, int threads,
                                               probe::EvbmfScale scale);

}  // namespace probedarts::learn
