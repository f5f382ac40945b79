#include "kernels/pool.hpp"

#include <cmath>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/moments-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE std::ptrdiff_t place(const MapShape& shape, int row, int column) {
  return (static_cast<std::ptrdiff_t>(row) * shape.width + column) * shape.channels;
}

/// Rows or columns of a window that lie inside the image; half-open.
struct Span {
  int first, end;
  int count() const { return end - first; }
};
HWY_INLINE Span window_span(int at, int stride, int extent) {
  const int first = at * stride - 1;
  return {std::max(first, 0), std::min(first + 3, extent)};
}
/// Windows w that contain row or column `at`: w stride - 1 <= at <= w stride + 1.
HWY_INLINE Span windows_over(int at, int stride, int windows) {
  return {at > 0 ? (at + stride - 2) / stride : 0, std::min((at + 1) / stride + 1, windows)};
}

struct Maximum {
  static constexpr float kNothing = -HUGE_VALF;
  /// A NaN wins, as in LibTorch: in the two orders the maximum of a number and a NaN is the one and
  /// the other, and the bits of both together are a NaN. Of two zeros the negative one wins.
  static HWY_INLINE Vector of(Vector a, Vector b) {
    return hn::Or(greater_or_second(a, b), greater_or_second(b, a));
  }
};
struct Sum {
  static constexpr float kNothing = 0.0F;
  static HWY_INLINE Vector of(Vector a, Vector b) { return hn::Add(a, b); }
};

/// One over the pixels of a window of so many rows and columns.
constexpr float share_of(int rows, int columns) {
  return 1.0F / static_cast<float>(rows * columns);
}

/// One row of the output, from so many rows of the input. Each column is folded once and serves all
/// windows that it lies in.
template <class Fold, int kStride, int kRows>
void pool_rows(const PoolShape& shape, const float* top, float* y) {
  const int channels = shape.in.channels;
  const int width = shape.in.width;
  const std::ptrdiff_t down = place(shape.in, 1, 0);
  const Vector nothing = broadcast(Fold::kNothing);
  for (int c = 0; c < channels; c += kLanes) {
    const auto column = [&](int ix) HWY_ATTR {
      const float* from = top + static_cast<std::ptrdiff_t>(ix) * channels + c;
      Vector folded = load(from);
      HWY_UNROLL(2)
      for (int i = 1; i < kRows; ++i) {
        folded = Fold::of(folded, load(from + i * down));
      }
      return folded;
    };
    Vector before = nothing;
    Vector here = column(0);
    float* to = y + c;
    for (int centre = 0; centre < width; centre += kStride, to += channels) {
      const bool inside = centre + 1 < width;
      const Vector next = inside ? column(centre + 1) : nothing;
      Vector folded = Fold::of(Fold::of(before, here), next);
      if constexpr (std::is_same_v<Fold, Sum>) {
        const int columns = (centre > 0 ? 2 : 1) + (inside ? 1 : 0);
        folded = hn::Mul(folded, broadcast(share_of(kRows, columns)));
      }
      store(folded, to);
      before = kStride == 1 ? here : next;
      here = kStride == 1 ? next : (centre + 2 < width ? column(centre + 2) : nothing);
    }
  }
}

template <class Fold, int kStride>
void pool_row(const PoolShape& shape, const float* x, int row, float* y) {
  const Span rows = window_span(shape.first_row + row, kStride, shape.in.height);
  const float* top = x + place(shape.in, rows.first, 0);
  switch (rows.count()) {
    case 3:
      return pool_rows<Fold, kStride, 3>(shape, top, y);
    case 2:
      return pool_rows<Fold, kStride, 2>(shape, top, y);
    default:
      return pool_rows<Fold, kStride, 1>(shape, top, y);
  }
}

template <class Fold>
void pool_of(const PoolShape& shape, const float* x, float* y, const Moments* moments) {
  for (int row = 0; row < shape.out.height; ++row) {
    float* to = y + place(shape.out, row, 0);
    if (shape.stride == 1) {
      pool_row<Fold, 1>(shape, x, row, to);
    } else {
      pool_row<Fold, 2>(shape, x, row, to);
    }
    if (moments != nullptr) {
      add_tile(to, shape.out.width, shape.out.channels, *moments);
    }
  }
}
void max_pool_of(const PoolShape& shape, const float* x, float* y, const Moments* moments) {
  pool_of<Maximum>(shape, x, y, moments);
}
void average_pool_of(const PoolShape& shape, const float* x, float* y, const Moments* moments) {
  pool_of<Sum>(shape, x, y, moments);
}

/// A column of a row of windows: its pixels, and their gradients so far.
struct Column {
  Vector x[3], dx[3];
};

/// Where the columns of a row of windows lie in memory. A column is at its topmost pixel, which may
/// lie above the image.
struct WindowRow {
  const float* x;
  float* dx;
  std::ptrdiff_t down;  ///< floats from one row to the next
  Span inside;          ///< of the window's three rows

  HWY_INLINE void take(std::ptrdiff_t at, Column& column) const {
    HWY_UNROLL(3)
    for (int i = 0; i < 3; ++i) {
      const bool there = i >= inside.first && i < inside.end;
      column.x[i] = there ? load(x + (at + i * down)) : broadcast(NAN);  // equals no maximum
      column.dx[i] = there ? load(dx + (at + i * down)) : zero();
    }
  }
  HWY_INLINE void put(const Column& column, std::ptrdiff_t at) const {
    HWY_UNROLL(3)
    for (int i = 0; i < 3; ++i) {
      if (i >= inside.first && i < inside.end) {
        store(column.dx[i], dx + (at + i * down));
      }
    }
  }
  static HWY_INLINE Column outside() {
    const Vector never = broadcast(NAN);
    return {{never, never, never}, {zero(), zero(), zero()}};
  }
};

/// Adds `left` to the pixel if it is the maximum, and takes it away from what is left.
HWY_INLINE void give_gradient(Vector best, Vector x, Vector& dx, Vector& left) {
  const auto here = hn::Eq(x, best);
  dx = hn::Add(dx, hn::IfThenElseZero(here, left));
  left = hn::IfThenZeroElse(here, left);
}

/// Gradients stay in registers while the window passes over their columns.
template <int kStride>
void max_row_backward(const PoolShape& shape, const float* x, const float* y, const float* dy,
                      int row, float* dx) {
  const int channels = shape.in.channels;
  const int width = shape.in.width;
  const int first = row * kStride - 1;
  const Span rows = window_span(row, kStride, shape.in.height);
  const WindowRow memory{x, dx, place(shape.in, 1, 0), {rows.first - first, rows.end - first}};
  for (int c = 0; c < channels; c += kLanes) {
    std::ptrdiff_t at = place(shape.out, row, 0) + c;
    std::ptrdiff_t place_of_here = place(shape.in, first, 0) + c;
    Column before = WindowRow::outside();
    Column here;
    memory.take(place_of_here, here);
    for (int centre = 0; centre < width; centre += kStride, at += channels) {
      Column next = WindowRow::outside();
      if (centre + 1 < width) {
        memory.take(place_of_here + channels, next);
      }
      const Vector best = load(y + at);
      Vector left = load(dy + at);
      HWY_UNROLL(3)
      for (int i = 0; i < 3; ++i) {
        give_gradient(best, before.x[i], before.dx[i], left);
        give_gradient(best, here.x[i], here.dx[i], left);
        give_gradient(best, next.x[i], next.dx[i], left);
      }
      if (centre > 0) {
        memory.put(before, place_of_here - channels);
      }
      if constexpr (kStride == 1) {
        before = here;
        here = next;
      } else {
        memory.put(here, place_of_here);
        before = next;
        if (centre + 2 < width) {
          memory.take(place_of_here + 2 * channels, here);
        }
      }
      place_of_here += kStride * channels;
    }
    if (kStride == 1 || width % 2 == 0) {
      memory.put(before, place(shape.in, first, width - 1) + c);
    }
  }
}

void max_pool_backward_of(const PoolShape& shape, const float* x, const float* y, const float* dy,
                          float* dx) {
  for (int row = 0; row < shape.out.height; ++row) {
    if (shape.stride == 1) {
      max_row_backward<1>(shape, x, y, dy, row, dx);
    } else {
      max_row_backward<2>(shape, x, y, dy, row, dx);
    }
  }
}

/// One row of the input's gradient: like `pool_row`, over the windows that contain it.
template <int kStride>
void average_row_backward(const PoolShape& shape, const float* dy, int row, float* dx) {
  const int channels = shape.in.channels;
  const int width = shape.in.width;
  const Span windows = windows_over(row, kStride, shape.out.height);
  for (int c = 0; c < channels; c += kLanes) {
    const auto column = [&](int ox) HWY_ATTR {
      const int columns = window_span(ox, kStride, width).count();
      Vector sum = zero();
      for (int oy = windows.first; oy < windows.end; ++oy) {
        const int rows = window_span(oy, kStride, shape.in.height).count();
        sum = hn::MulAdd(load(dy + place(shape.out, oy, ox) + c),
                         broadcast(share_of(rows, columns)), sum);
      }
      return sum;
    };
    const auto add = [&](Vector value, int ix) HWY_ATTR {
      float* to = dx + place(shape.in, row, ix) + c;
      store(hn::Add(load(to), value), to);
    };
    Vector before = zero();
    Vector here = column(0);
    for (int ox = 0; ox < shape.out.width; ++ox) {
      const Vector next = ox + 1 < shape.out.width ? column(ox + 1) : zero();
      if constexpr (kStride == 1) {
        add(hn::Add(hn::Add(before, here), next), ox);
        before = here;
      } else {
        add(here, 2 * ox);
        if (2 * ox + 1 < width) {
          add(hn::Add(here, next), 2 * ox + 1);
        }
      }
      here = next;
    }
  }
}

void average_pool_backward_of(const PoolShape& shape, const float* dy, float* dx) {
  for (int row = 0; row < shape.in.height; ++row) {
    if (shape.stride == 1) {
      average_row_backward<1>(shape, dy, row, dx);
    } else {
      average_row_backward<2>(shape, dy, row, dx);
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
