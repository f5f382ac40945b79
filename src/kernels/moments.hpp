#pragma once

#include <cstddef>
#include <cstdint>

namespace probedarts::kernels {

/// Running mean and sum of squared deviations per channel. Values come in tiles that are still in
/// cache; a tile's own mean and deviations are merged by the pairwise update of Chan, Golub &
/// LeVeque (1979), so that a mean far from zero costs no digits.
struct Moments {
  float* mean;          ///< [channels]
  float* deviation;     ///< [channels], sum of (y - mean)^2
  std::int64_t* count;  ///< pixels seen so far
};

/// Mean and biased variance of one channel.
struct ChannelStatistics {
  double mean, variance;
  std::int64_t count;
};

/// Merges the moments of several parts in order, in double precision.
/// \param means, deviations  part p at [p * stride].
/// \param counts             part p at [p * count_stride].
ChannelStatistics merge_moments(const float* means, const float* deviations, std::size_t stride,
                                const std::int64_t* counts, std::size_t count_stride, int parts);

/// Adds one tile [pixels][channels]. Channels padded.
void accumulate_moments(const float* values, int pixels, int channels, const Moments& moments);

}  // namespace probedarts::kernels
