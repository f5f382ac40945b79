// Weighted sums and the sums of gradients against plain loops in double precision, on every SIMD
// target that runs here; moments of maps whose mean is far from zero; the thread pool.

#include "kernels/mix.hpp"

#include <atomic>
#include <stdexcept>
#include <tuple>

#include "kernels/moments.hpp"
#include "kernels/simd_target.hpp"
#include "kernels/test_maps.hpp"
#include "kernels/thread_pool.hpp"

namespace probedarts::kernels {
namespace {

struct MixCase {
  int pixels, channels, terms;
};

class Mix : public testing::TestWithParam<std::tuple<std::string, MixCase>> {
 protected:
  ForcedSimdTarget target_{std::get<0>(GetParam())};
  MixCase case_ = std::get<1>(GetParam());
  int padded_ = padded_channels(case_.channels);
  std::size_t floats_ = static_cast<std::size_t>(case_.pixels * padded_);
  std::vector<PlainMap> maps_;
  std::vector<std::vector<double>> scales_;
  std::vector<FloatBuffer> padded_maps_, padded_scales_;
  PlainMap other_ = random_map(1, case_.pixels, case_.channels, "other");

  Mix() {
    for (int t = 0; t < case_.terms; ++t) {
      const std::string name = std::to_string(t);
      maps_.push_back(random_map(1, case_.pixels, case_.channels, "map" + name));
      scales_.push_back(random_values(static_cast<std::size_t>(case_.channels), "scale" + name));
      padded_maps_.push_back(padded_map(maps_.back()));
      padded_scales_.push_back(padded_rows(scales_.back(), case_.channels));
    }
  }
};

TEST_P(Mix, EqualsAPlainWeightedSum) {
  const std::vector<double> shift =
      random_values(static_cast<std::size_t>(case_.channels), "shift");
  const FloatBuffer padded_shift = padded_rows(shift, case_.channels);
  std::vector<MixTerm> terms;
  for (std::size_t t = 0; t < maps_.size(); ++t) {
    terms.push_back({padded_maps_[t].data(), padded_scales_[t].data()});
  }
  PlainMap sum = other_;
  for (std::size_t i = 0; i < sum.values.size(); ++i) {
    const std::size_t c = i % static_cast<std::size_t>(case_.channels);
    sum.values[i] += shift[c];
    for (std::size_t t = 0; t < maps_.size(); ++t) {
      sum.values[i] += scales_[t][c] * maps_[t].values[i];
    }
  }
  FloatBuffer added = padded_map(other_);
  mix(terms, padded_shift.data(), case_.pixels, padded_, Into::kAdd, added.data());
  EXPECT_LT(distance(added.data(), sum.values, case_.channels), 2e-6);
  for (std::size_t i = 0; i < sum.values.size(); ++i) {
    sum.values[i] -= other_.values[i] + shift[i % static_cast<std::size_t>(case_.channels)];
  }
  FloatBuffer assigned = padded_map(other_);
  mix(terms, nullptr, case_.pixels, padded_, Into::kAssign, assigned.data());
  EXPECT_LT(distance(assigned.data(), sum.values, case_.channels), 2e-6);
}

TEST_P(Mix, SumsOfProductsEqualPlainSums) {
  const FloatBuffer gradient = padded_map(other_);
  const auto channels = static_cast<std::size_t>(case_.channels);
  std::vector<FloatBuffer> sums;
  std::vector<ProductTerm> terms;
  for (std::size_t t = 0; t < maps_.size(); ++t) {
    sums.push_back(zeros(static_cast<std::size_t>(padded_)));
    terms.push_back({padded_maps_[t].data(), padded_scales_[t].data(), sums.back().data()});
  }
  FloatBuffer gradient_sum = zeros(static_cast<std::size_t>(padded_));
  sum_products(gradient.data(), terms, case_.pixels, padded_, gradient_sum.data());
  std::vector<double> plain(channels);
  for (std::size_t i = 0; i < other_.values.size(); ++i) {
    plain[i % channels] += other_.values[i];
  }
  // A sum of n values of unit size, in a tree of four and then one after the other: n roundings of
  // 6e-8 against a result of size sqrt(n).
  const double tolerance = 6e-8 * case_.pixels + 2e-6;
  EXPECT_LT(distance(gradient_sum.data(), plain, case_.channels), tolerance);
  for (std::size_t t = 0; t < maps_.size(); ++t) {
    std::fill(plain.begin(), plain.end(), 0.0);
    for (std::size_t i = 0; i < other_.values.size(); ++i) {
      plain[i % channels] += other_.values[i] * (maps_[t].values[i] - scales_[t][i % channels]);
    }
    EXPECT_LT(distance(sums[t].data(), plain, case_.channels), tolerance);
  }
}

TEST_P(Mix, MeansOfChannelsEqualPlainMeans) {
  const FloatBuffer values = padded_map(other_);
  FloatBuffer means = zeros(static_cast<std::size_t>(padded_));
  channel_means(values.data(), case_.pixels, padded_, means.data());
  std::vector<double> plain(static_cast<std::size_t>(case_.channels));
  for (std::size_t i = 0; i < other_.values.size(); ++i) {
    plain[i % plain.size()] += other_.values[i] / case_.pixels;
  }
  EXPECT_LT(distance(means.data(), plain, case_.channels), 6e-8 * case_.pixels + 2e-6);
  FloatBuffer sum = padded_map(other_);
  add_to_pixels(means.data(), case_.pixels, padded_, sum.data());
  for (std::size_t i = 0; i < other_.values.size(); ++i) {
    other_.values[i] += plain[i % plain.size()];
  }
  EXPECT_LT(distance(sum.data(), other_.values, case_.channels), 6e-8 * case_.pixels + 2e-6);
}

TEST_P(Mix, MomentsOfTilesKeepTheirDigitsFarFromZero) {
  constexpr double kFar = 1000.0;
  const PlainMap map = random_map(1, case_.pixels, case_.channels, "far", kFar);
  const FloatBuffer values = padded_map(map);
  FloatBuffer mean = zeros(static_cast<std::size_t>(padded_));
  FloatBuffer deviation = zeros(static_cast<std::size_t>(padded_));
  std::int64_t count = 0;
  for (int first = 0; first < case_.pixels; first += 24) {
    accumulate_moments(values.data() + first * padded_, std::min(24, case_.pixels - first), padded_,
                       {mean.data(), deviation.data(), &count});
  }
  ASSERT_EQ(count, case_.pixels);
  for (int c = 0; c < case_.channels; ++c) {
    double exact = 0.0;
    double squares = 0.0;
    for (int p = 0; p < case_.pixels; ++p) {
      exact += map.at(0, p, c) / case_.pixels;
    }
    for (int p = 0; p < case_.pixels; ++p) {
      squares += std::pow(map.at(0, p, c) - exact, 2);
    }
    EXPECT_NEAR(static_cast<double>(mean.data()[c]), exact, 3e-4);  // float32 steps of 6e-5 there
    EXPECT_NEAR(static_cast<double>(deviation.data()[c]), squares, 1e-3 * squares + 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Mix,
                         testing::Combine(testing::ValuesIn(simd_targets()),
                                          testing::Values(MixCase{1, 3, 1}, MixCase{9, 16, 14},
                                                          MixCase{77, 36, 2}, MixCase{200, 5, 3})));

TEST(ThreadPool, RunsEveryTaskOnceForAnyNumberOfThreads) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (const int tasks : {0, 1, 3, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      pool.run(tasks, [&](int task, int thread) {
        EXPECT_LT(thread, threads);
        ++runs[static_cast<std::size_t>(task)];
      });
      for (const std::atomic<int>& count : runs) {
        EXPECT_EQ(count.load(), 1);
      }
    }
  }
}

TEST(ThreadPool, RethrowsTheFailureOfATaskAndGoesOnWorking) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.run(8,
                        [](int task, int) {
                          if (task == 5) {
                            throw std::runtime_error("task 5");
                          }
                        }),
               std::runtime_error);
  std::atomic<int> runs = 0;
  pool.run(8, [&](int, int) { ++runs; });
  EXPECT_EQ(runs.load(), 8);
}

TEST(MergeMoments, OfPartsAreThoseOfTheWhole) {
  const float means[] = {1.0F, 0.0F, 4.0F};  // the second part is empty
  const float deviations[] = {2.0F, 0.0F, 0.0F};
  const std::int64_t counts[] = {2, 0, 1};
  const ChannelStatistics merged = merge_moments(means, deviations, 1, counts, 1, 3);
  EXPECT_EQ(merged.count, 3);
  EXPECT_DOUBLE_EQ(merged.mean, 2.0);  // values 0, 2, 4
  EXPECT_DOUBLE_EQ(merged.variance, 8.0 / 3.0);
}

}  // namespace
}  // namespace probedarts::kernels
