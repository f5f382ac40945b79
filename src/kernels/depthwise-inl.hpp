// A depthwise convolution as a list of taps: forward, its transpose at any stride, and its weight
// gradient are all "for each tap, multiply a shifted pixel by a channel vector and add".
#if defined(PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_
#undef PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_
#else
#define PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_
#endif

#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {

inline constexpr int kMaxTaps = 49;

struct Tap {
  std::ptrdiff_t offset;  ///< floats from the output's own place in the source
  const float* weight;    ///< [channels]
};

struct TapList {
  Tap taps[kMaxTaps];
  int count = 0;
  void add(std::ptrdiff_t offset, const float* weight) { taps[count++] = {offset, weight}; }
};

/// The taps of a kernel x kernel window from its top left corner; weights [kernel *
/// kernel][channels].
HWY_INLINE TapList window_taps(int kernel, int dilation, std::ptrdiff_t pitch, int channels,
                               const float* weights) {
  TapList taps;
  for (int ky = 0; ky < kernel; ++ky) {
    for (int kx = 0; kx < kernel; ++kx) {
      taps.add(ky * dilation * pitch + static_cast<std::ptrdiff_t>(kx * dilation) * channels,
               weights + static_cast<std::ptrdiff_t>(taps.count) * channels);
    }
  }
  return taps;
}

/// Pixels of a row: `step` floats from one to the next.
struct PixelRow {
  const float* first;
  std::ptrdiff_t step;
};
struct MutablePixelRow {
  float* first;
  std::ptrdiff_t step;
};

enum class Store { kAssign, kAdd };

template <int P, Store kStore>
HWY_INLINE void tap_pixels(const TapList& list, int c, PixelRow src, MutablePixelRow dst) {
  Vector sum[P];
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    sum[p] = kStore == Store::kAdd ? load(dst.first + p * dst.step) : zero();
  }
  for (int t = 0; t < list.count; ++t) {
    const Vector weight = load(list.taps[t].weight + c);
    const float* from = src.first + list.taps[t].offset;
    HWY_UNROLL(16)
    for (int p = 0; p < P; ++p) {
      sum[p] = hn::MulAdd(weight, load(from + p * src.step), sum[p]);
    }
  }
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    store(sum[p], dst.first + p * dst.step);
  }
}

/// dst[x] (+)= sum over taps of weight * src[x + offset], x < pixels.
template <Store kStore>
HWY_INLINE void tap_row(const TapList& list, PixelRow src, MutablePixelRow dst, int pixels,
                        int channels) {
  for (int c = 0; c < channels; c += kLanes) {
    PixelRow from{src.first + c, src.step};
    MutablePixelRow to{dst.first + c, dst.step};
    int left = pixels;
    const auto advance = [&](int by) HWY_ATTR {
      from.first += by * from.step;
      to.first += by * to.step;
      left -= by;
    };
    while (kManyRegisters && left >= 16) {
      tap_pixels<16, kStore>(list, c, from, to);
      advance(16);
    }
    while (left >= 8) {
      tap_pixels<8, kStore>(list, c, from, to);
      advance(8);
    }
    if (left >= 4) {
      tap_pixels<4, kStore>(list, c, from, to);
      advance(4);
    }
    if (left >= 2) {
      tap_pixels<2, kStore>(list, c, from, to);
      advance(2);
    }
    if (left >= 1) {
      tap_pixels<1, kStore>(list, c, from, to);
    }
  }
}

/// A grid of pixels inside a larger image.
struct PixelGrid {
  const float* first;
  std::ptrdiff_t step, row_step;
};

/// A window of K x K taps over an image: `row` and `column` floats from one tap to the next.
struct TapWindow {
  std::ptrdiff_t row, column;
};

/// gradient[t] += sum over the grid of dz * x[tap t] for R rows of K taps, one vector of channels.
template <int R, int K>
HWY_INLINE void tap_gradient_rows(TapWindow window, PixelGrid dz, PixelGrid x, int rows, int pixels,
                                  float* gradient, int channels) {
  Vector sum[R * K];
  HWY_UNROLL(16)
  for (int t = 0; t < R * K; ++t) {
    sum[t] = load(gradient + t * channels);
  }
  for (int row = 0; row < rows; ++row) {
    const float* left = dz.first + row * dz.row_step;
    const float* right = x.first + row * x.row_step;
    for (int p = 0; p < pixels; ++p) {
      const Vector value = load(left);
      HWY_UNROLL(16)
      for (int t = 0; t < R * K; ++t) {
        const float* tap = right + t / K * window.row + t % K * window.column;
        sum[t] = hn::MulAdd(value, load(tap), sum[t]);
      }
      left += dz.step;
      right += x.step;
    }
  }
  HWY_UNROLL(16)
  for (int t = 0; t < R * K; ++t) {
    store(sum[t], gradient + t * channels);
  }
}

/// gradient[ky K + kx][c] += sum over the grid of dz[c] * x[ky window.row + kx window.column + c].
template <int K>
HWY_INLINE void tap_gradient(TapWindow window, PixelGrid dz, PixelGrid x, int rows, int pixels,
                             float* gradient, int channels) {
  constexpr int kRowsAtOnce = K == 3 || (kManyRegisters && K == 5) ? 3 : 2;
  for (int c = 0; c < channels; c += kLanes) {
    const PixelGrid left{dz.first + c, dz.step, dz.row_step};
    PixelGrid right{x.first + c, x.step, x.row_step};
    float* to = gradient + c;
    int ky = 0;
    for (; ky + kRowsAtOnce <= K; ky += kRowsAtOnce) {
      tap_gradient_rows<kRowsAtOnce, K>(window, left, right, rows, pixels, to, channels);
      right.first += kRowsAtOnce * window.row;
      to += kRowsAtOnce * K * channels;
    }
    constexpr int kLeft = K % kRowsAtOnce;
    if constexpr (kLeft > 0) {
      tap_gradient_rows<kLeft, K>(window, left, right, rows, pixels, to, channels);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#endif  // PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_
