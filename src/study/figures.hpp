#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "study/network_sizes.hpp"
#include "study/plan.hpp"
#include "study/plot.hpp"
#include "study/run_study.hpp"
#include "study/search_figures.hpp"
#include "study/sheets.hpp"

/// The paper's figures from the folder of a study.
namespace probedarts::study {

struct Figure {
  std::string name;     ///< of its file: "figure-4"
  std::string caption;  ///< what is drawn, from which runs
  std::string svg;
  std::optional<Plot> live = {};  ///< what a page with a script draws instead
};

struct Figures {
  std::vector<Figure> drawn;       ///< those that the study has runs for
  Searches searches = {};          ///< what figure 3 chooses from, and those left out
  std::vector<Sheet> sheets = {};  ///< figure 8
  std::vector<std::optional<RowSize>> sizes = {};  ///< of each row, where known
};

/// Figure 3 and 4 (search_figures.hpp), 5 and 7 (accuracy_figures.hpp), 6 (the cell that phase
/// select chose, before that the one of the search with the least error), 8 (heat maps, and where
/// their own pages are). Of each file only what is drawn is read.
/// \param count  nothing: no figure 7 and no sizes.
/// \param embed  nothing: figure 8 is links alone.
/// \throws UserError when a run folder is malformed.
Figures draw_figures(const Plan& plan, const Progress& progress, const StudyFolder& folder,
                     const CountNetwork& count = nullptr, const EmbedPicture& embed = nullptr);

}  // namespace probedarts::study
