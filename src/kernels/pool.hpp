#pragma once

#include "kernels/feature_map.hpp"
#include "kernels/moments.hpp"

/// 3x3 pooling with padding 1 of one image; padding never wins a maximum and is not counted in an
/// average.
namespace probedarts::kernels {

/// \param out  extents = strided_extent(in extents, stride).
struct PoolShape {
  MapShape in, out;
  int stride;         ///< 1 or 2
  int first_row = 0;  ///< of the whole output, where `out` is a band of its rows (forward only)
};

/// \param moments  of y, added to; or null.
void max_pool(const PoolShape& shape, const float* x, float* y, const Moments* moments);
void average_pool(const PoolShape& shape, const float* x, float* y, const Moments* moments);

/// Adds to dx. The gradient of a maximum goes to its first place in row-major order, as in
/// LibTorch.
void max_pool_backward(const PoolShape& shape, const float* x, const float* y, const float* dy,
                       float* dx);
void average_pool_backward(const PoolShape& shape, const float* dy, float* dx);

}  // namespace probedarts::kernels
