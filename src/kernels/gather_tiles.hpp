#pragma once

namespace probedarts::kernels {

/// Pixels gathered at a time; with a few hundred channels a tile still fits the level-2 cache.
inline constexpr int kGatherPixels = 64;

}  // namespace probedarts::kernels
