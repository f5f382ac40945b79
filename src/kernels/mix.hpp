#pragma once

#include <span>

#include "kernels/feature_map.hpp"

/// Weighted sums of maps, and the sums that the gradients of batch normalisations and edge weights
/// are made of.
namespace probedarts::kernels {

/// One summand: values [pixels][channels] times scale [channels].
struct MixTerm {
  const float* values;
  const float* scale;
};

/// dst = shift + sum over terms of scale * values (kAdd: on top of dst). With the statistics of
/// batch normalisations in scale and shift this is their application and the weighted sum over all
/// candidates of all in-edges of a node, in one pass. \param shift  [channels] or null.
void mix(std::span<const MixTerm> terms, const float* shift, int pixels, int channels, Into into,
         float* dst);

/// For a node's gradient g: gradient_sum[c] += sum g, and for each term product_sum[c] += sum g *
/// (values - centre).
struct ProductTerm {
  const float* values;
  const float* centre;  ///< [channels]
  float* product_sum;   ///< [channels]
};
void sum_products(const float* gradient, std::span<const ProductTerm> terms, int pixels,
                  int channels, float* gradient_sum);

/// dst[c] = mean over pixels of values.
void channel_means(const float* values, int pixels, int channels, float* dst);

/// dst[p][c] += values[c] for every pixel.
void add_to_pixels(const float* values, int pixels, int channels, float* dst);

}  // namespace probedarts::kernels
