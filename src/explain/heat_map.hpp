#pragma once

#include <vector>

namespace probedarts::explain {

/// A number for each place, row by row.
struct HeatMap {
  int height = 0;
  int width = 0;
  std::vector<float> values;  ///< height * width
};

/// The part that speaks for the class, from 0 (least) to 1 (most):
/// cam = max(raw, 0), (cam - min cam) / (max cam - min cam); all zeros when cam is constant.
HeatMap positive_part(const HeatMap& raw);

/// Bilinear with half-pixel centres (PyTorch's `interpolate` with align_corners=False).
/// \throws Bug for an empty map or a side below 1.
HeatMap resized(const HeatMap& map, int height, int width);

/// Whether any place speaks for the class; otherwise positive_part is all zeros.
bool speaks_for(const HeatMap& raw);

}  // namespace probedarts::explain
