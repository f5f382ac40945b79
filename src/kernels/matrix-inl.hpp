// Products of small matrices with the innermost dimension a multiple of kChannelBlock, held in
// register tiles.
#if defined(PROBEDARTS_KERNELS_MATRIX_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef PROBEDARTS_KERNELS_MATRIX_INL_HPP_
#undef PROBEDARTS_KERNELS_MATRIX_INL_HPP_
#else
#define PROBEDARTS_KERNELS_MATRIX_INL_HPP_
#endif

#include "kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {

/// A row-major matrix in memory: rows `step` floats apart.
struct Rows {
  const float* first;
  std::ptrdiff_t step;
};
struct MutableRows {
  float* first;
  std::ptrdiff_t step;
};

/// The inner dimension of a product: `segments` runs of `pitch` channels, of which the first `used`
/// are no padding. Padding is skipped here, which matters for C 36 in 48.
struct Depth {
  int segments, pitch, used;
};

/// P rows, V vectors of columns of y = start + x w.
template <int P, int V>
HWY_INLINE void product_tile(Rows x, Rows w, Depth depth, const float* start, MutableRows y) {
  Vector sum[P][V];
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      sum[p][v] = start != nullptr ? load(start + v * kLanes) : zero();
    }
  }
  for (int segment = 0; segment < depth.segments; ++segment) {
    const float* from = x.first + segment * depth.pitch;
    const float* row = w.first + segment * depth.pitch * w.step;
    for (int k = 0; k < depth.used; ++k, row += w.step) {
      Vector weight[V];
      HWY_UNROLL(4)
      for (int v = 0; v < V; ++v) {
        weight[v] = load(row + v * kLanes);
      }
      HWY_UNROLL(16)
      for (int p = 0; p < P; ++p) {
        const Vector value = broadcast(from[p * x.step + k]);
        HWY_UNROLL(4)
        for (int v = 0; v < V; ++v) {
          sum[p][v] = hn::MulAdd(value, weight[v], sum[p][v]);
        }
      }
    }
  }
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      store(sum[p][v], y.first + p * y.step + v * kLanes);
    }
  }
}

template <int V>
HWY_INLINE void product_columns(Rows x, Rows w, Depth depth, const float* start, MutableRows y,
                                int rows) {
  constexpr int kTall = kManyRegisters ? (V == 1 ? 16 : 8) : (V == 1 ? 8 : 4);
  int r = 0;
  const auto advance = [&](int by) HWY_ATTR {
    x.first += by * x.step;
    y.first += by * y.step;
    r += by;
  };
  while (rows - r >= kTall) {
    product_tile<kTall, V>(x, w, depth, start, y);
    advance(kTall);
  }
  if (kTall > 8 && rows - r >= 8) {
    product_tile<8, V>(x, w, depth, start, y);
    advance(8);
  }
  if (kTall > 4 && rows - r >= 4) {
    product_tile<4, V>(x, w, depth, start, y);
    advance(4);
  }
  if (rows - r >= 2) {
    product_tile<2, V>(x, w, depth, start, y);
    advance(2);
  }
  if (rows - r >= 1) {
    product_tile<1, V>(x, w, depth, start, y);
  }
}

/// y[r][o] = start[o] + sum_k x[r][k] w[k][o],  r < rows, o < columns, k in the used places of
/// depth. \param start  [columns] or null.
HWY_INLINE void product(Rows x, Rows w, Depth depth, const float* start, MutableRows y, int rows,
                        int columns) {
  const auto start_at = [start](int o) { return start != nullptr ? start + o : nullptr; };
  constexpr int kWide = 2;
  int o = 0;
  if (kManyRegisters && columns % (3 * kLanes) == 0) {
    for (; o < columns; o += 3 * kLanes) {
      product_columns<3>(x, {w.first + o, w.step}, depth, start_at(o), {y.first + o, y.step}, rows);
    }
    return;
  }
  for (; o + kWide * kLanes <= columns; o += kWide * kLanes) {
    product_columns<kWide>(x, {w.first + o, w.step}, depth, start_at(o), {y.first + o, y.step},
                           rows);
  }
  for (; o < columns; o += kLanes) {
    product_columns<1>(x, {w.first + o, w.step}, depth, start_at(o), {y.first + o, y.step}, rows);
  }
}

/// R rows, V vectors of columns of g += dy' z.
template <int R, int V>
HWY_INLINE void outer_tile(Rows dy, Rows z, int pixels, MutableRows g) {
  Vector sum[R][V];
  HWY_UNROLL(16)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      sum[r][v] = load(g.first + r * g.step + v * kLanes);
    }
  }
  for (int p = 0; p < pixels; ++p) {
    Vector value[V];
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      value[v] = load(z.first + p * z.step + v * kLanes);
    }
    HWY_UNROLL(16)
    for (int r = 0; r < R; ++r) {
      const Vector left = broadcast(dy.first[p * dy.step + r]);
      HWY_UNROLL(4)
      for (int v = 0; v < V; ++v) {
        sum[r][v] = hn::MulAdd(left, value[v], sum[r][v]);
      }
    }
  }
  HWY_UNROLL(16)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      store(sum[r][v], g.first + r * g.step + v * kLanes);
    }
  }
}

template <int R, int V>
HWY_INLINE void outer_rows(Rows dy, Rows z, int pixels, MutableRows g, int rows) {
  static_assert(R % 4 == 0 && R <= kChannelBlock, "what is left is rounded up to four rows");
  int r = 0;
  for (; r + R <= rows; r += R) {
    outer_tile<R, V>({dy.first + r, dy.step}, z, pixels, {g.first + r * g.step, g.step});
  }
  for (; r < rows; r += 4) {  // the padding has rows of its own
    outer_tile<4, V>({dy.first + r, dy.step}, z, pixels, {g.first + r * g.step, g.step});
  }
}

/// g[r][k] += sum_p dy[p][r] z[p][k],  r < rows, k < columns, p < pixels.
HWY_INLINE void outer_product(Rows dy, Rows z, int pixels, MutableRows g, int rows, int columns) {
  int k = 0;
  for (; k + 2 * kLanes <= columns; k += 2 * kLanes) {
    outer_rows<kManyRegisters ? 8 : 4, 2>(dy, {z.first + k, z.step}, pixels, {g.first + k, g.step},
                                          rows);
  }
  for (; k < columns; k += kLanes) {
    outer_rows<kManyRegisters ? 16 : 8, 1>(dy, {z.first + k, z.step}, pixels, {g.first + k, g.step},
                                           rows);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#endif  // PROBEDARTS_KERNELS_MATRIX_INL_HPP_
