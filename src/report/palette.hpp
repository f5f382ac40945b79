#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "space/primitive.hpp"

/// How lines look, on pages and in figures for print. One table for all, so that one test
/// (palette_test.cpp) can promise that they stay apart: in the eyes of readers without red or green
/// cones, in grey print, and on light and dark pages. Colour is never the only sign: each style has
/// a marker of its own.
namespace probedarts::report {

struct LineStyle {
  const char* light;   ///< on a white page, and in print: "#rrggbb"
  const char* dark;    ///< on a dark page
  const char* marker;  ///< as Chart.js calls it
};

/// For things that have no colours by nature: runs, settings, nodes, networks. Found by simulated
/// annealing for the widest least distance of palette_test.cpp, hue by hue the same on both pages.
inline constexpr std::array<LineStyle, 8> kLineStyles = {{
    {"#455a90", "#468bed", "circle"},       // blue
    {"#5b3a14", "#f48c73", "triangle"},     // brown, orange
    {"#5a9f68", "#7afe9e", "rect"},         // green
    {"#9d516c", "#cb4da7", "rectRot"},      // rose
    {"#917128", "#f5bb06", "star"},         // ochre
    {"#1c8eab", "#53a2d0", "crossRot"},     // sky
    {"#4d3f9e", "#f3c4ff", "cross"},        // violet
    {"#303030", "#b6b6b6", "rectRounded"},  // grey
}};

/// A candidate operation: one of the styles above and a dash, on and off in px. Operations without
/// parameters are dashed.
struct PrimitiveStyle {
  std::size_t line;  ///< index into kLineStyles
  std::array<int, 2> dash;
};

/// In the order of alpha's columns.
inline constexpr std::array<PrimitiveStyle, space::kPrimitiveCount> kPrimitiveStyles = {{
    {7, {1, 3}},  // none
    {1, {7, 4}},  // max pool
    {4, {7, 4}},  // average pool
    {2, {7, 4}},  // skip
    {0, {0, 0}},  // sep 3x3
    {5, {0, 0}},  // sep 5x5
    {6, {0, 0}},  // dil 3x3
    {3, {0, 0}},  // dil 5x5
}};

/// Lines beyond the styles take them again with another dash: on, off, ... in px, one for each
/// turn. A line that is dashed for itself is a turn ahead.
inline constexpr std::array<std::array<int, 4>, 4> kTurnDashes = {
    {{0, 0, 0, 0}, {6, 4, 0, 0}, {2, 3, 0, 0}, {8, 3, 2, 3}}};

/// {"lines": [{"color": [light, dark], "dash": [], "marker": ""}, ...], "primitives": [...],
/// "turns": [dash, ...]}, what
/// page/charts.js draws with.
std::string styles_json();

}  // namespace probedarts::report
