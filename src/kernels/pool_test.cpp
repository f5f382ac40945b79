// Pools against plain loops in double precision, on every SIMD target that runs here.

#include "kernels/pool.hpp"

#include <limits>
#include <tuple>

#include "kernels/simd_target.hpp"
#include "kernels/test_maps.hpp"

namespace probedarts::kernels {
namespace {

struct PoolCase {
  int height, width, channels, stride;
};

struct Window {
  int top, bottom, left, right;
};

Window window_of(const PoolCase& s, int oy, int ox) {
  return {std::max(oy * s.stride - 1, 0), std::min(oy * s.stride + 2, s.height),
          std::max(ox * s.stride - 1, 0), std::min(ox * s.stride + 2, s.width)};
}

class Pool : public testing::TestWithParam<std::tuple<std::string, PoolCase>> {
 protected:
  ForcedSimdTarget target_{std::get<0>(GetParam())};
  PoolCase case_ = std::get<1>(GetParam());
  PlainMap x_ = random_map(case_.height, case_.width, case_.channels, "x");
  PlainMap y_{strided_extent(case_.height, case_.stride), strided_extent(case_.width, case_.stride),
              case_.channels};
  PlainMap dy_ = random_map(y_.height, y_.width, y_.channels, "dy");
  PlainMap dx_ = random_map(case_.height, case_.width, case_.channels, "dx");  // is added to
  PoolShape shape_{shape_of(x_), shape_of(y_), case_.stride};

  template <typename Visit>
  void for_each_window(const Visit& visit) {
    for (int oy = 0; oy < y_.height; ++oy) {
      for (int ox = 0; ox < y_.width; ++ox) {
        for (int c = 0; c < y_.channels; ++c) {
          visit(window_of(case_, oy, ox), oy, ox, c);
        }
      }
    }
  }
};

TEST_P(Pool, MaximumAndItsGradientEqualPlainLoops) {
  FloatBuffer dx = padded_map(dx_);
  for_each_window([&](const Window& window, int oy, int ox, int c) {
    double best = -std::numeric_limits<double>::infinity();
    int best_y = 0;
    int best_x = 0;
    for (int iy = window.top; iy < window.bottom; ++iy) {
      for (int ix = window.left; ix < window.right; ++ix) {
        if (x_.at(iy, ix, c) > best) {
          best = x_.at(iy, ix, c);
          best_y = iy;
          best_x = ix;
        }
      }
    }
    y_.at(oy, ox, c) = best;
    dx_.at(best_y, best_x, c) += dy_.at(oy, ox, c);
  });
  const FloatBuffer x = padded_map(x_);
  const FloatBuffer dy = padded_map(dy_);
  FloatBuffer y = zeros(shape_.out.floats());
  max_pool(shape_, x.data(), y.data(), nullptr);
  EXPECT_EQ(distance(y.data(), y_.values, y_.channels), 0.0);  // a maximum rounds nothing
  max_pool_backward(shape_, x.data(), y.data(), dy.data(), dx.data());
  EXPECT_LT(distance(dx.data(), dx_.values, dx_.channels), 1e-6);  // at most ten additions
}

TEST_P(Pool, AverageAndItsGradientEqualPlainLoops) {
  FloatBuffer dx = padded_map(dx_);
  for_each_window([&](const Window& window, int oy, int ox, int c) {
    const double share = 1.0 / ((window.bottom - window.top) *
                                (window.right - window.left));  // padding is not counted
    for (int iy = window.top; iy < window.bottom; ++iy) {
      for (int ix = window.left; ix < window.right; ++ix) {
        y_.at(oy, ox, c) += share * x_.at(iy, ix, c);
        dx_.at(iy, ix, c) += share * dy_.at(oy, ox, c);
      }
    }
  });
  const FloatBuffer x = padded_map(x_);
  const FloatBuffer dy = padded_map(dy_);
  FloatBuffer y = zeros(shape_.out.floats());
  average_pool(shape_, x.data(), y.data(), nullptr);
  EXPECT_LT(distance(y.data(), y_.values, y_.channels), 1e-6);
  average_pool_backward(shape_, dy.data(), dx.data());
  EXPECT_LT(distance(dx.data(), dx_.values, dx_.channels), 1e-6);
}

TEST_P(Pool, GradientsEqualFiniteDifferences) {
  const auto loss = [&](bool maximum) {
    double sum = 0.0;
    for_each_window([&](const Window& window, int oy, int ox, int c) {
      double best = -std::numeric_limits<double>::infinity();
      double total = 0.0;
      for (int iy = window.top; iy < window.bottom; ++iy) {
        for (int ix = window.left; ix < window.right; ++ix) {
          best = std::max(best, x_.at(iy, ix, c));
          total += x_.at(iy, ix, c);
        }
      }
      const double average = total / ((window.bottom - window.top) * (window.right - window.left));
      sum += dy_.at(oy, ox, c) * (maximum ? best : average);
    });
    return sum;
  };
  const FloatBuffer x = padded_map(x_);
  const FloatBuffer dy = padded_map(dy_);
  FloatBuffer y = zeros(shape_.out.floats());
  FloatBuffer dx_max = zeros(shape_.in.floats());
  FloatBuffer dx_average = zeros(shape_.in.floats());
  max_pool(shape_, x.data(), y.data(), nullptr);
  max_pool_backward(shape_, x.data(), y.data(), dy.data(), dx_max.data());
  average_pool_backward(shape_, dy.data(), dx_average.data());
  const auto wide = static_cast<std::size_t>(case_.channels);
  for (std::size_t i = 0; i < x_.values.size(); i += 7) {
    const std::size_t at = i / wide * static_cast<std::size_t>(shape_.in.channels) + i % wide;
    // At most nine float32 additions of unit size.
    EXPECT_NEAR(static_cast<double>(dx_max.data()[at]),
                slope_of([&] { return loss(true); }, x_.values[i]), 5e-6);
    EXPECT_NEAR(static_cast<double>(dx_average.data()[at]),
                slope_of([&] { return loss(false); }, x_.values[i]), 5e-6);
  }
}

TEST_P(Pool, LeavesTheMomentsOfItsOutput) {
  const FloatBuffer x = padded_map(x_);
  FloatBuffer y = zeros(shape_.out.floats());
  const auto channels = static_cast<std::size_t>(shape_.out.channels);
  FloatBuffer mean = zeros(channels);
  FloatBuffer deviation = zeros(channels);
  std::int64_t count = 0;
  const Moments moments{mean.data(), deviation.data(), &count};
  max_pool(shape_, x.data(), y.data(), &moments);
  ASSERT_EQ(count, static_cast<std::int64_t>(shape_.out.pixels()));
  std::vector<double> expected(static_cast<std::size_t>(case_.channels));
  for (std::size_t p = 0; p < shape_.out.pixels(); ++p) {
    for (std::size_t c = 0; c < expected.size(); ++c) {
      expected[c] += static_cast<double>(y.data()[p * channels + c]) /
                     static_cast<double>(shape_.out.pixels());
    }
  }
  EXPECT_LT(distance(mean.data(), expected, case_.channels), 4e-6);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Pool,
    testing::Combine(testing::ValuesIn(simd_targets()),
                     testing::Values(PoolCase{1, 1, 3, 1}, PoolCase{1, 1, 16, 2},
                                     PoolCase{7, 5, 18, 1}, PoolCase{7, 5, 18, 2},
                                     PoolCase{8, 12, 36, 2}, PoolCase{2, 3, 33, 1},
                                     PoolCase{16, 16, 16, 1}, PoolCase{1, 9, 16, 2},
                                     PoolCase{9, 1, 16, 1}, PoolCase{2, 2, 16, 2})));

TEST(MaxPool, GivesATieToTheFirstPixelInReadingOrder) {
  const MapShape map{1, 3, kChannelBlock};
  FloatBuffer x = zeros(map.floats());
  FloatBuffer y = zeros(map.floats());
  FloatBuffer dx = zeros(map.floats());
  FloatBuffer dy = zeros(map.floats());
  std::fill_n(dy.data(), map.floats(), 1.0F);
  const PoolShape shape{map, map, 1};
  max_pool(shape, x.data(), y.data(), nullptr);
  max_pool_backward(shape, x.data(), y.data(), dy.data(), dx.data());
  EXPECT_EQ(dx.data()[0], 2.0F);  // windows of the first two pixels
  EXPECT_EQ(dx.data()[kChannelBlock], 1.0F);
  EXPECT_EQ(dx.data()[2 * kChannelBlock], 0.0F);
}

class MaxPoolOfNan : public testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(MaxPoolOfNan, IsNanInEveryWindowAroundIt) {
  const ForcedSimdTarget target(std::get<0>(GetParam()));
  const int stride = std::get<1>(GetParam());
  const MapShape in{4, 4, kChannelBlock};
  const MapShape out{strided_extent(in.height, stride), strided_extent(in.width, stride),
                     kChannelBlock};
  for (int at = 0; at < in.height * in.width; ++at) {
    for (const float nan : {NAN, -NAN}) {
      FloatBuffer x = zeros(in.floats());
      std::fill_n(x.data(), in.floats(), -1.0F);
      x.data()[static_cast<std::ptrdiff_t>(at) * kChannelBlock] = nan;
      FloatBuffer y = zeros(out.floats());
      max_pool({in, out, stride}, x.data(), y.data(), nullptr);
      for (int window = 0; window < out.height * out.width; ++window) {
        const int down = at / in.width - window / out.width * stride;
        const int right = at % in.width - window % out.width * stride;
        const float* found = y.data() + static_cast<std::ptrdiff_t>(window) * kChannelBlock;
        EXPECT_EQ(std::isnan(found[0]), std::abs(down) <= 1 && std::abs(right) <= 1)
            << "NaN in pixel " << at << ", window " << window;
        EXPECT_EQ(found[1], -1.0F);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Strides, MaxPoolOfNan,
                         testing::Combine(testing::ValuesIn(simd_targets()),
                                          testing::Values(1, 2)));

}  // namespace
}  // namespace probedarts::kernels
