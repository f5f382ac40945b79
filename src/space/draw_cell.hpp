#pragma once

#include <string>

#include "space/genotype.hpp"

namespace probedarts::space {

/// How a cell is drawn.
struct DrawOptions {
  double scale = 1.0;   ///< CSS pixels for one unit of the drawing
  std::string caption;  ///< accessible title; empty: "Normal cell with 4 nodes" or the like
};

/// A derived cell as one self-contained SVG element: no script, no style sheet, no font, no id,
/// nothing fetched, so that any number of drawings can stand in one page. Equal input gives equal
/// text.
///
/// States step down from the upper left to the lower right. Below that diagonal run the edges: from
/// the source down, around one corner, and right into the label of the primitive in front of the
/// target. Every edge has its own column under its source and its own row before its target, so
/// edges cross at right angles and never share a line. Above the diagonal run the concatenated
/// states to the output. In a reduction cell "/2" marks stride 2.
///
/// Text and frames take `currentColor`. A primitive's family has a colour (Okabe & Ito's palette,
/// safe for colour-blind readers, of middle lightness for light and dark pages) and a dash, so grey
/// prints tell it too. A page may set `--cell-max-pool`, `--cell-avg-pool`, `--cell-skip`,
/// `--cell-sep` and `--cell-dil`.
///
/// \throws Bug  the genotype was not validated.
std::string draw_cell_svg(const CellGenotype& genotype, CellKind kind, const DrawOptions& options);

}  // namespace probedarts::space
