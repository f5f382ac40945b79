#include "probe/stable_rank.hpp"

#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "core/errors.hpp"
#include "core/random.hpp"

namespace probedarts::probe {
namespace {

at::Tensor noise(const std::vector<std::int64_t>& shape, std::uint64_t seed, double scale = 1.0) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    count *= extent;
  }
  Stream stream(seed, "stable_rank_test");
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) {
    value = scale * stream.normal();
  }
  return at::from_blob(values.data(), shape, at::kDouble).clone();
}

/// A convolution weight whose first input channel matters most to the first output channel.
at::Tensor structured_weight(const std::vector<std::int64_t>& shape, std::uint64_t seed) {
  at::Tensor weight = noise(shape, seed, 0.05);
  weight.select(0, 0).select(0, 0).add_(3.0);
  return weight;
}

void expect_equal(const SideMetrics& a, const SideMetrics& b) {
  EXPECT_EQ(a.rank, b.rank);
  EXPECT_EQ(a.stable_rank, b.stable_rank);
  EXPECT_EQ(a.condition, b.condition);
}

void expect_equal(const LayerMetrics& a, const LayerMetrics& b) {
  expect_equal(a.in, b.in);
  expect_equal(a.out, b.out);
  EXPECT_EQ(a.failed, b.failed);
}

TEST(ProbeMatrix, OfAConstantHasRankOne) {
  const SideMetrics found = probe_matrix(at::ones({8, 24}));
  EXPECT_EQ(found.rank, 1.0 / 8.0);
  EXPECT_EQ(found.stable_rank, 1.0 / 8.0);
  EXPECT_EQ(found.condition, 1.0);
}

TEST(ProbeMatrix, OfZerosIsZero) { expect_equal(probe_matrix(at::zeros({8, 24})), SideMetrics{}); }

TEST(ProbeMatrix, OfOneRowOneColumnOrOneEntryHasNoRank) {
  expect_equal(probe_matrix(noise({1, 9}, 1)), SideMetrics{});
  expect_equal(probe_matrix(noise({9, 1}, 2)), SideMetrics{});
  expect_equal(probe_matrix(noise({1, 1}, 3)), SideMetrics{});
}

TEST(ProbeMatrix, DividesByTheRowsOfTheMatrixAsGiven) {
  at::Tensor matrix = noise({6, 60}, 4);
  matrix.select(0, 0).add_(5.0);
  const SideMetrics wide = probe_matrix(matrix);
  const SideMetrics tall = probe_matrix(matrix.t());
  EXPECT_GT(wide.rank, 0.0);
  EXPECT_NEAR(wide.rank * 6.0, tall.rank * 60.0, 1e-12);
  EXPECT_NEAR(wide.stable_rank * 6.0, tall.stable_rank * 60.0, 1e-9);
}

TEST(ProbeMatrix, ReportsAnEntryThatIsNotFiniteAsDivergence) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    at::Tensor matrix = noise({8, 24}, 5);
    matrix.select(0, 3).select(0, 7).fill_(bad);
    EXPECT_THROW(probe_matrix(matrix), Diverged);
  }
}

// The commands in docs/probes.md print these.
TEST(ProbeMatrix, GivesTinyNoiseARankAsPublishedAndNoneScaleFree) {
  for (const double variance : {1.0, 1e-4, 1e-6, 1e-8}) {
    const at::Tensor matrix = noise({16, 144}, 6, std::sqrt(variance));
    const double published = probe_matrix(matrix, EvbmfScale::kAsPublished).rank * 16.0;
    const double scale_free = probe_matrix(matrix, EvbmfScale::kScaleFree).rank * 16.0;
    std::printf("noise 16x144 of variance %g: rank %g as published, %g scale-free\n", variance,
                published, scale_free);
    EXPECT_EQ(scale_free, 0.0);
    EXPECT_EQ(published, variance >= 1e-4 ? 0.0 : 2.0);
  }
}

TEST(ProbeLayers, UnfoldsByInputAndByOutput) {
  const at::Tensor weight = structured_weight({12, 5, 3, 3}, 10);
  const auto found = probe_layers({{&weight, false}}, 1);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_GT(found[0].out.rank, 0.0);
  expect_equal(found[0].out, probe_matrix(weight.reshape({12, 45})));
  expect_equal(found[0].in, probe_matrix(weight.permute({1, 0, 2, 3}).reshape({5, 108})));
  EXPECT_EQ(found[0].stable_rank(), 0.5 * (found[0].in.stable_rank + found[0].out.stable_rank));
}

TEST(ProbeLayers, UsesOneDecompositionForBothSidesOfAPointwiseConvolution) {
  const at::Tensor weight = structured_weight({12, 20, 1, 1}, 11);
  const auto found = probe_layers({{&weight, false}}, 1);
  const SideMetrics by_input = probe_matrix(weight.reshape({12, 20}).t());
  EXPECT_GT(found[0].in.rank, 0.0);
  EXPECT_EQ(found[0].in.rank, by_input.rank);
  EXPECT_NEAR(found[0].in.stable_rank, by_input.stable_rank, 1e-9);
  EXPECT_NEAR(found[0].in.condition, by_input.condition, 1e-9);
}

TEST(ProbeLayers, GivesADepthwiseConvolutionTheValuesOfTheNextDenseOne) {
  const at::Tensor depthwise = noise({8, 1, 3, 3}, 12);
  const at::Tensor pointwise = structured_weight({8, 8, 1, 1}, 13);
  const at::Tensor dense = structured_weight({8, 8, 3, 3}, 14);
  const auto found = probe_layers({{&dense, false}, {&depthwise, true}, {&pointwise, false}}, 1);
  expect_equal(found[1], found[2]);
  expect_equal(found[2], probe_layers({{&pointwise, false}}, 1)[0]);
}

TEST(ProbeLayers, ProbesADepthwiseConvolutionThatNothingFollowsOnItsOwn) {
  const at::Tensor dense = structured_weight({8, 8, 3, 3}, 15);
  at::Tensor depthwise = noise({8, 1, 3, 3}, 16, 0.05);
  depthwise.add_(1.0);
  const auto found = probe_layers({{&dense, false}, {&depthwise, true}}, 1);
  expect_equal(found[1].out, probe_matrix(depthwise.reshape({8, 9})));
  EXPECT_GT(found[1].out.rank, 0.0);
}

TEST(ProbeLayers, ReportsAWeightThatIsNotFiniteAsFailedAndProbesTheOthers) {
  const at::Tensor good = structured_weight({6, 6, 3, 3}, 17);
  at::Tensor bad = structured_weight({6, 6, 1, 1}, 18);
  bad.select(0, 2).fill_(std::numeric_limits<double>::infinity());
  const at::Tensor depthwise = noise({6, 1, 3, 3}, 19);
  const auto found = probe_layers({{&good, false}, {&depthwise, true}, {&bad, false}}, 2);
  EXPECT_FALSE(found[0].failed);
  EXPECT_TRUE(found[1].failed);
  EXPECT_TRUE(found[2].failed);
}

TEST(ProbeLayers, DoesNotDependOnTheThreads) {
  std::vector<at::Tensor> weights;
  for (std::uint64_t i = 0; i < 30; ++i) {
    const auto channels = static_cast<std::int64_t>(4 + 5 * (i % 7));
    const std::int64_t kernel = i % 3 == 0 ? 3 : 1;
    weights.push_back(structured_weight({channels, 24, kernel, kernel}, 20 + i));
  }
  std::vector<ProbeTarget> targets;
  for (const at::Tensor& weight : weights) {
    targets.push_back({&weight, false});
  }
  const auto one = probe_layers(targets, 1);
  const auto four = probe_layers(targets, 4);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    expect_equal(one[i], four[i]);
  }
}

TEST(ProbeLayers, LeavesTheThreadsOfOpenBlasAsTheyWere) {
  using Get = int (*)();
  const auto get = reinterpret_cast<Get>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  if (get == nullptr) {
    GTEST_SKIP() << "another BLAS";
  }
  const int before = get();
  const at::Tensor weight = structured_weight({12, 5, 3, 3}, 61);
  probe_layers({{&weight, false}}, 2);
  EXPECT_EQ(get(), before);
}

TEST(ProbeLayers, TakesSinglePrecision) {
  const at::Tensor single = structured_weight({12, 5, 3, 3}, 60).to(at::kFloat);
  const at::Tensor same = single.to(at::kDouble);
  expect_equal(probe_layers({{&single, false}}, 1)[0], probe_layers({{&same, false}}, 1)[0]);
}

TEST(ProbeLayers, OfNothingIsNothing) { EXPECT_TRUE(probe_layers({}, 2).empty()); }

}  // namespace
}  // namespace probedarts::probe
