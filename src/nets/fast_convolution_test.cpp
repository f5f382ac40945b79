// Fast convolutions against at::conv2d in float64, alone and in whole networks of the zoo.

#include "nets/fast_convolution.hpp"

#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/random.hpp"
#include "nets/composed_executor.hpp"
#include "nets/layer_builder.hpp"
#include "nets/network_state.hpp"
#include "nets/run_layers.hpp"
#include "nets/zoo.hpp"

namespace probedarts::nets {
namespace {

/// Values that float32 holds exactly.
at::Tensor random_tensor(at::IntArrayRef shape, const char* purpose) {
  at::Tensor tensor = at::empty(shape, at::kDouble);
  Stream stream(5, purpose);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<double>()[i] = static_cast<double>(static_cast<float>(stream.normal()));
  }
  return tensor;
}

/// The largest distance, relative to the largest value of b.
double share_apart(const at::Tensor& a, const at::Tensor& b) {
  const double largest = b.abs().max().item<double>();
  return a.to(at::kDouble).sub(b).abs().max().item<double>() / std::max(largest, 1e-30);
}

struct ConvolutionCase {
  std::vector<std::int64_t> images;  // [B, C, H, W]
  int out_channels, kernel, stride, groups;
  bool bias;
};

struct Results {
  at::Tensor y, dx, dw, db;
};

layer::Conv conv_of(const ConvolutionCase& c) {
  layer::Conv conv{};
  conv.bias = c.bias ? std::optional<std::size_t>(1) : std::nullopt;
  conv.in_channels = static_cast<int>(c.images[1]);
  conv.out_channels = c.out_channels;
  conv.kernel = c.kernel;
  conv.stride = c.stride;
  conv.padding = c.kernel / 2;
  conv.dilation = 1;
  conv.groups = c.groups;
  return conv;
}

Results computed(const ConvolutionCase& c, at::ScalarType type, at::MemoryFormat format) {
  const layer::Conv conv = conv_of(c);
  const auto leaf = [&](at::IntArrayRef shape, const char* name) {
    return random_tensor(shape, name).to(type).set_requires_grad(true);
  };
  const at::AutoGradMode record(true);
  const at::Tensor x =
      random_tensor(c.images, "x").to(type).contiguous(format).set_requires_grad(true);
  const at::Tensor w = leaf({c.out_channels, conv.in_channels / c.groups, c.kernel, c.kernel}, "w");
  const at::Tensor b = c.bias ? leaf({c.out_channels}, "b") : at::Tensor();
  const at::Tensor y = type == at::kFloat ? fast_convolution(conv, x, w, b)
                                          : at::conv2d(x, w, b, conv.stride, conv.padding,
                                                       conv.dilation, conv.groups);
  std::vector<at::Tensor> leaves = {x, w};
  if (c.bias) {
    leaves.push_back(b);
  }
  // Contiguous in LibTorch's own order, as no layer would hand it over.
  const at::Tensor seed = random_tensor(y.sizes(), "dy").to(type);
  const auto found = torch::autograd::grad({y}, leaves, {seed});
  return {y, found[0], found[1], c.bias ? found[2] : at::Tensor()};
}

class FastConvolution : public ::testing::TestWithParam<ConvolutionCase> {};

// Sums of at most 5 x 13 x 11 = 715 products, each rounded to 6e-8 of it: 1e-5 leaves room for all
// roundings to one side being a tenth of the worst case.
TEST_P(FastConvolution, EqualsLibTorchs) {
  const ConvolutionCase& c = GetParam();
  const Results expected = computed(c, at::kDouble, at::MemoryFormat::Contiguous);
  for (const auto format : {at::MemoryFormat::ChannelsLast, at::MemoryFormat::Contiguous}) {
    const Results found = computed(c, at::kFloat, format);
    ASSERT_EQ(found.y.sizes(), expected.y.sizes());
    EXPECT_TRUE(found.y.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_LT(share_apart(found.y, expected.y), 1e-5);
    EXPECT_LT(share_apart(found.dx, expected.dx), 1e-5);
    EXPECT_LT(share_apart(found.dw, expected.dw), 1e-5);
    EXPECT_LT(c.bias ? share_apart(found.db, expected.db) : 0.0, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, FastConvolution,
                         ::testing::Values(ConvolutionCase{{5, 24, 13, 11}, 24, 3, 1, 24, false},
                                           ConvolutionCase{{4, 24, 13, 12}, 24, 3, 2, 24, false},
                                           ConvolutionCase{{1, 58, 9, 9}, 58, 5, 2, 58, false},
                                           ConvolutionCase{{3, 16, 1, 1}, 16, 5, 1, 16, false},
                                           ConvolutionCase{{1, 1, 6, 5}, 1, 7, 1, 1, false},
                                           ConvolutionCase{{2, 20, 7, 5}, 12, 1, 1, 1, false},
                                           ConvolutionCase{{2, 20, 7, 5}, 12, 1, 2, 1, false},
                                           ConvolutionCase{{3, 20, 1, 1}, 5, 1, 1, 1, true},
                                           ConvolutionCase{{1, 1, 6, 5}, 3, 1, 1, 1, true}));

TEST(FastConvolution, LeavesTheRestToLibTorch) {
  const at::Tensor x = random_tensor({1, 4, 8, 8}, "x").to(at::kFloat);
  EXPECT_TRUE(has_fast_convolution(conv_of({{1, 4, 8, 8}, 4, 3, 1, 4, false}), x));
  EXPECT_FALSE(has_fast_convolution(conv_of({{1, 4, 8, 8}, 4, 3, 1, 4, true}), x));   // bias
  EXPECT_FALSE(has_fast_convolution(conv_of({{1, 4, 8, 8}, 8, 3, 1, 4, false}), x));  // multiplier
  EXPECT_FALSE(has_fast_convolution(conv_of({{1, 4, 8, 8}, 4, 3, 1, 2, false}), x));
  EXPECT_FALSE(has_fast_convolution(conv_of({{1, 4, 8, 8}, 4, 3, 1, 4, false}), x.to(at::kDouble)));
}

TEST(FastConvolution, GivesTheSameBitsForAnyNumberOfThreads) {
  const ConvolutionCase depthwise{{7, 40, 12, 12}, 40, 3, 1, 40, false};
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Results one = computed(depthwise, at::kFloat, at::MemoryFormat::ChannelsLast);
  at::set_num_threads(3);
  const Results three = computed(depthwise, at::kFloat, at::MemoryFormat::ChannelsLast);
  at::set_num_threads(before);
  EXPECT_TRUE(one.y.equal(three.y));
  EXPECT_TRUE(one.dx.equal(three.dx));
  EXPECT_TRUE(one.dw.equal(three.dw));
}

struct NetworkResults {
  at::Tensor logits, batch, gradient;
};

NetworkResults trained(const LayerGraph& graph, Precision precision, Convolutions convolutions) {
  const NetworkState state = initial_state(graph, precision, 3);
  const at::AutoGradMode record(true);
  at::Tensor weights = state.weights.detach().set_requires_grad(true);
  const at::Tensor images = random_tensor({6, 3, 67, 70}, "images")
                                .to(weights.scalar_type())
                                .contiguous(at::MemoryFormat::ChannelsLast);
  const LayerInputs inputs{
      split_parameters(graph, weights), state.statistics, Mode::kTrain, 1, 0, convolutions};
  const LayerRun run = run_layers(graph, inputs, images);
  const at::Tensor seed = random_tensor(run.logits.sizes(), "gradient").to(weights.scalar_type());
  return {run.logits.detach(), run.batch,
          torch::autograd::grad({run.logits}, {weights}, {seed})[0]};
}

class FastNetwork : public ::testing::TestWithParam<const char*> {};

/// |a - b| / |b|, Euclidean.
double norm_apart(const at::Tensor& a, const at::Tensor& b) {
  return a.to(at::kDouble).sub(b).norm().item<double>() / b.norm().item<double>();
}

// Maps are channels_last, as in training. LibTorch's batch norm then sums in float32, and some of
// the 1e5 rectified values fall on the other side of 0 (or of 6) than in float64, where the
// gradient jumps: with at::conv2d throughout, gradients of these four networks are 3e-6 to 3e-2
// away from float64. A wrong tap moves them by tenths.
TEST_P(FastNetwork, TrainsAsOnLibTorchsConvolutions) {
  const LayerGraph graph = make_zoo_network(GetParam(), 5);
  const NetworkResults truth = trained(graph, Precision::kFloat64, Convolutions::kPlain);
  const NetworkResults fast = trained(graph, Precision::kFloat32, Convolutions::kFast);
  EXPECT_LT(norm_apart(fast.logits, truth.logits), 1e-3);
  EXPECT_LT(norm_apart(fast.batch, truth.batch), 1e-3);
  EXPECT_LT(norm_apart(fast.gradient, truth.gradient), 5e-2);
}

INSTANTIATE_TEST_SUITE_P(Zoo, FastNetwork,
                         ::testing::Values("mobilenet_v2_035", "mobilenet_v3_small",
                                           "shufflenet_v2_x1_0", "mnasnet_small"));

}  // namespace
}  // namespace probedarts::nets
