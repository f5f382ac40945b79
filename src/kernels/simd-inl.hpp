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

/// Half of a vector, where vectors are as wide as a channel block: of C 36 in 48 the last block has
/// four channels in it. Processors that split wide vectors into two halves (Zen 4) take half the
/// time for it.
inline constexpr bool kHasHalves = kLanes == kChannelBlock;
using HalfTag = hn::CappedTag<float, kHasHalves ? kLanes / 2 : kLanes>;

HWY_INLINE Vector load(const float* from) { return hn::Load(Tag(), from); }
HWY_INLINE void store(Vector value, float* to) { hn::Store(value, Tag(), to); }
HWY_INLINE Vector load_anywhere(const float* from) { return hn::LoadU(Tag(), from); }
HWY_INLINE void store_anywhere(Vector value, float* to) { hn::StoreU(value, Tag(), to); }
HWY_INLINE Vector zero() { return hn::Zero(Tag()); }
HWY_INLINE Vector broadcast(float value) { return hn::Set(Tag(), value); }
/// The same value, which the compiler then keeps in a register: GCC reads memory again for each use
/// of a loaded vector, and two loads a cycle are all there are.
template <class AnyVector>
HWY_INLINE AnyVector in_register(AnyVector value) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  asm("" : "+v"(value.raw));
#endif
  return value;
}
/// Half of a broadcast value costs nothing, where a second broadcast would take a place among the
/// multiply-adds: on Zen 4 both run on the same ports. Where there are no halves, the whole (a
/// template, so that only one branch is compiled).
template <class AnyVector>
HWY_INLINE hn::Vec<HalfTag> lower_half(AnyVector value) {
  if constexpr (kHasHalves) {
    return hn::LowerHalf(value);
  } else {
    return value;
  }
}
/// Stores a vector or half of one, whose other half becomes zero.
template <class AnyTag>
HWY_INLINE void store_whole(AnyTag, hn::Vec<AnyTag> value, float* to) {
  hn::Store(value, AnyTag(), to);
  if constexpr (hn::MaxLanes(AnyTag()) < hn::MaxLanes(Tag())) {
    hn::Store(hn::Zero(AnyTag()), AnyTag(), to + hn::MaxLanes(AnyTag()));
  }
}
/// The greater of two; b where they are equal or one is NaN, which is what x86's maximum does.
HWY_INLINE Vector greater_or_second(Vector a, Vector b) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Max(a, b);
#else
  return hn::IfThenElse(hn::Gt(a, b), a, b);
#endif
}
/// ReLU that lets NaN through.
HWY_INLINE Vector rectified(Vector value) { return greater_or_second(zero(), value); }

/// The channels of a pixel, or columns of a matrix: `count` in memory, of which the first `used`
/// are no padding. Padding is not computed beyond the vector, or half of one, that `used` ends in.
struct Channels {
  int count, used;
};

/// Channels that a pass over the first `used` of a map covers: whole vectors, and a half at the end
/// where that is enough.
constexpr int covered(int used) {
  constexpr int kStep = kHasHalves ? kLanes / 2 : kLanes;
  return (used + kStep - 1) / kStep * kStep;
}

/// Zeros for the channels that such a pass leaves out.
HWY_INLINE void zero_rest(int used, int channels, int pixels, float* to, std::ptrdiff_t step) {
  const int first = (covered(used) + kLanes - 1) / kLanes * kLanes;  // halves clear their vector
  if (first == channels) {
    return;
  }
  for (int p = 0; p < pixels; ++p, to += step) {
    for (int c = first; c < channels; c += kLanes) {
      store(zero(), to + c);
    }
  }
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
/// `choose<Kernel>(channels)` is Kernel<count, covered>::run.
template <template <int, int> class Kernel>
HWY_INLINE auto choose(Channels channels) -> decltype(&Kernel<0, 0>::run) {
  if constexpr (kLanes >= 8) {
    if (channels.count == 48 && covered(channels.used) == 40) {
      return &Kernel<48, 40>::run;  // the paper's C 36
    }
    if (covered(channels.used) == channels.count) {
      switch (channels.count) {
        case 16:
          return &Kernel<16, 16>::run;
        case 32:
          return &Kernel<32, 32>::run;
        case 48:
          return &Kernel<48, 48>::run;
        case 64:
          return &Kernel<64, 64>::run;
        default:
          break;
      }
    }
  }
  return &Kernel<0, 0>::run;
}

/// What a kernel of `choose` works on.
template <int kCount, int kCovered>
HWY_INLINE Channels channels_of(int count, int used) {
  return kCount > 0 ? Channels{kCount, kCovered} : Channels{count, used};
}

}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#endif  // PROBEDARTS_KERNELS_SIMD_INL_HPP_
