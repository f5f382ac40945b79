#pragma once

#include <optional>
#include <vector>

#include "core/tensor_fwd.hpp"
#include "probe/evbmf.hpp"

namespace probedarts::probe {

/// Metrics of one unfolding of a convolution weight (paper §3.2; docs/method.md, "Probes"). n is
/// the row count of the original unfolding: input or output channels.
struct SideMetrics {
  double rank = 0.0;         ///< r / n, in [0, 1]
  double stable_rank = 0.0;  ///< knowledge gain: (1/n) sum_i d_i / d_1; 0 when r = 0
  double condition = 0.0;    ///< mapping condition d_1 / d_r; 0 when r = 0
};

/// Metrics of one layer. A failure (NaN or infinity in the weight) is reported, never replaced by
/// an older number.
struct LayerMetrics {
  SideMetrics in;
  SideMetrics out;
  bool failed = false;
  double stable_rank() const { return 0.5 * (in.stable_rank + out.stable_rank); }
};

/// One convolution to probe. A depthwise convolution takes the values of the pointwise one that
/// follows it.
struct ProbeTarget {
  const at::Tensor* weight;  ///< [out, in/groups, kh, kw], float32 or float64, CPU or not
  bool depthwise;            ///< groups == in channels > 1 (and out == in)
};

/// Metrics of all convolutions in parameter order, on `threads` threads; the result does not depend
/// on `threads`. A depthwise convolution that no dense one follows is probed on its own unfoldings.
/// A weight with an entry that is NaN or infinite gives LayerMetrics::failed and no exception.
/// \throws Bug  threads < 1, or a weight that is not 4-D or is empty.
/// Cost: one SVD in float64 for each unfolding (one for both where the kernel is 1x1).
std::vector<LayerMetrics> probe_layers(const std::vector<ProbeTarget>& targets, int threads,
                                       EvbmfScale scale = EvbmfScale::kAsPublished);

/// Metrics of one matrix [rows, columns] (rows = n).
/// \throws Diverged  an entry is NaN or infinite.
/// \throws Bug       the tensor is not 2-D or is empty.
SideMetrics probe_matrix(const at::Tensor& matrix, EvbmfScale scale = EvbmfScale::kAsPublished);

}  // namespace probedarts::probe
