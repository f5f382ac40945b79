#pragma once

#include <string>
#include <vector>

#include "study/plan.hpp"
#include "study/rank_correlation.hpp"
#include "study/run_study.hpp"
#include "study/search_probes.hpp"

/// Does the search predict? Orders of cells in one measure against those in a later one.
namespace probedarts::study {

/// Does the order in one measure foretell that in another? Cells are compared within a data set and
/// image size of the grid.
struct Prediction {
  std::string from, to;
  RankCorrelation found;
};

/// Search-time validation accuracy, that of quick training, and mean test accuracy, each with each
/// later one; then each probe at the end of the search with quick and test accuracy. Points of
/// pairs with quick training are all cells found; of those with the test the cell that each row's
/// choice took. A pair without two cells to compare is left out.
/// \param probes  of each row's searches, as `read_all_search_probes` has them; or none.
std::vector<Prediction> predict_all(const Plan& plan, const Progress& progress,
                                    const std::vector<std::vector<SearchProbes>>& probes = {});

/// "A and B, 12 cells within 2 data sets: Kendall's tau-b 0.33 (95 % interval -0.10 to 0.70),
/// Spearman's rho 0.45, p = 0.14."
std::string sentence_of(const Prediction& prediction);

}  // namespace probedarts::study
