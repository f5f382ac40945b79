#include "kernels/separable_block.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/separable_block.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/block_tiles.hpp"
#include "kernels/depthwise-inl.hpp"
#include "kernels/matrix-inl.hpp"
#include "kernels/moments-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

void rectify_padded_of(const float* src, const float* scale, const float* shift,
                       const PaddedImage& dst) {
  const MapShape& shape = dst.shape;
  const std::ptrdiff_t row_floats = static_cast<std::ptrdiff_t>(shape.width) * shape.channels;
  zero_border(dst);
  for (int row = 0; row < shape.height; ++row, src += row_floats) {
    float* to = dst.at(row, 0);
    if (scale == nullptr) {
      for (std::ptrdiff_t i = 0; i < row_floats; i += kLanes) {
        store(rectified(load(src + i)), to + i);
      }
      continue;
    }
    for (int c = 0; c < shape.channels; c += kLanes) {
      const Vector a = load(scale + c);
      const Vector b = load(shift + c);
      for (std::ptrdiff_t i = c; i < row_floats; i += shape.channels) {
        store(rectified(hn::MulAdd(a, load(src + i), b)), to + i);
      }
    }
  }
}

void write_past_caches(const float* from, std::ptrdiff_t floats, float* to) {
  for (std::ptrdiff_t i = 0; i < floats; i += kLanes) {
    hn::Stream(load(from + i), Tag(), to + i);
  }
}

template <int kStride>
struct ForwardAtStride {
  template <int kCount, int kCovered>
  struct Kernel {
    static void run(const BlockShape& shape, const PaddedImage& in, const BlockWeights& weights,
                    float* scratch, float* y, const Moments* moments, Destination destination) {
      const Channels channels = channels_of<kCount, kCovered>(shape.out.channels, shape.used);
      const TapList taps = window_taps(shape.kernel, shape.dilation, kStride, in.pitch(),
                                       channels.count, weights.depthwise);
      const int tile_rows = rows_of_tile(shape.out);
      const std::ptrdiff_t row_floats =
          static_cast<std::ptrdiff_t>(shape.out.width) * channels.count;
      for (int first = 0; first < shape.out.height; first += tile_rows) {
        const int rows = std::min(tile_rows, shape.out.height - first);
        for (int row = 0; row < rows; ++row) {
          const float* src = in.at((first + row) * kStride - shape.padding(), -shape.padding());
          tap_row<Store::kAssign>(taps, {src, kStride * channels.count},
                                  {scratch + row * row_floats, channels.count}, shape.out.width,
                                  channels);
        }
        float* place = y + first * row_floats;
        float* out = destination == Destination::kCache ? place : scratch + tile_floats(shape.out);
        const int pixels = rows * shape.out.width;
        product({scratch, channels.count}, {weights.pointwise_transposed, channels.count},
                shape.used, nullptr, {out, channels.count}, pixels, channels);
        if (moments != nullptr) {
          add_tile(out, pixels, channels.count, *moments);
        }
        if (destination == Destination::kMemory) {
          write_past_caches(out, rows * row_floats, place);
        }
      }
      if (destination == Destination::kMemory) {
        hwy::FlushStream();
      }
    }
  };
};

void block_forward_of(const BlockShape& shape, const PaddedImage& in, const BlockWeights& weights,
                      float* scratch, float* y, const Moments* moments, Destination destination) {
  const Channels channels{shape.out.channels, shape.used};
  const auto run = shape.stride == 1 ? choose<ForwardAtStride<1>::Kernel>(channels)
                                     : choose<ForwardAtStride<2>::Kernel>(channels);
  run(shape, in, weights, scratch, y, moments, destination);
}

void pass_where_positive_of(const PaddedImage& image, const float* src, Into into, float* dst) {
  const std::ptrdiff_t row_floats =
      static_cast<std::ptrdiff_t>(image.shape.width) * image.shape.channels;
  for (int row = 0; row < image.shape.height; ++row) {
    const float* mask = image.at(row, 0);
    for (std::ptrdiff_t i = 0; i < row_floats; i += kLanes) {
      const Vector passed = hn::IfThenElseZero(hn::Gt(load(mask + i), zero()), load(src + i));
      store(into == Into::kAdd ? hn::Add(load(dst + i), passed) : passed, dst + i);
    }
    src += row_floats;
    dst += row_floats;
  }
}

void mask_and_sum_of(const PaddedImage& image, const float* src, const float* values,
                     const float* centre, float* du, float* gradient_sum, float* product_sum) {
  const int channels = image.shape.channels;
  const std::ptrdiff_t row_floats = static_cast<std::ptrdiff_t>(image.shape.width) * channels;
  for (int row = 0; row < image.shape.height; ++row) {
    const float* mask = image.at(row, 0);
    for (int c = 0; c < channels; c += kLanes) {
      const Vector middle = load(centre + c);
      Vector sum = zero();
      Vector product = zero();
      for (std::ptrdiff_t i = c; i < row_floats; i += channels) {
        const Vector passed = hn::IfThenElseZero(hn::Gt(load(mask + i), zero()), load(src + i));
        sum = hn::Add(sum, passed);
        product = hn::MulAdd(passed, hn::Sub(load(values + i), middle), product);
        store(passed, du + i);
      }
      store(hn::Add(load(gradient_sum + c), sum), gradient_sum + c);
      store(hn::Add(load(product_sum + c), product), product_sum + c);
    }
    src += row_floats;
    values += row_floats;
    du += row_floats;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace probedarts::kernels {

HWY_EXPORT(rectify_padded_of);
HWY_EXPORT(block_forward_of);
HWY_EXPORT(pass_where_positive_of);
HWY_EXPORT(mask_and_sum_of);

void rectify_padded(const float* src, const float* scale, const float* shift,
                    const PaddedImage& dst) {
  HWY_DYNAMIC_DISPATCH(rectify_padded_of)(src, scale, shift, dst);
}

std::size_t block_scratch_floats(const BlockShape& shape) {
  return 2 * tile_floats(shape.out) + padded_floats(shape.out, shape.padding());
}

void block_forward(const BlockShape& shape, const PaddedImage& in, const BlockWeights& weights,
                   float* scratch, float* y, const Moments* moments, Destination destination) {
  HWY_DYNAMIC_DISPATCH(block_forward_of)(shape, in, weights, scratch, y, moments, destination);
}

void pass_where_positive(const PaddedImage& image, const float* src, Into into, float* dst) {
  HWY_DYNAMIC_DISPATCH(pass_where_positive_of)(image, src, into, dst);
}

void mask_and_sum(const PaddedImage& image, const float* src, const float* values,
                  const float* centre, float* du, float* gradient_sum, float* product_sum) {
  HWY_DYNAMIC_DISPATCH(mask_and_sum_of)(image, src, values, centre, du, gradient_sum, product_sum);
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
