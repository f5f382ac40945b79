#include "kernels/moments.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/moments.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/moments-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

void add_tile_of(const float* values, int pixels, int channels, const Moments& moments) {
  add_tile(values, pixels, channels, moments);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace probedarts::kernels {

HWY_EXPORT(add_tile_of);

void accumulate_moments(const float* values, int pixels, int channels, const Moments& moments) {
  HWY_DYNAMIC_DISPATCH(add_tile_of)(values, pixels, channels, moments);
}

ChannelStatistics merge_moments(const float* means, const float* deviations, std::size_t stride,
                                const std::int64_t* counts, std::size_t count_stride, int parts) {
  double mean = 0.0;
  double deviation = 0.0;
  std::int64_t count = 0;
  for (std::size_t part = 0; part < static_cast<std::size_t>(parts); ++part) {
    const std::int64_t part_count = counts[part * count_stride];
    if (part_count == 0) {
      continue;
    }
    const auto added = static_cast<double>(part_count);
    const auto before = static_cast<double>(count);
    const double apart = static_cast<double>(means[part * stride]) - mean;
    mean += apart * added / (before + added);
    deviation += static_cast<double>(deviations[part * stride]) +
                 apart * apart * before * added / (before + added);
    count += part_count;
  }
  return {mean, count > 0 ? deviation / static_cast<double>(count) : 0.0, count};
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
