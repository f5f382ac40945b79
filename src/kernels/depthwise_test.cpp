// Depthwise convolution against plain loops in double precision, on every SIMD target that runs
// here.

#include "kernels/depthwise.hpp"

#include <tuple>

#include "kernels/simd_target.hpp"
#include "kernels/test_maps.hpp"

namespace probedarts::kernels {
namespace {

constexpr int kImages = 3;

/// Maps without padding and without alignment, as LibTorch may hand them over.
class Depthwise : public testing::TestWithParam<std::tuple<std::string, DepthwiseShape>> {
 protected:
  ForcedSimdTarget target_{std::get<0>(GetParam())};
  DepthwiseShape shape_ = std::get<1>(GetParam());
  int taps_ = shape_.kernel * shape_.kernel;
  std::size_t in_ = floats(shape_.height, shape_.width);
  std::size_t out_ = floats(shape_.out_height(), shape_.out_width());
  std::vector<double> x_ = random_values(in_, "x");
  std::vector<double> dy_ = random_values(out_, "dy");
  std::vector<double> w_ = random_values(floats(taps_, 1) / kImages, "w");
  std::vector<double> y_ = std::vector<double>(out_);
  std::vector<double> dx_ = std::vector<double>(in_);
  std::vector<double> dw_ = std::vector<double>(w_.size());
  FloatBuffer scratch_ = filled(depthwise_scratch_floats(shape_), NAN);

  std::size_t floats(int height, int width) const {
    return static_cast<std::size_t>(kImages) * static_cast<std::size_t>(height) *
           static_cast<std::size_t>(width) * static_cast<std::size_t>(shape_.channels);
  }

  static FloatBuffer filled(std::size_t count, float value) {
    FloatBuffer buffer;
    buffer.reserve(count);
    std::fill_n(buffer.data(), count, value);
    return buffer;
  }

  static std::vector<float> single(const std::vector<double>& values) {
    std::vector<float> narrow(values.size() + 1);  // from the second place on: not aligned
    for (std::size_t i = 0; i < values.size(); ++i) {
      narrow[i + 1] = static_cast<float>(values[i]);
    }
    return narrow;
  }

  std::size_t place(int image, int row, int column, int c, int height, int width) const {
    return static_cast<std::size_t>(((image * height + row) * width + column) * shape_.channels +
                                    c);
  }

  /// visit(place in x, place in y, place in w) for every product of the convolution.
  template <typename Visit>
  void for_each_product(const Visit& visit) const {
    for (int i = 0; i < kImages * shape_.out_height() * shape_.out_width() * shape_.channels; ++i) {
      const int c = i % shape_.channels;
      const int ox = i / shape_.channels % shape_.out_width();
      const int oy = i / shape_.channels / shape_.out_width() % shape_.out_height();
      const int image = i / shape_.channels / shape_.out_width() / shape_.out_height();
      for (int t = 0; t < taps_; ++t) {
        const int iy = oy * shape_.stride + t / shape_.kernel - shape_.padding;
        const int ix = ox * shape_.stride + t % shape_.kernel - shape_.padding;
        if (iy >= 0 && ix >= 0 && iy < shape_.height && ix < shape_.width) {
          visit(place(image, iy, ix, c, shape_.height, shape_.width), static_cast<std::size_t>(i),
                static_cast<std::size_t>(c * taps_ + t));
        }
      }
    }
  }
};

/// Largest distance relative to the largest reference value. The places that no block wrote hold
/// NaN.
double apart(const std::vector<float>& found, const std::vector<double>& expected) {
  double largest = 1e-30;
  double distance = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(found[i + 1]) - expected[i]);
    distance = std::isnan(error) ? INFINITY : std::max(distance, error);
    largest = std::max(largest, std::abs(expected[i]));
  }
  return distance / largest;
}

TEST_P(Depthwise, ForwardEqualsPlainLoops) {
  for_each_product([&](std::size_t x, std::size_t y, std::size_t w) { y_[y] += w_[w] * x_[x]; });
  const std::vector<float> x = single(x_);
  const std::vector<float> w = single(w_);
  std::vector<float> y(out_ + 1, NAN);
  for (int block = 0; block < shape_.blocks(); ++block) {
    depthwise_forward(shape_, block, kImages, w.data() + 1, scratch_.data(), x.data() + 1,
                      y.data() + 1);
  }
  EXPECT_LT(apart(y, y_), 2e-6);  // at most 49 additions of roundings of 6e-8, most far smaller
}

TEST_P(Depthwise, GradientsEqualPlainLoops) {
  for_each_product([&](std::size_t x, std::size_t y, std::size_t w) {
    dx_[x] += w_[w] * dy_[y];
    dw_[w] += x_[x] * dy_[y];
  });
  const std::vector<float> x = single(x_);
  const std::vector<float> w = single(w_);
  const std::vector<float> dy = single(dy_);
  std::vector<float> dx(in_ + 1, NAN);
  std::vector<float> dw(w_.size() + 1, NAN);
  for (int block = 0; block < shape_.blocks(); ++block) {
    depthwise_backward(shape_, block, kImages, w.data() + 1, scratch_.data(), x.data() + 1,
                       dy.data() + 1, dx.data() + 1, dw.data() + 1);
  }
  EXPECT_LT(apart(dx, dx_), 2e-6);
  EXPECT_LT(apart(dw, dw_), 1e-5);  // sums of up to 3 x 17 x 16 products
}

TEST_P(Depthwise, GivesEitherGradientAlone) {
  const std::vector<float> x = single(x_);
  const std::vector<float> w = single(w_);
  const std::vector<float> dy = single(dy_);
  std::vector<float> dx(in_), only_dx(in_), dw(w_.size()), only_dw(w_.size());
  for (int block = 0; block < shape_.blocks(); ++block) {
    const auto run = [&](float* to_x, float* to_w) {
      depthwise_backward(shape_, block, kImages, w.data() + 1, scratch_.data(), x.data() + 1,
                         dy.data() + 1, to_x, to_w);
    };
    run(dx.data(), dw.data());
    run(only_dx.data(), nullptr);
    run(nullptr, only_dw.data());
  }
  EXPECT_EQ(dx, only_dx);
  EXPECT_EQ(dw, only_dw);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Depthwise,
    testing::Combine(
        testing::ValuesIn(simd_targets()),
        testing::Values(DepthwiseShape{1, 1, 3, 3, 1, 1}, DepthwiseShape{1, 1, 16, 5, 2, 2},
                        DepthwiseShape{2, 3, 1, 7, 1, 3}, DepthwiseShape{17, 16, 24, 3, 1, 1},
                        DepthwiseShape{17, 16, 24, 3, 2, 1}, DepthwiseShape{8, 9, 58, 5, 1, 2},
                        DepthwiseShape{9, 8, 40, 5, 2, 2}, DepthwiseShape{10, 7, 18, 7, 2, 3},
                        DepthwiseShape{7, 11, 32, 3, 3, 1}, DepthwiseShape{6, 8, 17, 3, 1, 0},
                        DepthwiseShape{5, 6, 16, 3, 2, 2})));

}  // namespace
}  // namespace probedarts::kernels
