#pragma once

#include <algorithm>

#include "kernels/feature_map.hpp"

namespace probedarts::kernels {

/// Whole rows are worked on together until a tile has about this many floats: enough pixels to
/// amortise loading a register tile, few enough for a handful of tiles and the weights to stay in
/// the level-1 cache.
inline constexpr int kTileFloats = 2048;

constexpr int rows_of_tile(const MapShape& shape) {
  return std::clamp(kTileFloats / (shape.width * shape.channels), 1, shape.height);
}
constexpr std::size_t tile_floats(const MapShape& shape) {
  return static_cast<std::size_t>(rows_of_tile(shape)) * static_cast<std::size_t>(shape.width) *
         static_cast<std::size_t>(shape.channels);
}

}  // namespace probedarts::kernels
