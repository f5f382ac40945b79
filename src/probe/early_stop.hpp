#pragma once

#include <vector>

/// Rules that say whether a search should end now, each a function of what the epochs so far have
/// shown (docs/probes.md, "Stopping early"). Values are one an epoch, oldest first.
namespace probedarts::probe {

/// The largest eigenvalue has grown (Zela et al., "Understanding and robustifying differentiable
/// architecture search", ICLR 2020, sec. 4.3): with m(i) the mean of the `window` values up to i,
///     m(now) >= ratio * m(now - window) > 0.
/// The architecture to keep is then that of `window` values ago. They use window 5, ratio 4/3.
/// False with fewer than 2 window values. \throws Bug  window < 1.
bool has_grown(const std::vector<double>& values, int window, double ratio);

/// The share has been at least `limit` for `window` epochs in a row (after Liang et al., "DARTS+",
/// arXiv:1909.06035, who count skips and take a single epoch; here every primitive without
/// parameters counts, since histology searches collapse to pooling). \throws Bug  window < 1.
bool has_taken_over(const std::vector<double>& shares, int window, double limit);

/// The values of the last `window` epochs span less than `tolerance` of their largest:
///     max - min < tolerance * max.
/// False where max is 0 (nothing has begun), a value is NaN, or there are fewer than `window`.
/// Source: ours. \throws Bug  window < 2.
bool is_flat(const std::vector<double>& values, int window, double tolerance);

/// Share of layers that must be flat for a local plateau; the paper's curves of single layers jump
/// when a singular value crosses the noise, so that all at once would be waiting for luck.
inline constexpr double kFlatLayers = 0.9;

/// At least kFlatLayers of the layers that have begun (a stable rank above 0 within the window) are
/// flat, and one at least has begun. Source: ours.
/// \param layers  [epoch][layer], NaN where a factorisation failed.
bool is_flat_everywhere(const std::vector<std::vector<double>>& layers, int window,
                        double tolerance);

}  // namespace probedarts::probe
