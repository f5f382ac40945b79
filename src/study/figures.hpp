#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
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

/// A page of heat maps that phase explain made.
struct Sheet {
  std::string title;
  std::filesystem::path page;
};

/// What a trained network costs for one image.
struct NetworkSize {
  std::int64_t parameters = 0;  ///< without auxiliary head
  std::int64_t macs = 0;        ///< multiply-accumulates
};

/// Counts the network that a run folder holds, for one image of a size in px; nothing when the
/// folder does not tell. The caller brings it: this room does not know networks.
using CountNetwork =
    std::function<std::optional<NetworkSize>(const std::filesystem::path& run, int size_px)>;

/// A row's network, at the size of its final test.
struct RowSize {
  NetworkSize network;
  int size_px = 0;
};

struct Figures {
  std::vector<Figure> drawn;         ///< those that the study has runs for
  std::size_t folders_left_out = 0;  ///< searches with a record whose run folder is gone
  std::vector<Sheet> sheets = {};    ///< figure 8
  std::vector<std::optional<RowSize>> sizes = {};  ///< of each row, where known
};

/// Figure 3 (stable rank of the layers of the first cell, and architecture weights of the first
/// normal edge: one search of each row, six rows at most), 4 (errors while searching, mean and sd
/// over seeds), 5 (test accuracy against parameters), 6 (cells found), 7 (test accuracy against
/// multiply-accumulates over image sizes, mean and sd over runs), 8 (where the heat maps are).
/// Figures 4 and 5 read of each line or run only what they draw.
/// \param count  nothing: no figure 7 and no sizes.
/// \throws UserError when a run folder is malformed.
Figures draw_figures(const Plan& plan, const Progress& progress, const StudyFolder& folder,
                     const CountNetwork& count = nullptr);

/// Training and validation error of each epoch.
struct ErrorCurves {
  std::vector<double> train, valid;
};

/// Reads epochs.jsonl of a run; stops in each line once both errors are known, since what follows
/// them is a hundred times as long. A last line that is not whole is left out.
/// \throws UserError when another line has no errors.
ErrorCurves read_error_curves(const std::filesystem::path& epochs_jsonl);

}  // namespace probedarts::study
