#pragma once

#include "space/genotype.hpp"

namespace probedarts::probe {

/// Signals of a search that collapses (docs/method.md, "Probes"). On histology the collapse
/// is to pooling, so all parameter-free primitives are counted, not only skips.
struct CollapseSignals {
  double parameter_free_share = 0.0;  ///< among the edges derivation keeps: pools and skips
  double skip_share = 0.0;
  double pool_share = 0.0;
  double entropy = 0.0;  ///< of softmax(alpha), nats, mean over edges; log 8 = 2.08 when undecided
  double margin = 0.0;   ///< first minus second primitive other than none, mean over edges
};

/// The signals of one kind of cell.
/// \param weights  softmax(alpha) of that kind, [edge_count(nodes)][8].
/// \throws Bug  weights of another shape.
CollapseSignals collapse_signals(const space::EdgeWeights& weights, int nodes);

}  // namespace probedarts::probe
