// Backward of y = P D x (D depthwise, P pointwise, x the rectified input), given dy:
//     dz = P' dy,   dP = sum over pixels of dy z',  z = D x computed again,   dD[t] = sum of dz
//     x[t],   dx = D' dz.
// dz of the whole image goes into a padded image, so that D' is a gather like D: for stride 2 each
// of the four phases of input pixels has its own taps.

#include <numeric>

#include "kernels/separable_block.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/separable_block_backward.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/block_tiles.hpp"
#include "kernels/depthwise-inl.hpp"
#include "kernels/matrix-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

/// Fills dz and adds the pointwise gradient.
template <int kStride>
HWY_INLINE void pointwise_backward(const BlockShape& shape, const PaddedImage& in,
                                   const BlockWeights& weights, const Cotangent& cotangent,
                                   float* gradient, float* scratch, const PaddedImage& dz,
                                   Channels channels) {
  const int width = shape.out.width;
  const std::ptrdiff_t row_floats = static_cast<std::ptrdiff_t>(width) * channels.count;
  const int tile_rows = rows_of_tile(shape.out);
  float* dy = scratch;
  float* z = scratch + tile_floats(shape.out);
  const TapList taps = window_taps(shape.kernel, shape.dilation, kStride, in.pitch(),
                                   channels.count, weights.depthwise);
  for (int first = 0; first < shape.out.height; first += tile_rows) {
    const int rows = std::min(tile_rows, shape.out.height - first);
    form_cotangent(cotangent, first * row_floats, rows * width, channels.count, dy);
    for (int row = 0; row < rows; ++row) {
      product({dy + row * row_floats, channels.count}, {weights.pointwise, channels.count},
              shape.used, nullptr, {dz.at(first + row, 0), channels.count}, width, channels);
    }
    if (gradient == nullptr) {
      continue;
    }
    for (int row = 0; row < rows; ++row) {
      const float* src = in.at((first + row) * kStride - shape.padding(), -shape.padding());
      tap_row<Store::kAssign>(taps, {src, kStride * channels.count},
                              {z + row * row_floats, channels.count}, width, channels);
    }
    outer_product({dy, channels.count}, {z, channels.count}, rows * width,
                  {gradient, channels.count}, shape.used, channels.used);
  }
}

template <int kStride>
HWY_INLINE void depthwise_gradient(const BlockShape& shape, const PaddedImage& in,
                                   const PaddedImage& dz, float* gradient, Channels channels) {
  const PixelGrid left{dz.at(0, 0), channels.count, dz.pitch()};
  const PixelGrid right{in.at(-shape.padding(), -shape.padding()), kStride * channels.count,
                        kStride * in.pitch()};
  const std::ptrdiff_t row = shape.dilation * in.pitch();
  // Spelled out, so that the distance of two taps is a constant.
  if (shape.kernel == 3 && shape.dilation == 1) {
    tap_gradient<3>({row, channels.count}, left, right, shape.out.height, shape.out.width, gradient,
                    channels);
  } else if (shape.kernel == 3) {
    tap_gradient<3>({row, 2 * channels.count}, left, right, shape.out.height, shape.out.width,
                    gradient, channels);
  } else if (shape.dilation == 1) {
    tap_gradient<5>({row, channels.count}, left, right, shape.out.height, shape.out.width, gradient,
                    channels);
  } else {
    tap_gradient<5>({row, 2 * channels.count}, left, right, shape.out.height, shape.out.width,
                    gradient, channels);
  }
}

/// Taps that reach input pixels of one phase: iy = phase + stride * j takes dz at row j + (phase +
/// padding - dilation * ky) / stride where that division leaves nothing; columns likewise.
TapList phase_taps(const BlockShape& shape, const BlockWeights& weights, const PaddedImage& dz,
                   int phase_y, int phase_x) {
  const int channels = shape.in.channels;
  const auto reaches = [&](int phase, int k) {
    return (phase + shape.padding() - shape.dilation * k) % shape.stride == 0;
  };
  // With stride 2 and dilation 1 every other tap reaches a phase, with dilation 2 all or none.
  const int apart = shape.stride / std::gcd(shape.stride, shape.dilation);
  TapList taps(channels);
  for (int ky = 0; ky < shape.kernel; ++ky) {
    int first = 0;
    while (first < apart && !reaches(phase_x, first)) {
      ++first;
    }
    if (first == apart || !reaches(phase_y, ky)) {
      continue;
    }
    const int row = (phase_y + shape.padding() - shape.dilation * ky) / shape.stride;
    const int column = (phase_x + shape.padding() - shape.dilation * first) / shape.stride;
    taps.add({(shape.kernel - first + apart - 1) / apart,
              row * dz.pitch() + static_cast<std::ptrdiff_t>(column) * channels,
              -static_cast<std::ptrdiff_t>(apart * shape.dilation / shape.stride) * channels,
              weights.depthwise + (ky * shape.kernel + first) * channels,
              static_cast<std::ptrdiff_t>(apart) * channels});
  }
  return taps;
}

template <int kStride, Store kStore>
HWY_INLINE void depthwise_transposed(const BlockShape& shape, const BlockWeights& weights,
                                     const PaddedImage& dz, float* input_gradient,
                                     Channels channels) {
  for (int phase_y = 0; phase_y < kStride; ++phase_y) {
    for (int phase_x = 0; phase_x < kStride; ++phase_x) {
      const TapList taps = phase_taps(shape, weights, dz, phase_y, phase_x);
      const int columns = (shape.in.width - phase_x + kStride - 1) / kStride;
      if (kStore == Store::kAdd && taps.begin() == taps.end()) {
        continue;
      }
      for (int iy = phase_y, row = 0; iy < shape.in.height; iy += kStride, ++row) {
        float* to = input_gradient +
                    (static_cast<std::ptrdiff_t>(iy) * shape.in.width + phase_x) * channels.count;
        tap_row<kStore>(taps, {dz.at(row, 0), channels.count}, {to, kStride * channels.count},
                        columns, channels);
      }
    }
  }
}

template <int kStride>
struct BackwardAtStride {
  template <int kCount, int kCovered>
  struct Kernel {
    static void run(const BlockShape& shape, const PaddedImage& in, const BlockWeights& weights,
                    const Cotangent& cotangent, const BlockGradients& gradients, float* scratch,
                    Into into, float* input_gradient) {
      const Channels channels = channels_of<kCount, kCovered>(shape.out.channels, shape.used);
      const PaddedImage dz{scratch + 2 * tile_floats(shape.out), shape.out, shape.padding()};
      zero_border(dz);
      pointwise_backward<kStride>(shape, in, weights, cotangent, gradients.pointwise, scratch, dz,
                                  channels);
      if (gradients.depthwise != nullptr) {
        depthwise_gradient<kStride>(shape, in, dz, gradients.depthwise, channels);
      }
      if (into == Into::kAdd) {
        depthwise_transposed<kStride, Store::kAdd>(shape, weights, dz, input_gradient, channels);
      } else {
        depthwise_transposed<kStride, Store::kAssign>(shape, weights, dz, input_gradient, channels);
      }
    }
  };
};

void block_backward_of(const BlockShape& shape, const PaddedImage& in, const BlockWeights& weights,
                       const Cotangent& cotangent, const BlockGradients& gradients, float* scratch,
                       Into into, float* input_gradient) {
  const Channels channels{shape.out.channels, shape.used};
  const auto run = shape.stride == 1 ? choose<BackwardAtStride<1>::Kernel>(channels)
                                     : choose<BackwardAtStride<2>::Kernel>(channels);
  run(shape, in, weights, cotangent, gradients, scratch, into, input_gradient);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace probedarts::kernels {

HWY_EXPORT(block_backward_of);

void block_backward(const BlockShape& shape, const PaddedImage& in, const BlockWeights& weights,
                    const Cotangent& cotangent, const BlockGradients& gradients, float* scratch,
                    Into into, float* input_gradient) {
  HWY_DYNAMIC_DISPATCH(block_backward_of)
  (shape, in, weights, cotangent, gradients, scratch, into, input_gradient);
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
