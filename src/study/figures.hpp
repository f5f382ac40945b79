#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "study/plan.hpp"
#include "study/run_study.hpp"

/// The paper's figures from the folder of a study.
namespace probedarts::study {

struct Figure {
  std::string name;     ///< of its file: "figure-4"
  std::string caption;  ///< what is drawn, from which runs
  std::string svg;
};

struct Figures {
  std::vector<Figure> drawn;     ///< those that the study has runs for
  std::size_t folders_left_out;  ///< searches with a record whose run folder is gone
};

/// Figure 3 (stable rank of the layers of the first cell, and architecture weights of the first
/// normal edge: one search of each row, six rows at most), 4 (errors while searching, mean and sd
/// over seeds), 5 (test accuracy against parameters), 6 (cells found).
/// Figures 4 and 5 read of each line or run only what they draw.
/// \throws UserError when a run folder is malformed.
Figures draw_figures(const Plan& plan, const Progress& progress, const StudyFolder& folder);

/// Training and validation error of each epoch.
struct ErrorCurves {
  std::vector<double> train, valid;
};

/// Reads epochs.jsonl of a run; stops in each line once both errors are known, since what follows
/// them is a hundred times as long. A last line that is not whole is left out.
/// \throws UserError when another line has no errors.
ErrorCurves read_error_curves(const std::filesystem::path& epochs_jsonl);

}  // namespace probedarts::study
