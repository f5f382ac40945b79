// Against torch's formulas written out in long double, in the order of torch.optim's documentation.
#include "optim/optimizers.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "core/errors.hpp"
#include "core/random.hpp"

namespace probedarts::optim {
namespace {

at::Tensor random_tensor(std::int64_t count, at::ScalarType type, std::uint64_t seed) {
  Stream stream(seed, "optimizers_test");
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) {
    value = stream.normal();
  }
  return at::from_blob(values.data(), {count}, at::kDouble).to(type, false, true);
}

std::vector<long double> exact(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

/// A handful of roundings of numbers of this size.
double tolerance_of(const at::Tensor& tensor, long double size) {
  const double epsilon = tensor.scalar_type() == at::kDouble
                             ? std::numeric_limits<double>::epsilon()
                             : static_cast<double>(std::numeric_limits<float>::epsilon());
  return 8.0 * epsilon * std::max(1.0, static_cast<double>(std::abs(size)));
}

void expect_near(const at::Tensor& found, const std::vector<long double>& expected) {
  const auto values = exact(found);
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(values[i]), static_cast<double>(expected[i]),
                tolerance_of(found, expected[i]))
        << "element " << i;
  }
}

class Optimizers : public ::testing::TestWithParam<at::ScalarType> {};

INSTANTIATE_TEST_SUITE_P(Types, Optimizers, ::testing::Values(at::kFloat, at::kDouble),
                         [](const auto& type) {
                           return type.param == at::kFloat ? "float32" : "float64";
                         });

TEST_P(Optimizers, ClippingReturnsTheNormAndScalesToTheLargestAllowed) {
  at::Tensor gradients = random_tensor(40001, GetParam(), 1);
  const auto before = exact(gradients);
  long double squares = 0.0L;
  for (const long double value : before) {
    squares += value * value;
  }
  const auto norm = static_cast<double>(std::sqrt(squares));
  EXPECT_NEAR(clip_gradient_norm(gradients, 5.0), norm, 1e-12 * norm);
  std::vector<long double> expected;
  for (const long double value : before) {
    expected.push_back(value * (5.0L / (norm + 1e-6)));
  }
  expect_near(gradients, expected);
}

TEST_P(Optimizers, ClippingLeavesAShortGradientAsItIs) {
  at::Tensor gradients = random_tensor(100, GetParam(), 2);
  const at::Tensor before = gradients.clone();
  EXPECT_LT(clip_gradient_norm(gradients, 50.0), 50.0);
  EXPECT_TRUE(at::equal(gradients, before));
}

TEST_P(Optimizers, ClippingReportsAGradientThatIsNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    at::Tensor gradients = random_tensor(20000, GetParam(), 3);
    gradients.slice(0, 17777, 17778).fill_(bad);
    EXPECT_FALSE(std::isfinite(clip_gradient_norm(gradients, 5.0)));
  }
}

TEST_P(Optimizers, SgdFollowsItsFormulaWithARateForEachSegment) {
  const std::int64_t count = 70001;
  const Segments segments{{0, 3, 3, 65000, 65537, count}};
  const std::vector<double> rates = {0.1, 9.0, 0.0, 0.025, 0.175};
  const SgdOptions options{0.9, 3e-4};
  at::Tensor weights = random_tensor(count, GetParam(), 4);
  at::Tensor buffer = random_tensor(count, GetParam(), 5);  // not read in the first step
  auto w = exact(weights);
  std::vector<long double> momentum(w.size(), 0.0L);
  for (std::uint64_t step = 0; step < 3; ++step) {
    at::Tensor gradients = random_tensor(count, GetParam(), 6 + step);
    const auto g = exact(gradients);
    sgd_step(weights, gradients, buffer, step == 0, segments, rates, options);
    for (std::size_t tensor = 0; tensor < segments.count(); ++tensor) {
      for (auto i = static_cast<std::size_t>(segments.offsets[tensor]);
           i < static_cast<std::size_t>(segments.offsets[tensor + 1]); ++i) {
        momentum[i] = 0.9L * momentum[i] + g[i] + 3e-4L * w[i];
        w[i] -= static_cast<long double>(rates[tensor]) * momentum[i];
      }
    }
  }
  expect_near(buffer, momentum);
  expect_near(weights, w);
}

TEST_P(Optimizers, SgdTakesOneRateForAllSegments) {
  const Segments segments{{0, 10, 64, 100}};
  at::Tensor weights = random_tensor(100, GetParam(), 10);
  at::Tensor same = weights.clone();
  at::Tensor gradients = random_tensor(100, GetParam(), 11);
  at::Tensor same_gradients = gradients.clone();
  at::Tensor buffer = at::zeros_like(weights);
  at::Tensor same_buffer = at::zeros_like(weights);
  sgd_step(weights, gradients, buffer, true, segments, std::vector<double>{0.3}, SgdOptions{});
  sgd_step(same, same_gradients, same_buffer, true, segments, std::vector<double>{0.3, 0.3, 0.3},
           SgdOptions{});
  EXPECT_TRUE(at::equal(weights, same));
}

TEST_P(Optimizers, AdamFollowsItsFormula) {
  const AdamOptions options;
  at::Tensor values = random_tensor(14 * 8, GetParam(), 20).reshape({14, 8});
  at::Tensor first = at::zeros_like(values);
  at::Tensor second = at::zeros_like(values);
  auto x = exact(values);
  std::vector<long double> m(x.size(), 0.0L);
  std::vector<long double> v(x.size(), 0.0L);
  std::int64_t step = 0;
  for (int t = 1; t <= 4; ++t) {
    const at::Tensor gradient =
        random_tensor(14 * 8, GetParam(), static_cast<std::uint64_t>(20 + t)).reshape({14, 8});
    const auto g = exact(gradient);
    adam_step(values, gradient, first, second, step, options);
    EXPECT_EQ(step, t);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double decayed = g[i] + 1e-3L * x[i];
      m[i] = 0.5L * m[i] + 0.5L * decayed;
      v[i] = 0.999L * v[i] + 0.001L * decayed * decayed;
      const long double m_hat = m[i] / (1.0L - std::pow(0.5L, t));
      const long double v_hat = v[i] / (1.0L - std::pow(0.999L, t));
      x[i] -= 3e-4L * m_hat / (std::sqrt(v_hat) + 1e-8L);
    }
  }
  expect_near(first.flatten(), m);
  expect_near(second.flatten(), v);
  expect_near(values.flatten(), x);
}

TEST_P(Optimizers, GiveTheSameBitsForAnyThreadCount) {
  const std::int64_t count = 300007;
  const Segments segments{{0, 100000, 100001, count}};
  const std::vector<double> rates = {0.1, 0.2, 0.3};
  const int threads_before = at::get_num_threads();
  std::vector<at::Tensor> results;
  std::vector<double> norms;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    at::Tensor weights = random_tensor(count, GetParam(), 30);
    at::Tensor gradients = random_tensor(count, GetParam(), 31);
    at::Tensor buffer = at::zeros_like(weights);
    norms.push_back(clip_gradient_norm(gradients, 5.0));
    sgd_step(weights, gradients, buffer, true, segments, rates, SgdOptions{});
    results.push_back(weights);
  }
  at::set_num_threads(threads_before);
  EXPECT_EQ(norms[0], norms[1]);
  EXPECT_EQ(norms[0], norms[2]);
  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_TRUE(at::equal(results[0], results[2]));
}

TEST(SgdStep, RefusesSegmentsThatDoNotCoverTheBuffer) {
  at::Tensor weights = at::zeros({10});
  at::Tensor gradients = at::zeros({10});
  at::Tensor buffer = at::zeros({10});
  EXPECT_THROW(sgd_step(weights, gradients, buffer, true, Segments{{0, 9}},
                        std::vector<double>{0.1}, SgdOptions{}),
               Bug);
}

TEST(SgdStep, RefusesAnotherNumberOfRates) {
  at::Tensor weights = at::zeros({10});
  at::Tensor gradients = at::zeros({10});
  at::Tensor buffer = at::zeros({10});
  EXPECT_THROW(sgd_step(weights, gradients, buffer, true, Segments{{0, 4, 6, 10}},
                        std::vector<double>{0.1, 0.2}, SgdOptions{}),
               Bug);
}

TEST(CosineLearningRate, GoesFromTheInitialRateHalfWayDownAtHalfTime) {
  EXPECT_DOUBLE_EQ(cosine_learning_rate(0.025, 0.001, 0, 50), 0.025);
  EXPECT_DOUBLE_EQ(cosine_learning_rate(0.025, 0.001, 25, 50), 0.013);
  EXPECT_DOUBLE_EQ(cosine_learning_rate(0.025, 0.001, 50, 50), 0.001);
}

}  // namespace
}  // namespace probedarts::optim
