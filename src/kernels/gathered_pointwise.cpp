#include "kernels/gathered_pointwise.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gathered_pointwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/gather_tiles.hpp"
#include "kernels/matrix-inl.hpp"
#include "kernels/moments-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

/// Where a source's channels for an output pixel lie, in floats from its first pixel; -1 outside.
HWY_INLINE std::ptrdiff_t source_place(const GatherSource& source, int row, int column) {
  const int y = row * source.stride + source.down;
  const int x = column * source.stride + source.right;
  if (y < 0 || x < 0 || y >= source.shape.height || x >= source.shape.width) {
    return -1;
  }
  return (static_cast<std::ptrdiff_t>(y) * source.shape.width + x) * source.shape.channels;
}

void gather(const GatherShape& shape, std::span<const GatherSource> sources, int first, int pixels,
            float* tile) {
  for (int p = 0; p < pixels; ++p) {
    const int row = (first + p) / shape.out.width;
    const int column = (first + p) % shape.out.width;
    for (const GatherSource& source : sources) {
      const std::ptrdiff_t from = source_place(source, row, column);
      for (int c = 0; c < source.shape.channels; c += kLanes) {
        const Vector value = from < 0 ? zero() : load(source.values + from + c);
        store(shape.rectify == Rectify::kYes ? rectified(value) : value, tile + c);
      }
      tile += source.shape.channels;
    }
  }
}

/// Adds the tile of input gradients to the sources, where the rectified input is positive.
void scatter(const GatherShape& shape, std::span<const GatherSource> sources, int first, int pixels,
             const float* tile, const float* gradient) {
  for (int p = 0; p < pixels; ++p) {
    const int row = (first + p) / shape.out.width;
    const int column = (first + p) % shape.out.width;
    for (const GatherSource& source : sources) {
      const std::ptrdiff_t to = source_place(source, row, column);
      if (to >= 0 && source.gradient != nullptr) {
        for (int c = 0; c < source.shape.channels; c += kLanes) {
          Vector value = load(gradient + c);
          if (shape.rectify == Rectify::kYes) {
            value = hn::IfThenElseZero(hn::Gt(load(tile + c), zero()), value);
          }
          float* dst = source.gradient + to + c;
          store(hn::Add(load(dst), value), dst);
        }
      }
      tile += source.shape.channels;
      gradient += source.shape.channels;
    }
  }
}

void gathered_forward_of(const GatherShape& shape, std::span<const GatherSource> sources,
                         const float* weights, float* scratch, float* y, const Moments* moments) {
  const int channels = shape.out.channels;
  const int total = static_cast<int>(shape.out.pixels());
  for (int first = 0; first < total; first += kGatherPixels) {
    const int pixels = std::min(kGatherPixels, total - first);
    gather(shape, sources, first, pixels, scratch);
    float* to = y + static_cast<std::ptrdiff_t>(first) * channels;
    product({scratch, shape.depth}, {weights, channels},
            {shape.depth / shape.source_channels, shape.source_channels, shape.source_used},
            {to, channels}, pixels, channels);
    if (moments != nullptr) {
      add_tile(to, pixels, channels, *moments);
    }
  }
}

void gathered_backward_of(const GatherShape& shape, std::span<const GatherSource> sources,
                          const float* weights, const Cotangent& cotangent, float* scratch,
                          float* gradient) {
  const int channels = shape.out.channels;
  const int total = static_cast<int>(shape.out.pixels());
  float* tile = scratch;
  float* tile_gradient = tile + static_cast<std::ptrdiff_t>(kGatherPixels) * shape.depth;
  float* dy = tile_gradient + static_cast<std::ptrdiff_t>(kGatherPixels) * shape.depth;
  const bool wants_input =
      std::any_of(sources.begin(), sources.end(),
                  [](const GatherSource& source) { return source.gradient != nullptr; });
  for (int first = 0; first < total; first += kGatherPixels) {
    const int pixels = std::min(kGatherPixels, total - first);
    gather(shape, sources, first, pixels, tile);
    form_cotangent(cotangent, static_cast<std::ptrdiff_t>(first) * channels, pixels, channels, dy);
    if (gradient != nullptr) {
      outer_product({dy, channels}, {tile, shape.depth}, pixels, {gradient, shape.depth},
                    shape.out_used, shape.depth);
    }
    if (wants_input) {
      product({dy, channels}, {weights, shape.depth}, {1, channels, shape.out_used},
              {tile_gradient, shape.depth}, pixels, shape.depth);
      scatter(shape, sources, first, pixels, tile, tile_gradient);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace probedarts::kernels {

HWY_EXPORT(gathered_forward_of);
HWY_EXPORT(gathered_backward_of);

std::size_t gather_scratch_floats(const GatherShape& shape) {
  return static_cast<std::size_t>(kGatherPixels) *
         static_cast<std::size_t>(2 * shape.depth + shape.out.channels);
}

void gathered_forward(const GatherShape& shape, std::span<const GatherSource> sources,
                      const float* weights, float* scratch, float* y, const Moments* moments) {
  HWY_DYNAMIC_DISPATCH(gathered_forward_of)(shape, sources, weights, scratch, y, moments);
}

void gathered_backward(const GatherShape& shape, std::span<const GatherSource> sources,
                       const float* weights, const Cotangent& cotangent, float* scratch,
                       float* gradient) {
  HWY_DYNAMIC_DISPATCH(gathered_backward_of)(shape, sources, weights, cotangent, scratch, gradient);
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
