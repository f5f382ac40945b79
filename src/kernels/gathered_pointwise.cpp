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
      store_anywhere(kRectify == Rectify::kYes ? rectified(value) : value, to + c);
    }
  }
}

HWY_INLINE void zero_pixels(int count, int channels, float* to, std::ptrdiff_t to_step) {
  for (int p = 0; p < count; ++p, to += to_step) {
    for (int c = 0; c < channels; c += kLanes) {
      store_anywhere(zero(), to + c);
    }
  }
}

/// tile[pixel][all sources' channels]. Sources are written whole, from the first to the last: the
/// padding of one lies where the next one's channels come.
template <Rectify kRectify>
void gather_tile(const GatherShape& shape, std::span<const GatherSource> sources, int first,
                 int pixels, float* tile) {
  const int channels = shape.source_channels;
  const std::ptrdiff_t pitch = shape.tile_pitch();
  const int last_block = shape.depth / kChannelBlock * kChannelBlock;
  for_each_stretch(shape, first, pixels, [&](int p, int row, int column, int count) HWY_ATTR {
    float* to = tile + p * pitch;
    if (last_block < shape.depth) {  // the columns that fill up the last vector
      zero_pixels(count, kChannelBlock, to + last_block, pitch);
    }
    for (const GatherSource& source : sources) {
      const Run run = run_of(source, row, column, count);
      const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(source.stride) * channels;
      zero_pixels(run.skipped, channels, to, pitch);
      copy_pixels<kRectify>(source.values + run.from, step, run.count, channels,
                            to + run.skipped * pitch, pitch);
      const int filled = run.skipped + run.count;
      zero_pixels(count - filled, channels, to + filled * pitch, pitch);
      to += shape.source_used;
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

/// One pixel's input gradient, where the rectified input is positive, into its source.
template <Rectify kRectify, Into kInto>
HWY_INLINE void scatter_pixel(const float* x, const float* g, Channels channels, float* to) {
  const int used = channels.used;
  int c = 0;
  for (; c < used; c += kLanes) {
    Vector value = load_anywhere(g + c);
    if (kRectify == Rectify::kYes) {
      value = hn::IfThenElseZero(hn::Gt(load_anywhere(x + c), zero()), value);
    }
    if (used - c < kLanes) {  // what follows is the next source's
      value = hn::IfThenElseZero(hn::FirstN(Tag(), static_cast<std::size_t>(used - c)), value);
    }
    store(kInto == Into::kAdd ? hn::Add(load(to + c), value) : value, to + c);
  }
  for (; kInto == Into::kAssign && c < channels.count; c += kLanes) {
    store(zero(), to + c);
  }
}

template <Rectify kRectify, Into kInto>
HWY_INLINE void scatter_run(Rows x, Rows g, int count, Channels channels, float* to,
                            std::ptrdiff_t step) {
  for (int i = 0; i < count; ++i, x.first += x.step, g.first += g.step, to += step) {
    scatter_pixel<kRectify, kInto>(x.first, g.first, channels, to);
  }
}

/// The tile of input gradients into the sources.
template <Rectify kRectify>
void scatter(const GatherShape& shape, std::span<const GatherSource> sources, int first, int pixels,
             Rows tile, Rows gradient) {
  const Channels channels{shape.source_channels, shape.source_used};
  for_each_stretch(shape, first, pixels, [&](int p, int row, int column, int count) HWY_ATTR {
    int channel = 0;
    for (const GatherSource& source : sources) {
      if (source.gradient != nullptr) {
        const Run run = run_of(source, row, column, count);
        const int pixel = p + run.skipped;
        const Rows x{tile.first + pixel * tile.step + channel, tile.step};
        const Rows g{gradient.first + pixel * gradient.step + channel, gradient.step};
        const std::ptrdiff_t step =
            static_cast<std::ptrdiff_t>(source.stride) * shape.source_channels;
        float* to = source.gradient + run.from;
        if (source.into == Into::kAdd) {
          scatter_run<kRectify, Into::kAdd>(x, g, run.count, channels, to, step);
        } else {
          scatter_run<kRectify, Into::kAssign>(x, g, run.count, channels, to, step);
        }
      }
      channel += channels.used;
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

/// Pixels of a tile, gathered into scratch unless they lie so in memory.
Rows tile_of(const GatherShape& shape, std::span<const GatherSource> sources, int first, int pixels,
             float* scratch) {
  if (is_tile(shape, sources)) {
    return {first_of_tile(sources[0]) + static_cast<std::ptrdiff_t>(first) * shape.source_channels,
            shape.source_channels};
  }
  gather(shape, sources, first, pixels, scratch);
  return {scratch, shape.tile_pitch()};
}

void gathered_forward_of(const GatherShape& shape, std::span<const GatherSource> sources,
                         const float* weights, const float* bias, float* scratch, float* y,
                         const Moments* moments) {
  const int channels = shape.out.channels;
  const int total = static_cast<int>(shape.out.pixels());
  for (int first = 0; first < total; first += kGatherPixels) {
    const int pixels = std::min(kGatherPixels, total - first);
    const Rows tile = tile_of(shape, sources, first, pixels, scratch);
    float* to = y + static_cast<std::ptrdiff_t>(first) * channels;
    product(tile, {weights, channels}, shape.depth, bias, {to, channels}, pixels,
            {channels, shape.out_used});
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
  const std::ptrdiff_t pitch = shape.tile_pitch();
  const std::ptrdiff_t columns = shape.depth_pitch();
  float* tile_gradient = scratch + kGatherPixels * pitch;
  float* dy = tile_gradient + kGatherPixels * pitch;
  const bool wants_input =
      std::any_of(sources.begin(), sources.end(),
                  [](const GatherSource& source) { return source.gradient != nullptr; });
  for (int first = 0; first < total; first += kGatherPixels) {
    const int pixels = std::min(kGatherPixels, total - first);
    const Rows tile = tile_of(shape, sources, first, pixels, scratch);
    form_cotangent(cotangent, static_cast<std::ptrdiff_t>(first) * channels, pixels, channels, dy);
    if (gradient != nullptr) {
      outer_product({dy, channels}, tile, pixels, {gradient, columns}, shape.out_used, shape.depth);
    }
    if (!wants_input) {
      continue;
    }
    product({dy, channels}, {weights, columns}, shape.out_used, nullptr, {tile_gradient, pitch},
            pixels, {shape.depth_pitch(), shape.depth});
    const Rows back{tile_gradient, pitch};
    if (shape.rectify == Rectify::kYes) {
      scatter<Rectify::kYes>(shape, sources, first, pixels, tile, back);
    } else {
      scatter<Rectify::kNo>(shape, sources, first, pixels, tile, back);
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
         static_cast<std::size_t>(2 * shape.tile_pitch() + shape.out.channels);
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
