// The block against plain loops in double precision, on every SIMD target that runs here; the plain
// loops' gradient against finite differences.

#include "kernels/separable_block.hpp"

#include <algorithm>
#include <functional>
#include <tuple>

#include "kernels/simd_target.hpp"
#include "kernels/test_maps.hpp"

namespace probedarts::kernels {
namespace {

/// Sums of up to a few thousand products of unit size, each float32 operation within 6e-8 of its
/// result, relative to the largest value of the tensor.
constexpr double kBlockTolerance = 4e-6;

struct BlockCase {
  int height, width, channels, kernel, dilation, stride;
};

struct PlainBlock {
  BlockCase shape;
  PlainMap x;                     ///< before ReLU
  std::vector<double> depthwise;  ///< [tap][channel]
  std::vector<double> pointwise;  ///< [out][in]
  int out_height() const { return strided_extent(shape.height, shape.stride); }
  int out_width() const { return strided_extent(shape.width, shape.stride); }
};

PlainBlock random_block(const BlockCase& shape) {
  PlainBlock block{shape, random_map(shape.height, shape.width, shape.channels, "x"), {}, {}};
  const auto channels = static_cast<std::size_t>(shape.channels);
  block.depthwise =
      random_values(static_cast<std::size_t>(shape.kernel * shape.kernel) * channels, "depthwise");
  block.pointwise = random_values(channels * channels, "pointwise");
  return block;
}

/// Calls visit(out y, out x, in y, in x, tap) for every pair that a window joins.
void for_each_tap(const PlainBlock& block,
                  const std::function<void(int, int, int, int, int)>& visit) {
  const BlockCase& s = block.shape;
  const int padding = s.dilation * (s.kernel / 2);
  for (int oy = 0; oy < block.out_height(); ++oy) {
    for (int ox = 0; ox < block.out_width(); ++ox) {
      for (int tap = 0; tap < s.kernel * s.kernel; ++tap) {
        const int iy = oy * s.stride + tap / s.kernel * s.dilation - padding;
        const int ix = ox * s.stride + tap % s.kernel * s.dilation - padding;
        if (block.x.holds(iy, ix)) {
          visit(oy, ox, iy, ix, tap);
        }
      }
    }
  }
}

PlainMap depthwise_of(const PlainBlock& block) {
  PlainMap z(block.out_height(), block.out_width(), block.shape.channels);
  for_each_tap(block, [&](int oy, int ox, int iy, int ix, int tap) {
    for (int c = 0; c < z.channels; ++c) {
      z.at(oy, ox, c) += block.depthwise[static_cast<std::size_t>(tap * z.channels + c)] *
                         std::max(0.0, block.x.at(iy, ix, c));
    }
  });
  return z;
}

PlainMap reference_forward(const PlainBlock& block) {
  const PlainMap z = depthwise_of(block);
  PlainMap y(z.height, z.width, z.channels);
  for (int oy = 0; oy < y.height; ++oy) {
    for (int ox = 0; ox < y.width; ++ox) {
      for (int out = 0; out < y.channels; ++out) {
        for (int in = 0; in < y.channels; ++in) {
          y.at(oy, ox, out) +=
              block.pointwise[static_cast<std::size_t>(out * y.channels + in)] * z.at(oy, ox, in);
        }
      }
    }
  }
  return y;
}

struct PlainGradients {
  PlainMap x;  ///< before ReLU's mask: in the rectified input
  std::vector<double> depthwise, pointwise;
};

PlainGradients reference_backward(const PlainBlock& block, const PlainMap& dy) {
  const int channels = block.shape.channels;
  const PlainMap z = depthwise_of(block);
  PlainMap dz(z.height, z.width, channels);
  PlainGradients gradients{PlainMap(block.shape.height, block.shape.width, channels),
                           std::vector<double>(block.depthwise.size()),
                           std::vector<double>(block.pointwise.size())};
  for (int oy = 0; oy < z.height; ++oy) {
    for (int ox = 0; ox < z.width; ++ox) {
      for (int out = 0; out < channels; ++out) {
        for (int in = 0; in < channels; ++in) {
          const auto at = static_cast<std::size_t>(out * channels + in);
          dz.at(oy, ox, in) += block.pointwise[at] * dy.at(oy, ox, out);
          gradients.pointwise[at] += dy.at(oy, ox, out) * z.at(oy, ox, in);
        }
      }
    }
  }
  for_each_tap(block, [&](int oy, int ox, int iy, int ix, int tap) {
    for (int c = 0; c < channels; ++c) {
      const auto at = static_cast<std::size_t>(tap * channels + c);
      gradients.depthwise[at] += dz.at(oy, ox, c) * std::max(0.0, block.x.at(iy, ix, c));
      gradients.x.at(iy, ix, c) += dz.at(oy, ox, c) * block.depthwise[at];
    }
  });
  return gradients;
}

/// A PlainBlock in the kernels' layout.
struct PackedBlock {
  BlockShape shape;
  FloatBuffer x, padded, depthwise, pointwise, transposed, scratch;
  PaddedImage image;

  explicit PackedBlock(const PlainBlock& block) {
    const BlockCase& s = block.shape;
    const int channels = padded_channels(s.channels);
    shape = {{s.height, s.width, channels},
             {block.out_height(), block.out_width(), channels},
             s.kernel,
             s.dilation,
             s.stride,
             s.channels};
    x = padded_map(block.x);
    depthwise = padded_rows(block.depthwise, s.channels);
    pointwise = zeros(static_cast<std::size_t>(channels * channels));
    transposed = zeros(static_cast<std::size_t>(channels * channels));
    for (int out = 0; out < s.channels; ++out) {
      for (int in = 0; in < s.channels; ++in) {
        const auto value =
            static_cast<float>(block.pointwise[static_cast<std::size_t>(out * s.channels + in)]);
        pointwise.data()[out * channels + in] = value;
        transposed.data()[in * channels + out] = value;
      }
    }
    const int border = shape.padding() + 1;  // wider than needed, as when blocks share it
    padded = zeros(padded_floats(shape.in, border));
    std::fill_n(padded.data(), padded_floats(shape.in, border),
                1e30F);  // the border must be cleared
    image = {padded.data(), shape.in, border};
    rectify_padded(x.data(), nullptr, nullptr, image);
    scratch = zeros(block_scratch_floats(shape));
    std::fill_n(scratch.data(), block_scratch_floats(shape), 1e30F);
  }
  BlockWeights weights() const { return {depthwise.data(), pointwise.data(), transposed.data()}; }
};

class SeparableBlock : public testing::TestWithParam<std::tuple<std::string, BlockCase>> {
 protected:
  ForcedSimdTarget target_{std::get<0>(GetParam())};
  PlainBlock block_ = random_block(std::get<1>(GetParam()));
};

TEST_P(SeparableBlock, ForwardEqualsPlainLoops) {
  PackedBlock packed(block_);
  FloatBuffer y = zeros(packed.shape.out.floats());
  block_forward(packed.shape, packed.image, packed.weights(), packed.scratch.data(), y.data(),
                nullptr);
  EXPECT_LT(distance(y.data(), reference_forward(block_).values, block_.shape.channels),
            kBlockTolerance);
}

TEST_P(SeparableBlock, WritingPastTheCachesLeavesTheSameBits) {
  PackedBlock packed(block_);
  const std::size_t floats = packed.shape.out.floats();
  FloatBuffer y = zeros(floats);
  FloatBuffer past = zeros(floats);
  block_forward(packed.shape, packed.image, packed.weights(), packed.scratch.data(), y.data(),
                nullptr, Destination::kCache);
  block_forward(packed.shape, packed.image, packed.weights(), packed.scratch.data(), past.data(),
                nullptr, Destination::kMemory);
  EXPECT_TRUE(std::equal(y.data(), y.data() + floats, past.data()));
}

TEST_P(SeparableBlock, ForwardLeavesTheMomentsOfItsOutput) {
  PackedBlock packed(block_);
  FloatBuffer y = zeros(packed.shape.out.floats());
  const auto channels = static_cast<std::size_t>(packed.shape.out.channels);
  FloatBuffer mean = zeros(channels);
  FloatBuffer deviation = zeros(channels);
  std::int64_t count = 0;
  const Moments moments{mean.data(), deviation.data(), &count};
  block_forward(packed.shape, packed.image, packed.weights(), packed.scratch.data(), y.data(),
                &moments);
  const PlainMap expected = reference_forward(block_);
  const auto pixels = static_cast<double>(expected.height * expected.width);
  ASSERT_EQ(count, expected.height * expected.width);
  std::vector<double> means(static_cast<std::size_t>(expected.channels));
  std::vector<double> deviations(means.size());
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    means[i % means.size()] += expected.values[i] / pixels;
  }
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    deviations[i % means.size()] += std::pow(expected.values[i] - means[i % means.size()], 2);
  }
  EXPECT_LT(distance(mean.data(), means, expected.channels), 2 * kBlockTolerance);
  if (pixels > 1) {
    EXPECT_LT(distance(deviation.data(), deviations, expected.channels), 2 * kBlockTolerance);
  }
}

TEST_P(SeparableBlock, BackwardEqualsPlainLoops) {
  PackedBlock packed(block_);
  const int channels = block_.shape.channels;
  const auto padded = static_cast<std::size_t>(packed.shape.in.channels);
  const PlainMap g = random_map(block_.out_height(), block_.out_width(), channels, "g");
  const PlainMap y = random_map(block_.out_height(), block_.out_width(), channels, "y");
  const std::vector<double> a = random_values(static_cast<std::size_t>(channels), "a");
  const std::vector<double> b = random_values(static_cast<std::size_t>(channels), "b");
  const std::vector<double> c = random_values(static_cast<std::size_t>(channels), "c");
  PlainMap dy = g;
  for (std::size_t i = 0; i < dy.values.size(); ++i) {
    const std::size_t channel = i % static_cast<std::size_t>(channels);
    dy.values[i] = a[channel] * g.values[i] + b[channel] * y.values[i] + c[channel];
  }
  const FloatBuffer g_f = padded_map(g);
  const FloatBuffer y_f = padded_map(y);
  const FloatBuffer a_f = padded_rows(a, channels);
  const FloatBuffer b_f = padded_rows(b, channels);
  const FloatBuffer c_f = padded_rows(c, channels);
  FloatBuffer depthwise =
      zeros(static_cast<std::size_t>(block_.shape.kernel * block_.shape.kernel) * padded);
  FloatBuffer pointwise = zeros(padded * padded);
  FloatBuffer dx = zeros(packed.shape.in.floats());
  block_backward(packed.shape, packed.image, packed.weights(),
                 {g_f.data(), y_f.data(), a_f.data(), b_f.data(), c_f.data()},
                 {depthwise.data(), pointwise.data()}, packed.scratch.data(), Into::kAdd,
                 dx.data());
  const PlainGradients expected = reference_backward(block_, dy);
  EXPECT_LT(distance(dx.data(), expected.x.values, channels), kBlockTolerance);
  EXPECT_LT(distance(depthwise.data(), expected.depthwise, channels), kBlockTolerance);
  EXPECT_LT(distance(pointwise.data(), expected.pointwise, channels), kBlockTolerance);

  FloatBuffer dx_alone = zeros(packed.shape.in.floats());
  block_backward(packed.shape, packed.image, packed.weights(),
                 {g_f.data(), y_f.data(), a_f.data(), b_f.data(), c_f.data()}, {nullptr, nullptr},
                 packed.scratch.data(), Into::kAdd, dx_alone.data());
  EXPECT_TRUE(std::equal(dx.data(), dx.data() + packed.shape.in.floats(), dx_alone.data()));
}

std::string name_of_case(const testing::TestParamInfo<std::tuple<std::string, BlockCase>>& info) {
  const auto& [target, s] = info.param;
  return target + "_" + std::to_string(s.height) + "x" + std::to_string(s.width) + "x" +
         std::to_string(s.channels) + "_k" + std::to_string(s.kernel) + "d" +
         std::to_string(s.dilation) + "s" + std::to_string(s.stride);
}

INSTANTIATE_TEST_SUITE_P(
    Targets, SeparableBlock,
    testing::Combine(testing::ValuesIn(simd_targets()),
                     testing::Values(BlockCase{32, 32, 16, 3, 1, 1}, BlockCase{16, 16, 32, 5, 1, 1},
                                     BlockCase{9, 13, 36, 3, 2, 1}, BlockCase{8, 8, 64, 5, 2, 1},
                                     BlockCase{16, 16, 16, 3, 1, 2}, BlockCase{15, 17, 20, 5, 1, 2},
                                     BlockCase{11, 8, 48, 3, 2, 2}, BlockCase{12, 9, 7, 5, 2, 2},
                                     BlockCase{1, 1, 3, 3, 1, 1}, BlockCase{1, 1, 16, 5, 2, 2},
                                     BlockCase{2, 1, 16, 5, 1, 2}, BlockCase{3, 75, 16, 3, 1, 1},
                                     BlockCase{4, 4, 144, 3, 1, 1})),
    name_of_case);

TEST(BlockReference, GradientEqualsFiniteDifferences) {
  PlainBlock block = random_block({4, 5, 3, 3, 1, 2});
  const PlainMap dy = random_map(block.out_height(), block.out_width(), 3, "dy");
  const PlainGradients gradients = reference_backward(block, dy);
  const auto loss = [&] {
    const PlainMap y = reference_forward(block);
    double sum = 0.0;
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      sum += y.values[i] * dy.values[i];
    }
    return sum;
  };
  const auto expect_slope = [&](double& variable, double expected) {
    EXPECT_NEAR(slope_of(loss, variable), expected, 1e-6);
  };
  for (std::size_t i = 0; i < block.depthwise.size(); ++i) {
    expect_slope(block.depthwise[i], gradients.depthwise[i]);
  }
  for (std::size_t i = 0; i < block.pointwise.size(); ++i) {
    expect_slope(block.pointwise[i], gradients.pointwise[i]);
  }
  for (std::size_t i = 0; i < block.x.values.size(); ++i) {
    expect_slope(block.x.values[i], block.x.values[i] > 0.0 ? gradients.x.values[i] : 0.0);
  }
}

TEST(RectifyPadded, AppliesScaleAndShiftAndLetsNanThrough) {
  FloatBuffer x = zeros(2 * kChannelBlock);
  FloatBuffer scale = zeros(kChannelBlock);
  FloatBuffer shift = zeros(kChannelBlock);
  x.data()[0] = 2.0F;
  x.data()[1] = NAN;
  x.data()[kChannelBlock] = -2.0F;
  scale.data()[0] = 3.0F;
  scale.data()[1] = 1.0F;
  shift.data()[0] = 0.5F;
  const MapShape shape{1, 2, kChannelBlock};
  FloatBuffer padded = zeros(padded_floats(shape, 1));
  const PaddedImage image{padded.data(), shape, 1};
  rectify_padded(x.data(), scale.data(), shift.data(), image);
  EXPECT_EQ(*image.at(0, 0), 6.5F);
  EXPECT_TRUE(std::isnan(image.at(0, 0)[1]));
  EXPECT_EQ(*image.at(0, 1), 0.0F);
}

TEST(MaskAndSum, KeepsWhereTheImageIsPositive) {
  const MapShape shape{1, 2, kChannelBlock};
  FloatBuffer x = zeros(shape.floats());
  x.data()[0] = 1.0F;
  x.data()[kChannelBlock] = -1.0F;
  FloatBuffer padded = zeros(padded_floats(shape, 1));
  const PaddedImage image{padded.data(), shape, 1};
  rectify_padded(x.data(), nullptr, nullptr, image);
  FloatBuffer src = zeros(shape.floats());
  src.data()[0] = 5.0F;
  src.data()[kChannelBlock] = 7.0F;
  FloatBuffer centre = zeros(kChannelBlock);
  centre.data()[0] = 0.25F;
  FloatBuffer du = zeros(shape.floats());
  FloatBuffer sum = zeros(kChannelBlock);
  FloatBuffer product = zeros(kChannelBlock);
  mask_and_sum(image, src.data(), x.data(), centre.data(), du.data(), sum.data(), product.data());
  EXPECT_EQ(du.data()[0], 5.0F);
  EXPECT_EQ(du.data()[kChannelBlock], 0.0F);
  EXPECT_EQ(sum.data()[0], 5.0F);
  EXPECT_EQ(product.data()[0], 5.0F * 0.75F);
  pass_where_positive(image, src.data(), Into::kAdd, du.data());
  EXPECT_EQ(du.data()[0], 10.0F);
  du.data()[kChannelBlock] = 3.0F;
  pass_where_positive(image, src.data(), Into::kAssign, du.data());
  EXPECT_EQ(du.data()[0], 5.0F);
  EXPECT_EQ(du.data()[kChannelBlock], 0.0F);
}

}  // namespace
}  // namespace probedarts::kernels
