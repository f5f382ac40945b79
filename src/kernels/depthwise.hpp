#pragma once

#include <cstddef>

#include "kernels/feature_map.hpp"

/// Depthwise convolution by itself, for maps as LibTorch's channels_last keeps them.
///
///     y[b, i, j, c] = sum over ky, kx of w[c, ky, kx] x[b, s i + ky - p, s j + kx - p, c]
///
/// with stride s, padding p, and 0 outside of the image. Work is cut into blocks of kChannelBlock
/// channels: a block of an image is copied behind a border of zeros, where it stays in cache for
/// all taps. Threads share out (images, block) pairs; what a pair computes depends on no other.
/// Source: ours.
namespace probedarts::kernels {

struct DepthwiseShape {
  int height, width;  ///< of x
  int channels;       ///< any number; not padded
  int kernel;         ///< 3, 5 or 7
  int stride;         ///< at least 1
  int padding;        ///< 0 .. kernel - 1; the padded image holds a window
  constexpr int out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  constexpr int out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
  constexpr int blocks() const { return (channels + kChannelBlock - 1) / kChannelBlock; }
};

/// Whether this kernel size was built.
constexpr bool depthwise_has(int kernel) { return kernel == 3 || kernel == 5 || kernel == 7; }

/// Floats of scratch, 64-byte aligned, that a call of either function needs.
std::size_t depthwise_scratch_floats(const DepthwiseShape& shape);

/// \param block    which kChannelBlock channels, in [0, blocks()).
/// \param images   one behind the other in x [images, height, width, channels] and y
///                 [images, out_height, out_width, channels]; neither has to be aligned.
/// \param weights  [channels, kernel, kernel], as LibTorch has them.
void depthwise_forward(const DepthwiseShape& shape, int block, int images, const float* weights,
                       float* scratch, const float* x, float* y);

/// \param dx        gradient in x, assigned; or null.
/// \param gradient  of the weights, summed over `images` in order and assigned, [channels, kernel,
///                  kernel]; or null.
void depthwise_backward(const DepthwiseShape& shape, int block, int images, const float* weights,
                        float* scratch, const float* x, const float* dy, float* dx,
                        float* gradient);

}  // namespace probedarts::kernels
