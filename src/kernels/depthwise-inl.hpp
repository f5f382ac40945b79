// A depthwise convolution as a list of taps: forward, its transpose at any stride, and its weight
// gradient are all "for each tap, multiply a shifted pixel by a channel vector and add".
#if defined(PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_
#undef PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_
#else
#define PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_
#endif

#include <numeric>

#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {

inline constexpr int kMaxTaps = 49;

/// Taps on one row of the source, `spacing` of the row's own pixels apart, so that a pixel that is
/// loaded once serves all of them.
struct TapRun {
  std::ptrdiff_t offset;       ///< floats from the output's own place to the first tap
  const float* weight;         ///< [channels] of the first tap
  std::ptrdiff_t weight_step;  ///< floats to the next tap's
  int count, spacing;
};

/// Taps of the longest run for which there is a loop, of `left` taps that are `spacing` apart.
constexpr int longest_run(int left, int spacing) {
  if (spacing > 2 || left == 1) {
    return 1;
  }
  return left >= 5 ? 5 : (left >= 3 ? 3 : (spacing == 1 ? 2 : 1));
}

/// Taps on one row as a caller has them: the first, and what lies between two of them, in floats.
struct TapRow {
  int count;
  std::ptrdiff_t offset, distance;
  const float* weight;
  std::ptrdiff_t weight_step;
};

/// All taps of a convolution, for rows of pixels `step` floats apart.
class TapList {
 public:
  explicit TapList(std::ptrdiff_t step) : step_(step) {}

  /// Taps that share pixels of the row form a run: all of them, or every other one where the row
  /// has stride 2 and the taps lie side by side.
  void add(TapRow row) {
    if (row.distance < 0) {  // from the last to the first
      row.offset += (row.count - 1) * row.distance;
      row.weight += (row.count - 1) * row.weight_step;
      row.distance = -row.distance;
      row.weight_step = -row.weight_step;
    }
    const auto apart = static_cast<int>(step_ / std::gcd(step_, row.distance));
    const auto spacing = static_cast<int>(apart * row.distance / step_);
    for (int first = 0; first < std::min(apart, row.count); ++first) {
      int left = (row.count - first + apart - 1) / apart;
      for (int k = first; left > 0;) {
        const int count = longest_run(left, spacing);
        runs_[count_++] = {row.offset + k * row.distance, row.weight + k * row.weight_step,
                           apart * row.weight_step, count, count == 1 ? 1 : spacing};
        k += count * apart;
        left -= count;
      }
    }
  }

  const TapRun* begin() const { return runs_; }
  const TapRun* end() const { return runs_ + count_; }

 private:
  std::ptrdiff_t step_;
  TapRun runs_[kMaxTaps];
  int count_ = 0;
};

/// The taps of a kernel x kernel window from its top left corner; weights [kernel *
/// kernel][channels].
HWY_INLINE TapList window_taps(int kernel, int dilation, int stride, std::ptrdiff_t pitch,
                               int channels, const float* weights) {
  TapList taps(static_cast<std::ptrdiff_t>(stride) * channels);
  for (int ky = 0; ky < kernel; ++ky) {
    taps.add({kernel, ky * dilation * pitch, static_cast<std::ptrdiff_t>(dilation) * channels,
              weights + static_cast<std::ptrdiff_t>(ky * kernel) * channels, channels});
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

/// Adds runs of N taps to P pixels, up to the first run of another kind, which is returned. Each
/// pixel of the source is loaded once for all N taps.
template <int N, int kSpacing, int P, class AnyTag>
HWY_INLINE const TapRun* add_runs(AnyTag tag, const TapRun* run, const TapRun* end, int c,
                                  PixelRow src, hn::Vec<AnyTag> (&sum)[P]) {
  for (; run != end && run->count == N && run->spacing == kSpacing; ++run) {
    hn::Vec<AnyTag> weight[N];
    HWY_UNROLL(8)
    for (int k = 0; k < N; ++k) {
      weight[k] = hn::Load(tag, run->weight + c + k * run->weight_step);
    }
    const float* from = src.first + run->offset;
    HWY_UNROLL(32)
    for (int x = 0; x < P + kSpacing * (N - 1); ++x, from += src.step) {
      const auto value = in_register(hn::Load(tag, from));
      HWY_UNROLL(8)
      for (int k = 0; k < N; ++k) {
        const int p = x - kSpacing * k;
        if (p >= 0 && p < P) {
          sum[p] = hn::MulAdd(weight[k], value, sum[p]);
        }
      }
    }
  }
  return run;
}

template <int P, Store kStore, class AnyTag>
HWY_INLINE void tap_pixels(AnyTag tag, const TapList& list, int c, PixelRow src,
                           MutablePixelRow dst) {
  hn::Vec<AnyTag> sum[P];
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    sum[p] = kStore == Store::kAdd ? hn::Load(tag, dst.first + p * dst.step) : hn::Zero(tag);
  }
  for (const TapRun* run = list.begin(); run != list.end();) {
    const TapRun* end = list.end();
    switch (10 * run->spacing + run->count) {
      case 15:
        run = add_runs<5, 1>(tag, run, end, c, src, sum);
        break;
      case 13:
        run = add_runs<3, 1>(tag, run, end, c, src, sum);
        break;
      case 12:
        run = add_runs<2, 1>(tag, run, end, c, src, sum);
        break;
      case 25:
        run = add_runs<5, 2>(tag, run, end, c, src, sum);
        break;
      case 23:
        run = add_runs<3, 2>(tag, run, end, c, src, sum);
        break;
      default:
        run = add_runs<1, 1>(tag, run, end, c, src, sum);
    }
  }
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    if constexpr (kStore == Store::kAdd) {
      hn::Store(sum[p], tag, dst.first + p * dst.step);
    } else {
      store_whole(tag, sum[p], dst.first + p * dst.step);
    }
  }
}

/// One vector of channels of tap_row. Not inlined: its code is long and the same for every channel
/// count.
template <Store kStore, class AnyTag>
HWY_NOINLINE void tap_channels(AnyTag tag, const TapList& list, int c, PixelRow src,
                               MutablePixelRow dst, int pixels) {
  PixelRow from{src.first + c, src.step};
  MutablePixelRow to{dst.first + c, dst.step};
  int left = pixels;
  const auto advance = [&](int by) HWY_ATTR {
    from.first += by * from.step;
    to.first += by * to.step;
    left -= by;
  };
  while (kManyRegisters && left >= 16) {
    tap_pixels<16, kStore>(tag, list, c, from, to);
    advance(16);
  }
  while (left >= 8) {
    tap_pixels<8, kStore>(tag, list, c, from, to);
    advance(8);
  }
  if (left >= 4) {
    tap_pixels<4, kStore>(tag, list, c, from, to);
    advance(4);
  }
  if (left >= 2) {
    tap_pixels<2, kStore>(tag, list, c, from, to);
    advance(2);
  }
  if (left >= 1) {
    tap_pixels<1, kStore>(tag, list, c, from, to);
  }
}

/// dst[x] (+)= sum over taps of weight * src[x + offset], x < pixels. kAssign writes zeros into the
/// padding.
template <Store kStore>
HWY_INLINE void tap_row(const TapList& list, PixelRow src, MutablePixelRow dst, int pixels,
                        Channels channels) {
  const int end = covered(channels.used);
  int c = 0;
  for (; c + kLanes <= end; c += kLanes) {
    tap_channels<kStore>(Tag(), list, c, src, dst, pixels);
  }
  if (c < end) {
    tap_channels<kStore>(HalfTag(), list, c, src, dst, pixels);
  }
  if (kStore == Store::kAssign) {
    zero_rest(channels.used, channels.count, pixels, dst.first, dst.step);
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
template <int R, int K, class AnyTag>
HWY_INLINE void tap_gradient_rows(AnyTag tag, TapWindow window, PixelGrid dz, PixelGrid x, int rows,
                                  int pixels, float* gradient, int channels) {
  hn::Vec<AnyTag> sum[R * K];
  HWY_UNROLL(16)
  for (int t = 0; t < R * K; ++t) {
    sum[t] = hn::Load(tag, gradient + t * channels);
  }
  for (int row = 0; row < rows; ++row) {
    const float* left = dz.first + row * dz.row_step;
    const float* right = x.first + row * x.row_step;
    for (int p = 0; p < pixels; ++p) {
      const auto value = hn::Load(tag, left);
      HWY_UNROLL(16)
      for (int t = 0; t < R * K; ++t) {
        const float* tap = right + t / K * window.row + t % K * window.column;
        sum[t] = hn::MulAdd(value, hn::Load(tag, tap), sum[t]);
      }
      left += dz.step;
      right += x.step;
    }
  }
  HWY_UNROLL(16)
  for (int t = 0; t < R * K; ++t) {
    hn::Store(sum[t], tag, gradient + t * channels);
  }
}

/// One vector of channels of tap_gradient, from channel c on.
template <int K, class AnyTag>
HWY_INLINE void tap_gradient_channels(AnyTag tag, TapWindow window, int c, PixelGrid dz,
                                      PixelGrid x, int rows, int pixels, float* gradient,
                                      int channels) {
  constexpr int kRowsAtOnce = K == 3 || (kManyRegisters && K == 5) ? 3 : 2;
  const PixelGrid left{dz.first + c, dz.step, dz.row_step};
  PixelGrid right{x.first + c, x.step, x.row_step};
  float* to = gradient + c;
  int ky = 0;
  for (; ky + kRowsAtOnce <= K; ky += kRowsAtOnce) {
    tap_gradient_rows<kRowsAtOnce, K>(tag, window, left, right, rows, pixels, to, channels);
    right.first += kRowsAtOnce * window.row;
    to += kRowsAtOnce * K * channels;
  }
  constexpr int kLeft = K % kRowsAtOnce;
  if constexpr (kLeft > 0) {
    tap_gradient_rows<kLeft, K>(tag, window, left, right, rows, pixels, to, channels);
  }
}

/// gradient[ky K + kx][c] += sum over the grid of dz[c] * x[ky window.row + kx window.column + c].
template <int K>
HWY_INLINE void tap_gradient(TapWindow window, PixelGrid dz, PixelGrid x, int rows, int pixels,
                             float* gradient, Channels channels) {
  const int end = covered(channels.used);
  int c = 0;
  for (; c + kLanes <= end; c += kLanes) {
    tap_gradient_channels<K>(Tag(), window, c, dz, x, rows, pixels, gradient, channels.count);
  }
  if (c < end) {
    tap_gradient_channels<K>(HalfTag(), window, c, dz, x, rows, pixels, gradient, channels.count);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#endif  // PROBEDARTS_KERNELS_DEPTHWISE_INL_HPP_
