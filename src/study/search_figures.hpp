#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "report/read_run.hpp"
#include "study/plan.hpp"
#include "study/plot.hpp"
#include "study/run_study.hpp"
#include "study/search_trace.hpp"

/// Figures 3 and 4: what happened while searching.
namespace probedarts::study {

/// A finished search whose run folder is there.
struct DrawnSearch {
  std::size_t row = 0;  ///< of the plan
  std::uint64_t seed = 0;
  SearchTrace trace;
};

struct Searches {
  std::vector<DrawnSearch> runs;                   ///< by row, then as planned
  std::vector<std::vector<report::Layer>> layers;  ///< of each row; empty where not known
  std::size_t folders_left_out = 0;                ///< finished, but their run folders are gone
};

/// Reads the searches of a study, each file once.
/// \throws UserError when a run folder is malformed.
Searches read_searches(const Plan& plan, const Progress& progress, const StudyFolder& folder);

/// Figure 3, above: stable rank of the convolutions of the first cell, a thin line each, and the
/// mean of those that feed one node, a thick one; one search of each row, six rows at most.
Plot plot_stable_ranks(const Plan& plan, const Searches& searches);

/// Figure 3, below: softmax(alpha) of two edges of normal cells in the same searches, side by side:
/// from the first input to the first node, and from that node to the second.
Plot plot_weights(const Plan& plan, const Searches& searches);

/// Figure 4: training and validation error, mean and sd over the seeds of each row.
Plot plot_errors(const Plan& plan, const Searches& searches);

}  // namespace probedarts::study
