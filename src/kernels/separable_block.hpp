#pragma once

#include <cstddef>

#include "kernels/feature_map.hpp"
#include "kernels/moments.hpp"
#include "kernels/padded_image.hpp"

/// One image through a (ReLU, depthwise k x k, pointwise) block, forward and backward.
///
/// The rectified input is copied once into a padded image that stays in cache and serves every
/// block of every out-edge of a state: no kernel looks at borders. The depthwise output never
/// reaches memory: forward it lives in a tile of a few rows, backward it is computed again.
namespace probedarts::kernels {

/// \param in, out  channels padded and equal; out extents = strided_extent(in extents, stride).
struct BlockShape {
  MapShape in, out;
  int kernel;    ///< 3 or 5
  int dilation;  ///< 1 or 2
  int stride;    ///< 1 or 2
  int used;      ///< channels that are no padding
  constexpr int padding() const { return dilation * (kernel / 2); }
};

/// Weights in the order the kernels read them.
struct BlockWeights {
  const float* depthwise;             ///< [kernel * kernel][channels]
  const float* pointwise;             ///< [out channel][in channel]
  const float* pointwise_transposed;  ///< [in channel][out channel]
};

/// dst = max(0, src), or max(0, scale * src + shift) per channel where `scale` is given; zeroes the
/// border.
void rectify_padded(const float* src, const float* scale, const float* shift,
                    const PaddedImage& dst);

/// Floats of scratch that block_forward and block_backward need.
std::size_t block_scratch_floats(const BlockShape& shape);

/// How a result that is larger than the caches leaves the processor: past them, so that memory is
/// not read before it is overwritten. The bits are the same.
enum class Destination { kCache, kMemory };

/// y = pointwise(depthwise(in)).
/// \param in       rectified; border >= shape.padding().
/// \param y        [out pixels][channels], before BN.
/// \param moments  of y, added to; or null.
void block_forward(const BlockShape& shape, const PaddedImage& in, const BlockWeights& weights,
                   float* scratch, float* y, const Moments* moments,
                   Destination destination = Destination::kCache);

/// Where weight gradients are added; null pointers when they are not wanted.
struct BlockGradients {
  float* depthwise;  ///< [kernel * kernel][channels]
  float* pointwise;  ///< [out channel][in channel]
};

/// The gradient in the rectified input (before ReLU's mask) goes into `input_gradient` [in
/// pixels][channels].
void block_backward(const BlockShape& shape, const PaddedImage& in, const BlockWeights& weights,
                    const Cotangent& cotangent, const BlockGradients& gradients, float* scratch,
                    Into into, float* input_gradient);

/// src where the padded image is positive, else 0, into dst: the gradient of ReLU.
void pass_where_positive(const PaddedImage& image, const float* src, Into into, float* dst);

/// du = src where the padded image is positive, else 0; adds sum(du) and sum(du * (values -
/// centre)) per channel to the sums, which is what the gradient of the BN between the two blocks of
/// a sep_conv needs.
void mask_and_sum(const PaddedImage& image, const float* src, const float* values,
                  const float* centre, float* du, float* gradient_sum, float* product_sum);

}  // namespace probedarts::kernels
