// The gathered product against plain loops in double precision, on every SIMD target that runs
// here: preprocessing over several maps, the factorised reduce of odd sides, a 3x3 window, and a
// map as it is.

#include "kernels/gathered_pointwise.hpp"

#include <tuple>

#include "kernels/simd_target.hpp"
#include "kernels/test_maps.hpp"

namespace probedarts::kernels {
namespace {

/// Sums of up to a few hundred products of unit size, see separable_block_test.cpp.
constexpr double kProductTolerance = 4e-6;

struct Offset {
  int map, stride, down, right;
};

struct GatherCase {
  std::string name;
  int maps, height, width, channels, out_channels;
  Rectify rectify;
  std::vector<Offset> sources;
};

void PrintTo(const GatherCase& tested, std::ostream* out) { *out << tested.name; }

std::vector<Offset> window(int stride) {
  std::vector<Offset> taps;
  for (int tap = 0; tap < 9; ++tap) {
    taps.push_back({0, stride, tap / 3 - 1, tap % 3 - 1});
  }
  return taps;
}

class GatheredPointwise : public testing::TestWithParam<std::tuple<std::string, GatherCase>> {
 protected:
  ForcedSimdTarget target_{std::get<0>(GetParam())};
  const GatherCase& case_ = std::get<1>(GetParam());
  std::vector<PlainMap> x_, dx_;
  int stride_ = case_.sources.front().stride;
  PlainMap y_{strided_extent(case_.height, stride_), strided_extent(case_.width, stride_),
              case_.out_channels};
  std::vector<double> weights_;  // [source and channel][out]
  std::vector<double> bias_ = random_values(static_cast<std::size_t>(case_.out_channels), "bias");
  GatherShape shape_{};
  std::vector<FloatBuffer> padded_, gradients_;
  std::vector<GatherSource> sources_;
  FloatBuffer scratch_;

  GatheredPointwise() {
    for (int map = 0; map < case_.maps; ++map) {
      const std::string name = std::to_string(map);
      x_.push_back(random_map(case_.height, case_.width, case_.channels, "x" + name));
      dx_.push_back(random_map(case_.height, case_.width, case_.channels, "dx" + name));
      padded_.push_back(padded_map(x_.back()));
      gradients_.push_back(padded_map(dx_.back()));
    }
    for (const Offset& offset : case_.sources) {
      const auto map = static_cast<std::size_t>(offset.map);
      sources_.push_back({padded_[map].data(), gradients_[map].data(), shape_of(x_[map]),
                          offset.stride, offset.down, offset.right});
    }
    const int padded = padded_channels(case_.channels);
    const int count = static_cast<int>(case_.sources.size());
    shape_ = {shape_of(y_), count * case_.channels, case_.rectify,
              padded,       case_.channels,         case_.out_channels};
    weights_ = random_values(static_cast<std::size_t>(count * case_.channels * case_.out_channels),
                             "weights");
    scratch_ = zeros(gather_scratch_floats(shape_));
  }

  /// Calls visit(out y, out x, source, in y, in x) where the source has a pixel.
  template <typename Visit>
  void for_each_pair(const Visit& visit) const {
    for (int oy = 0; oy < y_.height; ++oy) {
      for (int ox = 0; ox < y_.width; ++ox) {
        for (std::size_t s = 0; s < case_.sources.size(); ++s) {
          const Offset& offset = case_.sources[s];
          const int iy = oy * offset.stride + offset.down;
          const int ix = ox * offset.stride + offset.right;
          if (x_[0].holds(iy, ix)) {
            visit(oy, ox, s, iy, ix);
          }
        }
      }
    }
  }
  double input(const PlainMap& map, int y, int x, int c) const {
    const double value = map.at(y, x, c);
    return case_.rectify == Rectify::kYes ? std::max(0.0, value) : value;
  }
  std::size_t weight_place(std::size_t source, int channel, int out) const {
    return (source * static_cast<std::size_t>(case_.channels) + static_cast<std::size_t>(channel)) *
               static_cast<std::size_t>(case_.out_channels) +
           static_cast<std::size_t>(out);
  }
  /// [depth][out], or its transpose, padded.
  FloatBuffer packed_weights(bool transposed) const {
    const int out = shape_.out.channels;
    FloatBuffer packed = zeros(static_cast<std::size_t>(shape_.depth_pitch() * out));
    for (std::size_t s = 0; s < case_.sources.size(); ++s) {
      for (int c = 0; c < case_.channels; ++c) {
        for (int o = 0; o < case_.out_channels; ++o) {
          const int row = static_cast<int>(s) * case_.channels + c;
          packed.data()[transposed ? o * shape_.depth_pitch() + row : row * out + o] =
              static_cast<float>(weights_[weight_place(s, c, o)]);
        }
      }
    }
    return packed;
  }

  /// Adds to `gradients_`. \returns  the gradient of the weights, [out][depth], padded.
  FloatBuffer backward(const PlainMap& dy) {
    const FloatBuffer g = padded_map(dy);
    const auto channels = static_cast<std::size_t>(shape_.out.channels);
    FloatBuffer one = zeros(channels);
    std::fill_n(one.data(), channels, 1.0F);
    const FloatBuffer zero = zeros(channels);
    FloatBuffer packed = zeros(static_cast<std::size_t>(shape_.depth_pitch()) * channels);
    gathered_backward(shape_, sources_, packed_weights(true).data(),
                      {g.data(), g.data(), one.data(), zero.data(), zero.data()}, scratch_.data(),
                      packed.data());
    return packed;
  }
};

TEST_P(GatheredPointwise, ForwardEqualsPlainLoops) {
  for (int oy = 0; oy < y_.height; ++oy) {
    for (int ox = 0; ox < y_.width; ++ox) {
      for (int o = 0; o < case_.out_channels; ++o) {
        y_.at(oy, ox, o) = bias_[static_cast<std::size_t>(o)];
      }
    }
  }
  for_each_pair([&](int oy, int ox, std::size_t s, int iy, int ix) {
    const PlainMap& map = x_[static_cast<std::size_t>(case_.sources[s].map)];
    for (int c = 0; c < case_.channels; ++c) {
      for (int o = 0; o < case_.out_channels; ++o) {
        y_.at(oy, ox, o) += input(map, iy, ix, c) * weights_[weight_place(s, c, o)];
      }
    }
  });
  const FloatBuffer bias = padded_rows(bias_, case_.out_channels);
  FloatBuffer y = zeros(shape_.out.floats());
  gathered_forward(shape_, sources_, packed_weights(false).data(), bias.data(), scratch_.data(),
                   y.data(), nullptr);
  EXPECT_LT(distance(y.data(), y_.values, case_.out_channels), kProductTolerance);
}

TEST_P(GatheredPointwise, BackwardEqualsPlainLoops) {
  const PlainMap dy = random_map(y_.height, y_.width, y_.channels, "dy");
  std::vector<double> gradient(weights_.size());
  for_each_pair([&](int oy, int ox, std::size_t s, int iy, int ix) {
    const auto map = static_cast<std::size_t>(case_.sources[s].map);
    for (int c = 0; c < case_.channels; ++c) {
      double back = 0.0;
      for (int o = 0; o < case_.out_channels; ++o) {
        back += dy.at(oy, ox, o) * weights_[weight_place(s, c, o)];
        gradient[weight_place(s, c, o)] += dy.at(oy, ox, o) * input(x_[map], iy, ix, c);
      }
      const bool passes = case_.rectify == Rectify::kNo || x_[map].at(iy, ix, c) > 0.0;
      dx_[map].at(iy, ix, c) += passes ? back : 0.0;
    }
  });
  const FloatBuffer packed = backward(dy);
  for (std::size_t map = 0; map < x_.size(); ++map) {
    EXPECT_LT(distance(gradients_[map].data(), dx_[map].values, case_.channels), kProductTolerance);
  }
  double largest = 0.0;
  double apart = 0.0;
  for (std::size_t s = 0; s < case_.sources.size(); ++s) {
    for (int c = 0; c < case_.channels; ++c) {
      for (int o = 0; o < case_.out_channels; ++o) {
        const double wanted = gradient[weight_place(s, c, o)];
        const int row = static_cast<int>(s) * case_.channels + c;
        largest = std::max(largest, std::abs(wanted));
        apart = std::max(
            apart,
            std::abs(static_cast<double>(packed.data()[o * shape_.depth_pitch() + row]) - wanted));
      }
    }
  }
  EXPECT_LT(apart, kProductTolerance * largest);
}

TEST_P(GatheredPointwise, MayWriteOverTheGradientsOfWholeSources) {
  const bool whole = std::all_of(case_.sources.begin(), case_.sources.end(), [](const Offset& at) {
    return at.stride == 1 && at.down == 0 && at.right == 0;
  });
  if (!whole) {
    return;
  }
  const PlainMap dy = random_map(y_.height, y_.width, y_.channels, "dy");
  for (FloatBuffer& gradient : gradients_) {
    std::fill_n(gradient.data(), shape_of(x_[0]).floats(), 0.0F);
  }
  backward(dy);
  const std::size_t floats = shape_of(x_[0]).floats();
  std::vector<std::vector<float>> wanted;
  for (std::size_t map = 0; map < x_.size(); ++map) {
    wanted.emplace_back(gradients_[map].data(), gradients_[map].data() + floats);
    std::fill_n(gradients_[map].data(), floats, 3.0F);
    sources_[map].into = Into::kAssign;
  }
  backward(dy);
  for (std::size_t map = 0; map < x_.size(); ++map) {
    EXPECT_TRUE(std::equal(wanted[map].begin(), wanted[map].end(), gradients_[map].data()));
  }
}

TEST_P(GatheredPointwise, GradientsEqualFiniteDifferences) {
  const PlainMap dy = random_map(y_.height, y_.width, y_.channels, "dy");
  const auto loss = [&] {
    double sum = 0.0;
    for_each_pair([&](int oy, int ox, std::size_t s, int iy, int ix) {
      const PlainMap& map = x_[static_cast<std::size_t>(case_.sources[s].map)];
      for (int c = 0; c < case_.channels; ++c) {
        for (int o = 0; o < case_.out_channels; ++o) {
          sum += dy.at(oy, ox, o) * input(map, iy, ix, c) * weights_[weight_place(s, c, o)];
        }
      }
    });
    return sum;
  };
  const FloatBuffer packed = backward(dy);
  // A sum of a few hundred products of unit size in float32, as above; every 97th variable.
  constexpr double kClose = 1e-4;
  constexpr std::size_t kEvery = 97;
  for (std::size_t map = 0; map < x_.size(); ++map) {
    for (std::size_t i = 0; i < x_[map].values.size(); i += kEvery) {
      const auto wide = static_cast<std::size_t>(case_.channels);
      const std::size_t at = i / wide * static_cast<std::size_t>(shape_.source_channels) + i % wide;
      const double added = static_cast<double>(gradients_[map].data()[at]) - dx_[map].values[i];
      EXPECT_NEAR(added, slope_of(loss, x_[map].values[i]), kClose);
    }
  }
  for (std::size_t i = 0; i < weights_.size(); i += kEvery) {
    const std::size_t out = i % static_cast<std::size_t>(case_.out_channels);
    const std::size_t row = i / static_cast<std::size_t>(case_.out_channels);
    EXPECT_NEAR(static_cast<double>(
                    packed.data()[out * static_cast<std::size_t>(shape_.depth_pitch()) + row]),
                slope_of(loss, weights_[i]), kClose);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, GatheredPointwise,
    testing::Combine(
        testing::ValuesIn(simd_targets()),
        testing::Values(GatherCase{"four maps",
                                   4,
                                   6,
                                   7,
                                   36,
                                   36,
                                   Rectify::kYes,
                                   {{0, 1, 0, 0}, {1, 1, 0, 0}, {2, 1, 0, 0}, {3, 1, 0, 0}}},
                        GatherCase{"one pixel", 1, 1, 1, 3, 5, Rectify::kYes, {{0, 1, 0, 0}}},
                        GatherCase{"a map as it is", 1, 5, 9, 27, 18, Rectify::kNo, {{0, 1, 0, 0}}},
                        GatherCase{"reduce of odd sides",
                                   2,
                                   7,
                                   5,
                                   18,
                                   40,
                                   Rectify::kYes,
                                   {{0, 2, 0, 0}, {1, 2, 0, 0}, {0, 2, 1, 1}, {1, 2, 1, 1}}},
                        GatherCase{"window, stride 1", 1, 5, 6, 3, 16, Rectify::kNo, window(1)},
                        GatherCase{"window, stride 2", 1, 9, 8, 8, 48, Rectify::kYes, window(2)},
                        GatherCase{"window, stride 2, one pixel", 1, 1, 1, 8, 72, Rectify::kYes,
                                   window(2)})),
    [](const auto& tested) {
      std::string name = std::get<0>(tested.param) + "_" + std::get<1>(tested.param).name;
      std::replace_if(
          name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
      return name;
    });

}  // namespace
}  // namespace probedarts::kernels
