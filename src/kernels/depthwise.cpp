#include "kernels/depthwise.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/depthwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/depthwise-inl.hpp"
#include "kernels/padded_image.hpp"

#ifndef PROBEDARTS_KERNELS_DEPTHWISE_BORDERS_
#define PROBEDARTS_KERNELS_DEPTHWISE_BORDERS_
namespace probedarts::kernels {
namespace {

/// Zeros around dy so that every tap of every pixel of dx finds something.
int gradient_border(const DepthwiseShape& shape) {
  return (shape.kernel - 1 - shape.padding + shape.stride - 1) / shape.stride;
}
MapShape in_block(const DepthwiseShape& shape) {
  return {shape.height, shape.width, kChannelBlock};
}
MapShape out_block(const DepthwiseShape& shape) {
  return {shape.out_height(), shape.out_width(), kChannelBlock};
}

/// Scratch of one call: a block of x and of dy behind zeros, a row of results, packed weights.
struct DepthwiseScratch {
  PaddedImage x, dy;
  float *row, *weights, *gradient;

  DepthwiseScratch(const DepthwiseShape& shape, float* first)
      : x{first, in_block(shape), shape.padding} {
    float* next = first + padded_floats(x.shape, x.border);
    dy = {next, out_block(shape), gradient_border(shape)};
    next += padded_floats(dy.shape, dy.border);
    row = next;
    weights =
        row + static_cast<std::ptrdiff_t>(std::max(shape.width, shape.out_width())) * kChannelBlock;
    gradient = weights + shape.kernel * shape.kernel * kChannelBlock;
  }
};

}  // namespace
}  // namespace probedarts::kernels
#endif  // PROBEDARTS_KERNELS_DEPTHWISE_BORDERS_

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

constexpr Channels kBlockChannels{kChannelBlock, kChannelBlock};

/// Pixels of a block between an image of `channels` and scratch of kChannelBlock channels.
void pack_pixels(const float* from, int channels, int used, int pixels, float* to) {
  for (int p = 0; p < pixels; ++p, from += channels, to += kChannelBlock) {
    if (used == kChannelBlock) {
      for (int c = 0; c < kChannelBlock; c += kLanes) {
        store(hn::LoadU(Tag(), from + c), to + c);
      }
    } else {
      std::copy_n(from, used, to);
      std::fill(to + used, to + kChannelBlock, 0.0F);
    }
  }
}

void unpack_pixels(const float* from, int channels, int used, int pixels, float* to) {
  for (int p = 0; p < pixels; ++p, from += kChannelBlock, to += channels) {
    if (used == kChannelBlock) {
      for (int c = 0; c < kChannelBlock; c += kLanes) {
        hn::StoreU(load(from + c), Tag(), to + c);
      }
    } else {
      std::copy_n(from, used, to);
    }
  }
}

void pack_image(const float* from, int channels, int used, const PaddedImage& to) {
  for (int row = 0; row < to.shape.height; ++row) {
    pack_pixels(from + static_cast<std::ptrdiff_t>(row) * to.shape.width * channels, channels, used,
                to.shape.width, to.at(row, 0));
  }
}

/// [channels of the block, taps] to [taps, kChannelBlock].
void pack_weights(const float* from, int taps, int used, float* to) {
  std::fill_n(to, taps * kChannelBlock, 0.0F);
  for (int c = 0; c < used; ++c) {
    for (int t = 0; t < taps; ++t) {
      to[t * kChannelBlock + c] = from[c * taps + t];
    }
  }
}

/// The block of one call.
struct Block {
  int first, used;
  Block(const DepthwiseShape& shape, int block)
      : first(block * kChannelBlock), used(std::min(kChannelBlock, shape.channels - first)) {}
};

std::ptrdiff_t image_floats(const MapShape& block, int channels) {
  return static_cast<std::ptrdiff_t>(block.pixels()) * channels;
}

void depthwise_forward_of(const DepthwiseShape& shape, int block, int images, const float* weights,
                          float* scratch, const float* x, float* y) {
  const DepthwiseScratch space(shape, scratch);
  const auto [first, used] = Block(shape, block);
  const int taps = shape.kernel * shape.kernel;
  pack_weights(weights + static_cast<std::ptrdiff_t>(first) * taps, taps, used, space.weights);
  zero_border(space.x);
  const TapList list =
      window_taps(shape.kernel, 1, shape.stride, space.x.pitch(), kChannelBlock, space.weights);
  const MapShape out = out_block(shape);
  for (int image = 0; image < images; ++image) {
    pack_image(x + image * image_floats(space.x.shape, shape.channels) + first, shape.channels,
               used, space.x);
    float* to = y + image * image_floats(out, shape.channels) + first;
    for (int row = 0; row < out.height; ++row) {
      const float* from = space.x.at(row * shape.stride - shape.padding, -shape.padding);
      tap_row<Store::kAssign>(list, {from, shape.stride * kChannelBlock},
                              {space.row, kChannelBlock}, out.width, kBlockChannels);
      unpack_pixels(space.row, shape.channels, used, out.width, to);
      to += static_cast<std::ptrdiff_t>(out.width) * shape.channels;
    }
  }
}

/// dx[i] = sum over taps k with i + p - k = s o of w[k] dy[o]. Pixels of a row whose column leaves
/// the same rest by s have the same taps.
void input_gradient(const DepthwiseShape& shape, const DepthwiseScratch& space, int used,
                    float* dx) {
  const int s = shape.stride;
  for (int row = 0; row < shape.height; ++row) {
    for (int phase = 0; phase < std::min(s, shape.width); ++phase) {
      TapList list(kChannelBlock);
      const int first = (phase + shape.padding) % s;
      for (int ky = (row + shape.padding) % s; ky < shape.kernel && first < shape.kernel; ky += s) {
        const int from_row = (row + shape.padding - ky) / s;  // exact, so negative ones are right
        const int from_column = (phase + shape.padding - first) / s;
        list.add({(shape.kernel - first + s - 1) / s,
                  space.dy.at(from_row, from_column) - space.dy.at(0, 0), -kChannelBlock,
                  space.weights + (ky * shape.kernel + first) * kChannelBlock,
                  static_cast<std::ptrdiff_t>(s) * kChannelBlock});
      }
      tap_row<Store::kAssign>(list, {space.dy.at(0, 0), kChannelBlock},
                              {space.row + phase * kChannelBlock, s * kChannelBlock},
                              (shape.width - phase + s - 1) / s, kBlockChannels);
    }
    unpack_pixels(space.row, shape.channels, used, shape.width, dx);
    dx += static_cast<std::ptrdiff_t>(shape.width) * shape.channels;
  }
}

/// Adds to space.gradient [taps][kChannelBlock].
void weight_gradient(const DepthwiseShape& shape, const DepthwiseScratch& space) {
  const TapWindow window{space.x.pitch(), kChannelBlock};
  const PixelGrid dy{space.dy.at(0, 0), kChannelBlock, space.dy.pitch()};
  const PixelGrid x{space.x.at(-shape.padding, -shape.padding), shape.stride * kChannelBlock,
                    shape.stride * space.x.pitch()};
  const auto run = [&](auto kernel) HWY_ATTR {
    tap_gradient<kernel.value>(window, dy, x, space.dy.shape.height, space.dy.shape.width,
                               space.gradient, kBlockChannels);
  };
  switch (shape.kernel) {
    case 3:
      return run(std::integral_constant<int, 3>());
    case 5:
      return run(std::integral_constant<int, 5>());
    default:
      return run(std::integral_constant<int, 7>());
  }
}

void depthwise_backward_of(const DepthwiseShape& shape, int block, int images, const float* weights,
                           float* scratch, const float* x, const float* dy, float* dx,
                           float* gradient) {
  const DepthwiseScratch space(shape, scratch);
  const auto [first, used] = Block(shape, block);
  const int taps = shape.kernel * shape.kernel;
  pack_weights(weights + static_cast<std::ptrdiff_t>(first) * taps, taps, used, space.weights);
  std::fill_n(space.gradient, taps * kChannelBlock, 0.0F);
  zero_border(space.x);
  zero_border(space.dy);
  for (int image = 0; image < images; ++image) {
    pack_image(dy + image * image_floats(space.dy.shape, shape.channels) + first, shape.channels,
               used, space.dy);
    const std::ptrdiff_t at = image * image_floats(space.x.shape, shape.channels) + first;
    if (gradient != nullptr) {
      pack_image(x + at, shape.channels, used, space.x);
      weight_gradient(shape, space);
    }
    if (dx != nullptr) {
      input_gradient(shape, space, used, dx + at);
    }
  }
  for (int c = 0; gradient != nullptr && c < used; ++c) {
    for (int t = 0; t < taps; ++t) {
      gradient[(first + c) * taps + t] = space.gradient[t * kChannelBlock + c];
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace probedarts::kernels {

HWY_EXPORT(depthwise_forward_of);
HWY_EXPORT(depthwise_backward_of);

std::size_t depthwise_scratch_floats(const DepthwiseShape& shape) {
  const MapShape in = in_block(shape);
  const MapShape out = out_block(shape);
  const auto rows = static_cast<std::size_t>(std::max(shape.width, shape.out_width()) +
                                             2 * shape.kernel * shape.kernel);
  return padded_floats(in, shape.padding) + padded_floats(out, gradient_border(shape)) +
         rows * kChannelBlock;
}

void depthwise_forward(const DepthwiseShape& shape, int block, int images, const float* weights,
                       float* scratch, const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(depthwise_forward_of)(shape, block, images, weights, scratch, x, y);
}

void depthwise_backward(const DepthwiseShape& shape, int block, int images, const float* weights,
                        float* scratch, const float* x, const float* dy, float* dx,
                        float* gradient) {
  HWY_DYNAMIC_DISPATCH(depthwise_backward_of)
  (shape, block, images, weights, scratch, x, dy, dx, gradient);
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
