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

/// dy = a g + b y + c over [pixels][channels], in the order of memory.
HWY_INLINE void form_cotangent(const Cotangent& from, std::ptrdiff_t first, int pixels,
                               int channels, float* dst) {
  const float* g = from.gradient + first;
  const float* y = from.values + first;
  for (int p = 0; p < pixels; ++p) {
    for (int c = 0; c < channels; c += kLanes) {
      const Vector rest = hn::MulAdd(load(from.b + c), load(y + c), load(from.c + c));
      store(hn::MulAdd(load(from.a + c), load(g + c), rest), dst + c);
    }
    g += channels;
    y += channels;
    dst += channels;
  }
}

/// Kernels are compiled for these channel counts and for any other: with a constant count the
/// addresses of a register tile's rows are constants too, instead of more registers than there are.
/// `choose<Kernel>(channels)` is Kernel<count>::run.
template <template <int> class Kernel>
HWY_INLINE auto choose(int channels) -> decltype(&Kernel<0>::run) {
  if constexpr (kLanes >= 8) {
    switch (channels) {
      case 16:
        return &Kernel<16>::run;
      case 32:
        return &Kernel<32>::run;
      case 48:
        return &Kernel<48>::run;
      case 64:
        return &Kernel<64>::run;
      default:
        break;
    }
  }
  return &Kernel<0>::run;
}

}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#endif  // PROBEDARTS_KERNELS_SIMD_INL_HPP_
