#pragma once

#include <optional>
#include <string>
#include <vector>

#include "study/network_sizes.hpp"
#include "study/plan.hpp"
#include "study/run_study.hpp"
#include "study/statistics.hpp"
#include "study/table_text.hpp"

/// Tables 3 to 7 in the paper's own layout: columns, order and captions.
namespace probedarts::study {

/// What a network reached on one data set, and what it costs there.
struct PaperCell {
  MeanSd accuracy;                  ///< over the runs of its final training, 0..1
  std::optional<NetworkSize> size;  ///< nothing where the run folders are gone
  bool best = false;                ///< of its column; Table 7 alone
  bool near_best = false;           ///< no further from the best mean than the best's sd
};

struct PaperTable {
  std::string caption;
  std::string rows_are;             ///< "Number of nodes"
  std::vector<std::string> groups;  ///< "DARTS+SGD"; each has accuracy, parameters and MACs
  struct Line {
    std::string name;
    std::vector<std::optional<PaperCell>> cells;  ///< one a group
  };
  std::vector<Line> lines;
};

/// Those of the paper's tables that a study has results for.
///
/// Tables 3 to 6 hold the cells that were searched, a line for each number of nodes (or of cells,
/// where those were searched for), a group of columns for each optimizer; other things that vary
/// (data, size, learning rate, order) make further tables or groups. Table 7 holds all networks
/// that were trained on several data sets or are compared with fixed ones, in the paper's order,
/// then random and searched cells; a group for each data set. \param count  nothing: without
/// parameters and multiply-accumulates.
std::vector<PaperTable> paper_tables(const Plan& plan, const Progress& progress,
                                     const StudyFolder& folder, const CountNetwork& count);

/// Accuracy in percent with its sd below the line; millions of parameters, without auxiliary head;
/// 10^9 multiply-accumulates as the paper counts them, for one image of the size tested. Two
/// decimals as in the paper; two digits for what would be less than 0.095.
std::string render(const std::vector<PaperTable>& tables, TableFormat format);

}  // namespace probedarts::study
