#pragma once

#include <span>

#include "kernels/feature_map.hpp"
#include "kernels/moments.hpp"

/// A product over channels whose input pixel is gathered from several maps: the preprocessing
/// convolution (the states that a cell concatenates, never concatenated), the factorised reduce
/// (every state twice, the second time one pixel down and right), and the convolutions of the stems
/// (one source per tap of the window).
namespace probedarts::kernels {

/// Output pixel (row, column) takes all channels of pixel (row * stride + down, column * stride +
/// right), or zeros outside.
struct GatherSource {
  const float* values;
  float* gradient;  ///< backward adds here; null where it is not wanted
  MapShape shape;
  int stride, down, right;
  /// kAssign: what `gradient` held counts for nothing; for sources as large as the output, at
  /// stride 1 and without shift, and for each map once.
  Into into = Into::kAdd;
};

/// Whether ReLU comes before the product.
enum class Rectify { kNo, kYes };

/// Gathered channels lie side by side without the sources' padding: four maps of C 36 are 144
/// channels and not 192.
struct GatherShape {
  MapShape out;
  int depth;  ///< sum of the sources' channels, without padding
  Rectify rectify;
  int source_channels;  ///< of every source, padded
  int source_used;      ///< of these, how many are no padding
  int out_used;         ///< output channels that are no padding
  /// Floats from one row of a matrix [out channels][depth] to the next.
  constexpr int depth_pitch() const { return padded_channels(depth); }
  /// Floats from one pixel of gathered channels to the next: the last source's padding has a place.
  constexpr int tile_pitch() const {
    return padded_channels(depth + source_channels - source_used);
  }
};

/// Floats of scratch for both directions.
std::size_t gather_scratch_floats(const GatherShape& shape);

/// y[pixel][o] = bias[o] + sum over gathered channels k of weights[k][o].
/// \param weights  [depth][out channels]. \param bias  [out channels] or null.
/// \param moments  of y, added to; or null.
void gathered_forward(const GatherShape& shape, std::span<const GatherSource> sources,
                      const float* weights, const float* bias, float* scratch, float* y,
                      const Moments* moments);

/// Adds the gradients of the sources and, where not null, of the weights.
/// \param weights   [out channels][depth_pitch], the transpose of what the forward takes; zeros
///     beyond depth.
/// \param gradient  of the weights, [out channels][depth_pitch], or null.
void gathered_backward(const GatherShape& shape, std::span<const GatherSource> sources,
                       const float* weights, const Cotangent& cotangent, float* scratch,
                       float* gradient);

}  // namespace probedarts::kernels
