#pragma once

#include <algorithm>

#include "kernels/feature_map.hpp"

namespace probedarts::kernels {

/// Whole rows are worked on together until a tile has about this many pixels: enough to amortise
/// loading a register tile, few enough for the level-1 cache.
inline constexpr int kTilePixels = 64;

constexpr int rows_of_tile(const MapShape& shape) {
  return std::clamp(kTilePixels / shape.width, 1, shape.height);
}
constexpr std::size_t tile_floats(const MapShape& shape) {
  return static_cast<std::size_t>(rows_of_tile(shape)) * static_cast<std::size_t>(shape.width) *
         static_cast<std::size_t>(shape.channels);
}

}  // namespace probedarts::kernels
