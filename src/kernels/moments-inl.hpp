// Moments of a tile, see kernels/moments.hpp.
#if defined(PROBEDARTS_KERNELS_MOMENTS_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef PROBEDARTS_KERNELS_MOMENTS_INL_HPP_
#undef PROBEDARTS_KERNELS_MOMENTS_INL_HPP_
#else
#define PROBEDARTS_KERNELS_MOMENTS_INL_HPP_
#endif

#include "kernels/moments.hpp"
#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {

HWY_INLINE Vector column_sum(const float* values, int pixels, std::ptrdiff_t step) {
  Vector sum[4] = {zero(), zero(), zero(), zero()};
  int p = 0;
  for (; p + 4 <= pixels; p += 4, values += 4 * step) {
    HWY_UNROLL(4)
    for (int i = 0; i < 4; ++i) {
      sum[i] = hn::Add(sum[i], load(values + i * step));
    }
  }
  for (; p < pixels; ++p, values += step) {
    sum[0] = hn::Add(sum[0], load(values));
  }
  return hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]));
}

HWY_INLINE Vector column_deviation(const float* values, int pixels, std::ptrdiff_t step,
                                   Vector mean) {
  Vector sum[4] = {zero(), zero(), zero(), zero()};
  int p = 0;
  for (; p + 4 <= pixels; p += 4, values += 4 * step) {
    HWY_UNROLL(4)
    for (int i = 0; i < 4; ++i) {
      const Vector from_mean = hn::Sub(load(values + i * step), mean);
      sum[i] = hn::MulAdd(from_mean, from_mean, sum[i]);
    }
  }
  for (; p < pixels; ++p, values += step) {
    const Vector from_mean = hn::Sub(load(values), mean);
    sum[0] = hn::MulAdd(from_mean, from_mean, sum[0]);
  }
  return hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]));
}

HWY_INLINE void add_tile(const float* values, int pixels, int channels, const Moments& moments) {
  if (pixels == 0) {
    return;
  }
  const auto before = static_cast<float>(*moments.count);
  const auto added = static_cast<float>(pixels);
  const Vector share = broadcast(added / (before + added));
  const Vector cross = broadcast(before * (added / (before + added)));
  for (int c = 0; c < channels; c += kLanes) {
    const Vector mean = hn::Mul(column_sum(values + c, pixels, channels), broadcast(1.0F / added));
    const Vector deviation = column_deviation(values + c, pixels, channels, mean);
    if (*moments.count == 0) {
      store(mean, moments.mean + c);
      store(deviation, moments.deviation + c);
      continue;
    }
    const Vector so_far = load(moments.mean + c);
    const Vector apart = hn::Sub(mean, so_far);
    store(hn::MulAdd(apart, share, so_far), moments.mean + c);
    store(hn::MulAdd(hn::Mul(apart, apart), cross, hn::Add(deviation, load(moments.deviation + c))),
          moments.deviation + c);
  }
  *moments.count += pixels;
}

}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#endif  // PROBEDARTS_KERNELS_MOMENTS_INL_HPP_
