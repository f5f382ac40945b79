#pragma once

#include <string>
#include <vector>

/// Plain line charts as SVG text, for print and for pages without script.
namespace probedarts::study {

enum class Markers { kNone, kSome, kAll };

/// One line. Points that are not finite interrupt it.
struct Series {
  std::string label;           ///< empty: not in the legend
  std::vector<double> x, y;    ///< equally many
  std::vector<double> spread;  ///< half height of a band around y (bars: see Panel; at a single
                               ///< point always); empty: none
  int style = 0;  ///< of report::kLineStyles, modulo their number; each further turn dashes
  bool dashed = false;
  Markers markers = Markers::kSome;
  double width = 1.7;    ///< px
  double opacity = 1.0;  ///< 0..1
  std::string tag = {};  ///< written beside the last point: tells lines apart that share a style
  std::vector<std::string> tags = {};  ///< of each point, in place of `tag`, which the legend has
};

struct Panel {
  std::string title;
  std::vector<Series> lines;
  bool bars = false;  ///< spreads as bars at the points: bands of many lines hide each other
};

/// A figure: panels side by side, two in a row, that share the scales of both axes.
struct Plot {
  std::string title;  ///< for readers who do not see it
  std::string x_label, y_label;
  std::vector<Panel> panels;
  bool from_zero = true;  ///< whether y holds 0, so that small differences look small
  bool log_x = false;     ///< x is logarithmic; every x must be positive
};

/// Axes, grid, bands, lines, markers, tags that keep clear of each other (tag_places.hpp) and a
/// legend below each panel, as one self-contained SVG element. Of ticks whose numbers would overlap
/// some stay bare. Text takes `currentColor`; lines have the light styles of report/palette.hpp, so
/// the page behind should be white. The same plot gives the same bytes.
std::string draw_plot_svg(const Plot& plot);

/// Of each point of a line what is written beside it: `tags`, else `tag` at the last one.
std::vector<std::string> tags_of(const Series& line);

/// About five round numbers that cover the range, both ends included: steps of 1, 2 or 5 times a
/// power of ten. \param low, high  finite, low <= high.
std::vector<double> round_ticks(double low, double high);

/// 1, 2 and 5 times powers of ten that cover the range, both ends included; powers of ten alone
/// where that would be more than ten. \param low, high  finite, 0 < low <= high.
std::vector<double> log_ticks(double low, double high);

}  // namespace probedarts::study
