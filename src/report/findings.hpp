#pragma once

#include <string>
#include <vector>

#include "report/read_run.hpp"

namespace probedarts::report {

/// What the probes of a run say, in plain sentences: share of kept edges without parameters and
/// since when, how decided softmax(alpha) is, when the kept cell last changed, how many
/// convolutions have not begun to learn, the gap between training and validation error. Facts of
/// this run only (of a training, the last two and its best epoch); no advice, no thresholds other
/// than the one half named in the sentence. Source: ours; the signals are those of paper §3.2.
std::vector<std::string> findings(const Run& run);

/// The epoch with the smallest validation error; the first of equals.
const Epoch& best_epoch(const Run& run);

/// Share of the convolutions whose stable rank is exactly 0 in this epoch, failed ones left out.
/// Depthwise convolutions take the values of the pointwise one that follows (docs/method.md,
/// "Probes") and are not counted twice. 0 when none remain.
double zero_rank_share(const Run& run, const Epoch& epoch);

/// "SGD", "Adas", or the option's own text.
std::string optimizer_name(const Run& run);

}  // namespace probedarts::report
