#pragma once

#include <string>
#include <vector>

#include "study/plan.hpp"
#include "study/rank_correlation.hpp"
#include "study/run_study.hpp"
#include "study/search_probes.hpp"

/// Does the search predict? Orders of cells in one measure against those in a later one.
namespace probedarts::study {

/// What cells are compared within.
enum class Within {
  kDataSet,  ///< a data set and image size of the grid
  kSetting   ///< a row: its cells differ by seed alone, as those that a choice is made among
};

/// Does the order in one measure foretell that in another?
struct Prediction {
  std::string from, to;
  RankCorrelation found;
  Within within = Within::kDataSet;
  /// Cells of several settings in one stratum. Those of one setting are alike in everything, so
  /// they are fewer than they seem: shuffled freely, two measures that settings move, each for
  /// itself, would look related. Then there is neither p nor interval.
  bool pooled = false;
};

/// Search-time validation accuracy, that of quick training, and mean test accuracy, each with each
/// later one; then each probe at the end of the search with quick and test accuracy. Points of
/// pairs with quick training are all cells found; of those with the test the cell that each row's
/// choice took. A pair without two cells to compare is left out. Where a data set has cells of
/// several settings, there is a second line within settings.
/// \param probes  of each row's searches, as `read_all_search_probes` has them; or none.
std::vector<Prediction> predict_all(const Plan& plan, const Progress& progress,
                                    const std::vector<std::vector<SearchProbes>>& probes = {});

/// "A and B, 12 cells within 2 data sets: Kendall's tau-b 0.33 (95 % interval -0.10 to 0.70),
/// Spearman's rho 0.45, p = 0.14."
std::string sentence_of(const Prediction& prediction);

}  // namespace probedarts::study
