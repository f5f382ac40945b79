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

/// P rows of y = start + x w, V vectors of columns, and half of one after them where kHalf.
template <int P, int V, bool kHalf>
HWY_INLINE void product_tile(Rows x, Rows w, int depth, const float* start, MutableRows y) {
  [[maybe_unused]] constexpr HalfTag kHalfTag;
  Vector sum[P][std::max(V, 1)];
  [[maybe_unused]] hn::Vec<HalfTag> half[P];
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      sum[p][v] = start != nullptr ? load(start + v * kLanes) : zero();
    }
    if constexpr (kHalf) {
      half[p] = start != nullptr ? hn::Load(kHalfTag, start + V * kLanes) : hn::Zero(kHalfTag);
    }
  }
  const float* row = w.first;
  for (int k = 0; k < depth; ++k, row += w.step) {
    Vector weight[std::max(V, 1)];
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      weight[v] = load(row + v * kLanes);
    }
    HWY_UNROLL(16)
    for (int p = 0; p < P; ++p) {
      const Vector value = broadcast(x.first[p * x.step + k]);
      HWY_UNROLL(4)
      for (int v = 0; v < V; ++v) {
        sum[p][v] = hn::MulAdd(value, weight[v], sum[p][v]);
      }
      if constexpr (kHalf) {
        half[p] = hn::MulAdd(lower_half(value), hn::Load(kHalfTag, row + V * kLanes), half[p]);
      }
    }
  }
  HWY_UNROLL(16)
  for (int p = 0; p < P; ++p) {
    float* to = y.first + p * y.step;
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      store(sum[p][v], to + v * kLanes);
    }
    if constexpr (kHalf) {
      store_whole(kHalfTag, half[p], to + V * kLanes);
    }
  }
}

template <int V, bool kHalf>
HWY_INLINE void product_columns(Rows x, Rows w, int depth, const float* start, MutableRows y,
                                int rows, int o) {
  w.first += o;
  y.first += o;
  start = start != nullptr ? start + o : nullptr;
  constexpr int kTall = kManyRegisters ? (V + (kHalf ? 1 : 0) == 1 ? 16 : 8) : (V == 1 ? 8 : 4);
  int r = 0;
  const auto advance = [&](int by) HWY_ATTR {
    x.first += by * x.step;
    y.first += by * y.step;
    r += by;
  };
  while (rows - r >= kTall) {
    product_tile<kTall, V, kHalf>(x, w, depth, start, y);
    advance(kTall);
  }
  if (kTall > 8 && rows - r >= 8) {
    product_tile<8, V, kHalf>(x, w, depth, start, y);
    advance(8);
  }
  if (kTall > 4 && rows - r >= 4) {
    product_tile<4, V, kHalf>(x, w, depth, start, y);
    advance(4);
  }
  if (rows - r >= 2) {
    product_tile<2, V, kHalf>(x, w, depth, start, y);
    advance(2);
  }
  if (rows - r >= 1) {
    product_tile<1, V, kHalf>(x, w, depth, start, y);
  }
}

/// y[r][o] = start[o] + sum_k x[r][k] w[k][o],  r < rows, o < columns.used, k < depth; zeros in the
/// other columns.
/// \param start  [columns.count] or null; zeros in its padding.
HWY_INLINE void product(Rows x, Rows w, int depth, const float* start, MutableRows y, int rows,
                        Channels columns) {
  const int end = covered(columns.used);
  int o = 0;
  for (const int left = 3 * kLanes; kManyRegisters && end % left == 0 && o < end; o += left) {
    product_columns<3, false>(x, w, depth, start, y, rows, o);
  }
  constexpr int kHalf = kHasHalves ? kLanes / 2 : 0;
  for (; o + 2 * kLanes <= end; o += 2 * kLanes) {
    if (kHasHalves && end - o == 2 * kLanes + kHalf) {
      product_columns<2, kHasHalves>(x, w, depth, start, y, rows, o);
      o = end;
    } else {
      product_columns<2, false>(x, w, depth, start, y, rows, o);
    }
  }
  if (kHasHalves && end - o == kLanes + kHalf) {
    product_columns<1, kHasHalves>(x, w, depth, start, y, rows, o);
  } else if (end - o == kLanes) {
    product_columns<1, false>(x, w, depth, start, y, rows, o);
  } else if (kHasHalves && end - o == kHalf) {
    product_columns<0, kHasHalves>(x, w, depth, start, y, rows, o);
  }
  zero_rest(columns.used, columns.count, rows, y.first, y.step);
}

/// R rows of g += dy' z, V vectors of columns, and half of one after them where kHalf.
template <int R, int V, bool kHalf>
HWY_INLINE void outer_tile(Rows dy, Rows z, int pixels, MutableRows g) {
  [[maybe_unused]] constexpr HalfTag kHalfTag;
  Vector sum[R][std::max(V, 1)];
  [[maybe_unused]] hn::Vec<HalfTag> half[R];
  HWY_UNROLL(16)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      sum[r][v] = load(g.first + r * g.step + v * kLanes);
    }
    if constexpr (kHalf) {
      half[r] = hn::Load(kHalfTag, g.first + r * g.step + V * kLanes);
    }
  }
  for (int p = 0; p < pixels; ++p) {
    const float* right = z.first + p * z.step;
    Vector value[std::max(V, 1)];
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      value[v] = load(right + v * kLanes);
    }
    HWY_UNROLL(16)
    for (int r = 0; r < R; ++r) {
      const Vector left = broadcast(dy.first[p * dy.step + r]);
      HWY_UNROLL(4)
      for (int v = 0; v < V; ++v) {
        sum[r][v] = hn::MulAdd(left, value[v], sum[r][v]);
      }
      if constexpr (kHalf) {
        half[r] = hn::MulAdd(lower_half(left), hn::Load(kHalfTag, right + V * kLanes), half[r]);
      }
    }
  }
  HWY_UNROLL(16)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) {
      store(sum[r][v], g.first + r * g.step + v * kLanes);
    }
    if constexpr (kHalf) {
      hn::Store(half[r], kHalfTag, g.first + r * g.step + V * kLanes);
    }
  }
}

template <int R, int V, bool kHalf>
HWY_INLINE void outer_rows(Rows dy, Rows z, int pixels, MutableRows g, int rows, int k) {
  static_assert(R % 4 == 0 && R <= kChannelBlock, "what is left is rounded up to four rows");
  z.first += k;
  g.first += k;
  int r = 0;
  for (; r + R <= rows; r += R) {
    outer_tile<R, V, kHalf>({dy.first + r, dy.step}, z, pixels, {g.first + r * g.step, g.step});
  }
  for (; r < rows; r += 4) {  // the padding has rows of its own
    outer_tile<4, V, kHalf>({dy.first + r, dy.step}, z, pixels, {g.first + r * g.step, g.step});
  }
}

/// g[r][k] += sum_p dy[p][r] z[p][k],  r < rows, k < used, p < pixels; other columns are left
/// alone.
HWY_INLINE void outer_product(Rows dy, Rows z, int pixels, MutableRows g, int rows, int used) {
  const int end = covered(used);
  constexpr int kHalf = kHasHalves ? kLanes / 2 : 0;
  constexpr int kTall = kManyRegisters ? 16 : 8;
  int k = 0;
  for (; k + 2 * kLanes <= end; k += 2 * kLanes) {
    if (kHasHalves && end - k == 2 * kLanes + kHalf) {
      outer_rows<kTall / 2, 2, kHasHalves>(dy, z, pixels, g, rows, k);
      k = end;
    } else {
      outer_rows<kTall / 2, 2, false>(dy, z, pixels, g, rows, k);
    }
  }
  if (kHasHalves && end - k == kLanes + kHalf) {
    outer_rows<kTall / 2, 1, kHasHalves>(dy, z, pixels, g, rows, k);
  } else if (end - k == kLanes) {
    outer_rows<kTall, 1, false>(dy, z, pixels, g, rows, k);
  } else if (kHasHalves && end - k == kHalf) {
    outer_rows<kTall, 0, kHasHalves>(dy, z, pixels, g, rows, k);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#endif  // PROBEDARTS_KERNELS_MATRIX_INL_HPP_
