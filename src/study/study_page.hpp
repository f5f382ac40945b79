#pragma once

#include <filesystem>
#include <string>

#include "study/figures.hpp"
#include "study/plan.hpp"
#include "study/run_study.hpp"
#include "study/tables.hpp"

namespace probedarts::study {

/// One self-contained HTML page of a study: states of its runs, table of all measures with
/// intervals, over runs and over test images, figures, comparisons in words, what the probes said,
/// rank correlations. A script makes charts of the figures; without one, and
/// in print, they are the SVG of --figures. Nothing is fetched. All text from files is escaped. The
/// same study gives the same bytes.
/// \param page_folder  where the page will lie: links to sheets of heat maps start there.
std::string render_study_page(const Findings& findings, const Figures& figures, const Plan& plan,
                              const Progress& progress, const std::filesystem::path& page_folder);

}  // namespace probedarts::study
