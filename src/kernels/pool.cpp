#include "kernels/pool.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/moments-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

/// The part of an output pixel's window that lies inside the image.
struct WindowSpan {
  int top, bottom, left, right;  // half-open
  int pixels() const { return (bottom - top) * (right - left); }
};

WindowSpan window_at(const PoolShape& shape, int row, int column) {
  const int top = (shape.first_row + row) * shape.stride - 1;
  const int left = column * shape.stride - 1;
  return {std::max(top, 0), std::min(top + 3, shape.in.height), std::max(left, 0),
          std::min(left + 3, shape.in.width)};
}

HWY_INLINE std::ptrdiff_t place(const MapShape& shape, int row, int column) {
  return (static_cast<std::ptrdiff_t>(row) * shape.width + column) * shape.channels;
}

void max_row(const PoolShape& shape, const float* x, int row, float* y) {
  const int channels = shape.in.channels;
  for (int column = 0; column < shape.out.width; ++column, y += channels) {
    const WindowSpan span = window_at(shape, row, column);
    for (int c = 0; c < channels; c += kLanes) {
      Vector best = load(x + place(shape.in, span.top, span.left) + c);
      for (int iy = span.top; iy < span.bottom; ++iy) {
        for (int ix = span.left; ix < span.right; ++ix) {
          const Vector value = load(x + place(shape.in, iy, ix) + c);
          best = hn::IfThenElse(hn::Le(value, best), best, value);  // a NaN wins, as in LibTorch
        }
      }
      store(best, y + c);
    }
  }
}

void average_row(const PoolShape& shape, const float* x, int row, float* y) {
  const int channels = shape.in.channels;
  for (int column = 0; column < shape.out.width; ++column, y += channels) {
    const WindowSpan span = window_at(shape, row, column);
    const Vector share = broadcast(1.0F / static_cast<float>(span.pixels()));
    for (int c = 0; c < channels; c += kLanes) {
      Vector sum = zero();
      for (int iy = span.top; iy < span.bottom; ++iy) {
        for (int ix = span.left; ix < span.right; ++ix) {
          sum = hn::Add(sum, load(x + place(shape.in, iy, ix) + c));
        }
      }
      store(hn::Mul(sum, share), y + c);
    }
  }
}

void max_pool_of(const PoolShape& shape, const float* x, float* y, const Moments* moments) {
  for (int row = 0; row < shape.out.height; ++row) {
    float* to = y + place(shape.out, row, 0);
    max_row(shape, x, row, to);
    if (moments != nullptr) {
      add_tile(to, shape.out.width, shape.out.channels, *moments);
    }
  }
}

void average_pool_of(const PoolShape& shape, const float* x, float* y, const Moments* moments) {
  for (int row = 0; row < shape.out.height; ++row) {
    float* to = y + place(shape.out, row, 0);
    average_row(shape, x, row, to);
    if (moments != nullptr) {
      add_tile(to, shape.out.width, shape.out.channels, *moments);
    }
  }
}

void max_pool_backward_of(const PoolShape& shape, const float* x, const float* y, const float* dy,
                          float* dx) {
  const int channels = shape.in.channels;
  for (int row = 0; row < shape.out.height; ++row) {
    for (int column = 0; column < shape.out.width; ++column) {
      const WindowSpan span = window_at(shape, row, column);
      const std::ptrdiff_t at = place(shape.out, row, column);
      for (int c = 0; c < channels; c += kLanes) {
        const Vector best = load(y + at + c);
        Vector left = load(dy + at + c);  // what has not found its pixel yet
        for (int iy = span.top; iy < span.bottom; ++iy) {
          for (int ix = span.left; ix < span.right; ++ix) {
            const std::ptrdiff_t from = place(shape.in, iy, ix) + c;
            const auto here = hn::Eq(load(x + from), best);
            store(hn::Add(load(dx + from), hn::IfThenElseZero(here, left)), dx + from);
            left = hn::IfThenZeroElse(here, left);
          }
        }
      }
    }
  }
}

void average_pool_backward_of(const PoolShape& shape, const float* dy, float* dx) {
  const int channels = shape.in.channels;
  for (int row = 0; row < shape.out.height; ++row) {
    for (int column = 0; column < shape.out.width; ++column) {
      const WindowSpan span = window_at(shape, row, column);
      const Vector share = broadcast(1.0F / static_cast<float>(span.pixels()));
      for (int c = 0; c < channels; c += kLanes) {
        const Vector part = hn::Mul(load(dy + place(shape.out, row, column) + c), share);
        for (int iy = span.top; iy < span.bottom; ++iy) {
          for (int ix = span.left; ix < span.right; ++ix) {
            float* to = dx + place(shape.in, iy, ix) + c;
            store(hn::Add(load(to), part), to);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace probedarts::kernels {

HWY_EXPORT(max_pool_of);
HWY_EXPORT(average_pool_of);
HWY_EXPORT(max_pool_backward_of);
HWY_EXPORT(average_pool_backward_of);

void max_pool(const PoolShape& shape, const float* x, float* y, const Moments* moments) {
  HWY_DYNAMIC_DISPATCH(max_pool_of)(shape, x, y, moments);
}

void average_pool(const PoolShape& shape, const float* x, float* y, const Moments* moments) {
  HWY_DYNAMIC_DISPATCH(average_pool_of)(shape, x, y, moments);
}

void max_pool_backward(const PoolShape& shape, const float* x, const float* y, const float* dy,
                       float* dx) {
  HWY_DYNAMIC_DISPATCH(max_pool_backward_of)(shape, x, y, dy, dx);
}

void average_pool_backward(const PoolShape& shape, const float* dy, float* dx) {
  HWY_DYNAMIC_DISPATCH(average_pool_backward_of)(shape, dy, dx);
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
