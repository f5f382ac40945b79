#pragma once

#include <cstddef>

/// How feature maps lie in memory.
///
/// Pixels row by row, channels innermost (NHWC), float32. The channel count is rounded up to a
/// multiple of `kChannelBlock` and the extra channels hold zeros: every load is a whole aligned
/// vector and no kernel has a tail. Zero channels stay zero through every kernel because their
/// weights are zero as well. C 36 takes the memory of 48 and is computed as 40.
namespace probedarts::kernels {

inline constexpr int kChannelBlock = 16;  ///< floats; one AVX-512 vector, one cache line

/// Channels that a map of `channels` channels occupies.
constexpr int padded_channels(int channels) {
  return (channels + kChannelBlock - 1) / kChannelBlock * kChannelBlock;
}

/// One image of a feature map; `channels` is already padded.
struct MapShape {
  int height, width, channels;
  constexpr std::size_t pixels() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
  constexpr std::size_t floats() const { return pixels() * static_cast<std::size_t>(channels); }
  constexpr bool operator==(const MapShape&) const = default;
};

/// Whether a result replaces what was there.
enum class Into { kAssign, kAdd };

/// Rows (or columns) that leave a window of `kernel` with "same" padding dilation * (kernel / 2).
constexpr int strided_extent(int extent, int stride) { return (extent - 1) / stride + 1; }

/// The gradient of a loss in the input y of a batch normalisation, given the gradient g in what the
/// normalised value feeds:
///     dy = a g + b y + c    per channel;
/// the batch's statistics are in b and c (0 when running statistics were used). It is formed where
/// it is needed and never stored.
struct Cotangent {
  const float* gradient;   ///< g, one image
  const float* values;     ///< y, one image
  const float *a, *b, *c;  ///< [channels]
};

}  // namespace probedarts::kernels
