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

/// Pixels of one output row that are next to each other, and where a source has them.
struct Run {
  int skipped;          ///< pixels in front that lie outside of the source
  int count;            ///< pixels inside
  std::ptrdiff_t from;  ///< floats from the source's first pixel to the first one inside
};

HWY_INLINE Run run_of(const GatherSource& source, int row, int column, int pixels) {
  const int y = row * source.stride + source.down;
  if (y < 0 || y >= source.shape.height) {
    return {pixels, 0, 0};
  }
  const int x = column * source.stride + source.right;
  const int skipped = x >= 0 ? 0 : std::min(pixels, (-x + source.stride - 1) / source.stride);
  const int first = x + skipped * source.stride;
  const int left = source.shape.width - first;
  const int count =
      left <= 0 ? 0 : std::min(pixels - skipped, (left + source.stride - 1) / source.stride);
  return {skipped, count,
          (static_cast<std::ptrdiff_t>(y) * source.shape.width + first) * source.shape.channels};
}

/// Calls visit(first pixel of the tile, its row, its column, pixels) for each stretch of a row.
template <typename Visit>
HWY_INLINE void for_each_stretch(const GatherShape& shape, int first, int pixels,
                                 const Visit& visit) {
  int row = first / shape.out.width;
  int column = first % shape.out.width;
  for (int p = 0; p < pixels;) {
    const int count = std::min(pixels - p, shape.out.width - column);
    visit(p, row, column, count);
    p += count;
    column = 0;
    ++row;
  }
}

template <Rectify kRectify>
HWY_INLINE void copy_pixels(const float* from, std::ptrdiff_t from_step, int count, int channels,
                            float* to, std::ptrdiff_t to_step) {
  for (int p = 0; p < count; ++p, from += from_step, to += to_step) {
    for (int c = 0; c < channels; c += kLanes) {
      const Vector value = load(from + c);
      store(kRectify == Rectify::kYes ? rectified(value) : value, to + c);
    }
  }
}

HWY_INLINE void zero_pixels(int count, int channels, float* to, std::ptrdiff_t to_step) {
  for (int p = 0; p < count; ++p, to += to_step) {
    for (int c = 0; c < channels; c += kLanes) {
      store(zero(), to + c);
    }
  }
}

/// tile[pixel][all sources' channels].
template <Rectify kRectify>
void gather_tile(const GatherShape& shape, std::span<const GatherSource> sources, int first,
                 int pixels, float* tile) {
  const int channels = shape.source_channels;
  const std::ptrdiff_t depth = shape.depth;
  for_each_stretch(shape, first, pixels, [&](int p, int row, int column, int count) HWY_ATTR {
    float* to = tile + p * depth;
    for (const GatherSource& source : sources) {
      const Run run = run_of(source, row, column, count);
      const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(source.stride) * channels;
      zero_pixels(run.skipped, channels, to, depth);
      copy_pixels<kRectify>(source.values + run.from, step, run.count, channels,
                            to + run.skipped * depth, depth);
      const int filled = run.skipped + run.count;
      zero_pixels(count - filled, channels, to + filled * depth, depth);
      to += channels;
    }
  });
}

void gather(const GatherShape& shape, std::span<const GatherSource> sources, int first, int pixels,
            float* tile) {
  if (shape.rectify == Rectify::kYes) {
    gather_tile<Rectify::kYes>(shape, sources, first, pixels, tile);
  } else {
    gather_tile<Rectify::kNo>(shape, sources, first, pixels, tile);
  }
}

/// Adds the tile of input gradients to the sources, where the rectified input is positive.
void scatter(const GatherShape& shape, std::span<const GatherSource> sources, int first, int pixels,
             const float* tile, const float* gradient) {
  const int channels = shape.source_channels;
  const std::ptrdiff_t depth = shape.depth;
  for_each_stretch(shape, first, pixels, [&](int p, int row, int column, int count) HWY_ATTR {
    std::ptrdiff_t at = p * depth;
    for (const GatherSource& source : sources) {
      const Run run = run_of(source, row, column, count);
      const float* x = tile + at + run.skipped * depth;
      const float* g = gradient + at + run.skipped * depth;
      float* to = source.gradient + run.from;
      const int wanted = source.gradient != nullptr ? run.count : 0;
      for (int i = 0; i < wanted; ++i) {
        for (int c = 0; c < channels; c += kLanes) {
          Vector value = load(g + c);
          if (shape.rectify == Rectify::kYes) {
            value = hn::IfThenElseZero(hn::Gt(load(x + c), zero()), value);
          }
          store(hn::Add(load(to + c), value), to + c);
        }
        x += depth;
        g += depth;
        to += static_cast<std::ptrdiff_t>(source.stride) * channels;
      }
      at += channels;
    }
  });
}

/// A source that lies in memory as the tile would, from row `down` on.
bool is_tile(const GatherShape& shape, std::span<const GatherSource> sources) {
  const GatherSource& only = sources.front();
  return sources.size() == 1 && shape.rectify == Rectify::kNo && only.stride == 1 &&
         only.right == 0 && only.shape.width == shape.out.width && only.down >= 0 &&
         only.down + shape.out.height <= only.shape.height;
}
const float* first_of_tile(const GatherSource& source) {
  return source.values +
         static_cast<std::ptrdiff_t>(source.down) * source.shape.width * source.shape.channels;
}

void gathered_forward_of(const GatherShape& shape, std::span<const GatherSource> sources,
                         const float* weights, const float* bias, float* scratch, float* y,
                         const Moments* moments) {
  const int channels = shape.out.channels;
  const int total = static_cast<int>(shape.out.pixels());
  const bool plain = is_tile(shape, sources);
  for (int first = 0; first < total; first += kGatherPixels) {
    const int pixels = std::min(kGatherPixels, total - first);
    const float* tile = scratch;
    if (plain) {
      tile = first_of_tile(sources[0]) + static_cast<std::ptrdiff_t>(first) * shape.depth;
    } else {
      gather(shape, sources, first, pixels, scratch);
    }
    float* to = y + static_cast<std::ptrdiff_t>(first) * channels;
    product({tile, shape.depth}, {weights, channels},
            {shape.depth / shape.source_channels, shape.source_channels, shape.source_used}, bias,
            {to, channels}, pixels, {channels, shape.out_used});
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
  const bool plain = is_tile(shape, sources);
  const float* tile = scratch;
  float* tile_gradient = scratch + static_cast<std::ptrdiff_t>(kGatherPixels) * shape.depth;
  float* dy = tile_gradient + static_cast<std::ptrdiff_t>(kGatherPixels) * shape.depth;
  // Source by source where a source's padding can be left out, else all columns in one.
  const bool trims = covered(shape.source_used) < shape.source_channels;
  const Channels span = trims ? Channels{shape.source_channels, shape.source_used}
                              : Channels{shape.depth, shape.depth};
  const bool wants_input =
      std::any_of(sources.begin(), sources.end(),
                  [](const GatherSource& source) { return source.gradient != nullptr; });
  for (int first = 0; first < total; first += kGatherPixels) {
    const int pixels = std::min(kGatherPixels, total - first);
    if (plain) {
      tile = first_of_tile(sources[0]) + static_cast<std::ptrdiff_t>(first) * shape.depth;
    } else {
      gather(shape, sources, first, pixels, scratch);
    }
    form_cotangent(cotangent, static_cast<std::ptrdiff_t>(first) * channels, pixels, channels, dy);
    for (int at = 0; at < shape.depth; at += span.count) {
      if (gradient != nullptr) {
        outer_product({dy, channels}, {tile + at, shape.depth}, pixels,
                      {gradient + at, shape.depth}, shape.out_used, span.used);
      }
      if (wants_input) {
        product({dy, channels}, {weights + at, shape.depth}, {1, channels, shape.out_used}, nullptr,
                {tile_gradient + at, shape.depth}, pixels, span);
      }
    }
    if (wants_input) {
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
                      const float* weights, const float* bias, float* scratch, float* y,
                      const Moments* moments) {
  HWY_DYNAMIC_DISPATCH(gathered_forward_of)(shape, sources, weights, bias, scratch, y, moments);
}

void gathered_backward(const GatherShape& shape, std::span<const GatherSource> sources,
                       const float* weights, const Cotangent& cotangent, float* scratch,
                       float* gradient) {
  HWY_DYNAMIC_DISPATCH(gathered_backward_of)(shape, sources, weights, cotangent, scratch, gradient);
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
