#pragma once

#include <ATen/core/Tensor.h>

#include "nets/layer_graph.hpp"

namespace probedarts::nets {

/// Whether fast_convolution computes this one: float32 on the CPU, and either depthwise (as many
/// groups as input and output channels, 3x3, 5x5 or 7x7, no dilation, no bias) or 1x1 (one group,
/// no padding).
bool has_fast_convolution(const layer::Conv& conv, const at::Tensor& x);

/// The same sums as at::conv2d, in another order, with autograd (once, not twice): without oneDNN
/// LibTorch cuts a grouped convolution into one small product for each group, and an image, of a
/// 1x1 convolution as well. Depthwise ones run on kernels/depthwise.hpp, 1x1 ones as one product
/// over all pixels of the batch.
///
/// Depthwise sums are the same bits for any number of LibTorch's threads; those of 1x1 ones are
/// BLAS's.
///
/// \param x  [B, C, H, W]; copied unless it is channels_last.
/// \param bias  undefined for none.
/// \returns  channels_last.
at::Tensor fast_convolution(const layer::Conv& conv, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias);

}  // namespace probedarts::nets
