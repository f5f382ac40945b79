#include "kernels/mix.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mix.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/moments-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

/// P pixels of all terms, one vector of channels; `at` is the first pixel's place in every map.
template <int P>
HWY_INLINE void mix_pixels(std::span<const MixTerm> terms, const float* shift, std::ptrdiff_t at,
                           int c, int channels, Into into, float* dst) {
  Vector sum[P];
  const Vector start = shift != nullptr ? load(shift + c) : zero();
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    sum[p] = into == Into::kAdd ? hn::Add(start, load(dst + at + p * channels)) : start;
  }
  for (const MixTerm& term : terms) {
    const Vector scale = load(term.scale + c);
    const float* from = term.values + at;
    HWY_UNROLL(16)
    for (int p = 0; p < P; ++p) {
      sum[p] = hn::MulAdd(scale, load(from + static_cast<std::ptrdiff_t>(p) * channels), sum[p]);
    }
  }
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    store(sum[p], dst + at + static_cast<std::ptrdiff_t>(p) * channels);
  }
}

void mix_of(std::span<const MixTerm> terms, const float* shift, int pixels, int channels, Into into,
            float* dst) {
  int p = 0;
  for (; p + 8 <= pixels; p += 8) {
    for (int c = 0; c < channels; c += kLanes) {
      mix_pixels<8>(terms, shift, static_cast<std::ptrdiff_t>(p) * channels + c, c, channels, into,
                    dst);
    }
  }
  for (; p < pixels; ++p) {
    for (int c = 0; c < channels; c += kLanes) {
      mix_pixels<1>(terms, shift, static_cast<std::ptrdiff_t>(p) * channels + c, c, channels, into,
                    dst);
    }
  }
}

HWY_INLINE void add_products(const float* gradient, const ProductTerm& term, std::ptrdiff_t first,
                             int pixels, int channels) {
  for (int c = 0; c < channels; c += kLanes) {
    const Vector centre = load(term.centre + c);
    const float* g = gradient + first + c;
    const float* y = term.values + first + c;
    Vector sum[4] = {zero(), zero(), zero(), zero()};
    int p = 0;
    for (; p + 4 <= pixels; p += 4) {
      HWY_UNROLL(4)
      for (int i = 0; i < 4; ++i) {
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(p + i) * channels;
        sum[i] = hn::MulAdd(load(g + at), hn::Sub(load(y + at), centre), sum[i]);
      }
    }
    for (; p < pixels; ++p) {
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(p) * channels;
      sum[0] = hn::MulAdd(load(g + at), hn::Sub(load(y + at), centre), sum[0]);
    }
    const Vector total = hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]));
    store(hn::Add(load(term.product_sum + c), total), term.product_sum + c);
  }
}

void sum_products_of(const float* gradient, std::span<const ProductTerm> terms, int pixels,
                     int channels, float* gradient_sum) {
  constexpr int kTile = 64;  // a tile of the gradient stays in cache for all terms
  for (int p = 0; p < pixels; p += kTile) {
    const int count = std::min(kTile, pixels - p);
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(p) * channels;
    for (int c = 0; c < channels; c += kLanes) {
      const Vector sum = column_sum(gradient + first + c, count, channels);
      store(hn::Add(load(gradient_sum + c), sum), gradient_sum + c);
    }
    for (const ProductTerm& term : terms) {
      add_products(gradient, term, first, count, channels);
    }
  }
}

void channel_means_of(const float* values, int pixels, int channels, float* dst) {
  for (int c = 0; c < channels; c += kLanes) {
    const Vector sum = column_sum(values + c, pixels, channels);
    store(hn::Div(sum, broadcast(static_cast<float>(pixels))), dst + c);
  }
}

void add_to_pixels_of(const float* values, int pixels, int channels, float* dst) {
  for (int p = 0; p < pixels; ++p, dst += channels) {
    for (int c = 0; c < channels; c += kLanes) {
      store(hn::Add(load(dst + c), load(values + c)), dst + c);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace probedarts::kernels {

HWY_EXPORT(mix_of);
HWY_EXPORT(sum_products_of);
HWY_EXPORT(channel_means_of);
HWY_EXPORT(add_to_pixels_of);

void mix(std::span<const MixTerm> terms, const float* shift, int pixels, int channels, Into into,
         float* dst) {
  HWY_DYNAMIC_DISPATCH(mix_of)(terms, shift, pixels, channels, into, dst);
}

void sum_products(const float* gradient, std::span<const ProductTerm> terms, int pixels,
                  int channels, float* gradient_sum) {
  HWY_DYNAMIC_DISPATCH(sum_products_of)(gradient, terms, pixels, channels, gradient_sum);
}

void channel_means(const float* values, int pixels, int channels, float* dst) {
  HWY_DYNAMIC_DISPATCH(channel_means_of)(values, pixels, channels, dst);
}

void add_to_pixels(const float* values, int pixels, int channels, float* dst) {
  HWY_DYNAMIC_DISPATCH(add_to_pixels_of)(values, pixels, channels, dst);
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
