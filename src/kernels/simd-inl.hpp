// Vectors and the register tiles that every kernel is made of, once per SIMD target.
#if defined(PROBEDARTS_KERNELS_SIMD_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef PROBEDARTS_KERNELS_SIMD_INL_HPP_
#undef PROBEDARTS_KERNELS_SIMD_INL_HPP_
#else
#define PROBEDARTS_KERNELS_SIMD_INL_HPP_
#endif

#include <algorithm>
#include <cstddef>

#include <hwy/highway.h>

#include "kernels/feature_map.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, kChannelBlock>;
using Vector = hn::Vec<Tag>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag()));
/// 32 registers with AVX-512, 16 with AVX2.
inline constexpr bool kManyRegisters = kLanes == 16;

HWY_INLINE Vector load(const float* from) { return hn::Load(Tag(), from); }
HWY_INLINE void store(Vector value, float* to) { hn::Store(value, Tag(), to); }
HWY_INLINE Vector zero() { return hn::Zero(Tag()); }
HWY_INLINE Vector broadcast(float value) { return hn::Set(Tag(), value); }
/// ReLU that lets NaN through: x86's maximum returns its second operand when one is NaN.
HWY_INLINE Vector rectified(Vector value) {
  return hn::IfThenElse(hn::Lt(value, zero()), zero(), value);
}

/// dy = a g + b y + c over [pixels][channels].
HWY_INLINE void form_cotangent(const Cotangent& from, std::ptrdiff_t first, int pixels,
                               int channels, float* dst) {
  for (int c = 0; c < channels; c += kLanes) {
    const Vector a = load(from.a + c);
    const Vector b = load(from.b + c);
    const Vector shift = load(from.c + c);
    const float* g = from.gradient + first + c;
    const float* y = from.values + first + c;
    for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(pixels) * channels; i += channels) {
      store(hn::MulAdd(a, load(g + i), hn::MulAdd(b, load(y + i), shift)), dst + c + i);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#endif  // PROBEDARTS_KERNELS_SIMD_INL_HPP_
