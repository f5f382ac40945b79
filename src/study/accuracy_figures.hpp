#pragma once

#include "study/network_sizes.hpp"
#include "study/plan.hpp"
#include "study/plot.hpp"
#include "study/run_study.hpp"

/// Figures 5 and 7: what networks reach for what they cost. A panel for each data set; the numbers
/// at points are those of the rows.
namespace probedarts::study {

/// Figure 5: test accuracy of the final trainings against parameters as trained. Cells that were
/// searched alike but for their number of nodes (or of cells, where the nodes are the same) are
/// joined by a line, as the paper does for each optimizer.
/// \throws UserError when a run.json is malformed.
Plot plot_accuracies(const Plan& plan, const Progress& progress, const StudyFolder& folder);

/// Figure 7: test accuracy at the image sizes of phase resolution against multiply-accumulates, by
/// the paper's count; a line a network.
Plot plot_resolutions(const Plan& plan, const Progress& progress, const StudyFolder& folder,
                      const CountNetwork& count);

}  // namespace probedarts::study
