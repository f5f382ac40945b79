#pragma once

#include <string>

#include "study/sheets.hpp"

namespace probedarts::study {

/// Figure 8 for print: a row an image (and label), a column a network, with the class explained and
/// its probability below each map. One self-contained SVG element with the pictures in it; for a
/// white page. Empty for a sheet without rows. The same sheet gives the same bytes.
std::string draw_sheet_svg(const Sheet& sheet);

}  // namespace probedarts::study
