#include "explain/grad_cam.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "explain/choose_layer.hpp"
#include "nets/composed_executor.hpp"
#include "nets/layer_builder.hpp"
#include "nets/run_layers.hpp"
#include "nets/zoo.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::explain {
namespace {

using testing::sentence_of;

at::Tensor random_image(int height, int width) {
  at::Tensor image = at::empty({1, 3, height, width}, at::kDouble);
  Stream stream(3, "image");
  for (std::int64_t i = 0; i < image.numel(); ++i) {
    image.data_ptr<double>()[i] = stream.normal();
  }
  return image;
}

/// Two convolutions with a ReLU between, then a mean and a linear layer: small enough to compute
/// the gradient by hand.
nets::LayerGraph small_network() {
  nets::LayerBuilder net("small", 3);
  std::size_t x = net.conv("a", net.input(), {4, 3});
  x = net.activation("relu", x, nets::layer::Activation::Kind::kRelu);
  x = net.conv("b", x, {5, 3, 2});
  x = net.global_pool("pool", x, false);
  net.linear("fc", x, 3, true);
  return net.take();
}

std::vector<double> doubles(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous().to(at::kDouble);
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

/// At "b" the gradient of logit c is row c of fc over the number of places, so the map is
/// sum_k fc[c, k] b_k / places by either method.
TEST(ClassActivation, IsTheWeighedSumOfTheLastMaps) {
  const nets::LayerGraph graph = small_network();
  const nets::NetworkState state = nets::initial_state(graph, nets::Precision::kFloat64, 1);
  const at::Tensor image = random_image(9, 6);
  const std::size_t layer = layer_to_explain(graph, "b", 9);
  const std::optional<int> classes[] = {0, 2};
  const CamResult plain =
      class_activation(graph, state, image, layer, classes, CamMethod::kGradCam);
  const CamResult fine =
      class_activation(graph, state, image, layer, classes, CamMethod::kHiResCam);
  const at::NoGradGuard no_graph;
  const auto parameters = nets::split_parameters(graph, state.weights);
  const nets::LayerRun run =
      nets::run_layers(graph, {parameters, state.statistics}, image, {layer});
  const at::Tensor maps = run.activations[0];
  ASSERT_EQ(maps.sizes(), at::IntArrayRef({1, 5, 5, 3}));
  for (std::size_t i = 0; i < 2; ++i) {
    const at::Tensor row = parameters[nets::parameter_named(graph, "fc.weight").value()]
                               .select(0, *classes[i])
                               .view({1, 5, 1, 1});
    const std::vector<double> wanted = doubles(row.mul(maps).sum(1).div(15.0));
    ASSERT_EQ(plain.raw[i].values.size(), 15U);
    EXPECT_EQ(plain.raw[i].height, 5);
    EXPECT_EQ(plain.raw[i].width, 3);
    for (std::size_t k = 0; k < 15; ++k) {  // computed in double, kept in float
      EXPECT_NEAR(plain.raw[i].values[k], wanted[k], 1e-7);
      EXPECT_NEAR(fine.raw[i].values[k], wanted[k], 1e-7);
    }
  }
}

/// The mean of the Grad-CAM weights is what a uniform shift of a map does to the logit: checked at
/// "a", behind which the network is not linear, by finite differences over the bias-free ReLU.
TEST(ClassActivation, AgreesWithFiniteDifferencesBeforeANonlinearity) {
  const nets::LayerGraph graph = small_network();
  nets::NetworkState state = nets::initial_state(graph, nets::Precision::kFloat64, 2);
  const at::Tensor image = random_image(7, 7);
  const std::size_t layer = layer_to_explain(graph, "a", 7);
  const std::optional<int> classes[] = {1};
  const CamResult fine =
      class_activation(graph, state, image, layer, classes, CamMethod::kHiResCam);
  // Scaling all maps by 1 + e changes the logit by e * sum_{k, places} dY/dA * A, which is the sum
  // of HiResCAM. The convolution has no bias, so scaling its weight scales its maps.
  double sum = 0.0;
  for (const float value : fine.raw[0].values) {
    sum += value;
  }
  const auto logit_at = [&](double factor) {
    nets::NetworkState scaled = state.clone();
    const auto weight = nets::parameter_named(graph, "a.weight").value();
    const at::NoGradGuard no_graph;
    nets::parameter_view(scaled, graph.parameters[weight]).mul_(factor);
    return nets::run_layers(
               graph, {nets::split_parameters(graph, scaled.weights), scaled.statistics}, image)
        .logits.select(1, 1)
        .item<double>();
  };
  constexpr double kStep = 1e-6;
  // Piecewise linear in the factor without a kink at 1, so the quotient is exact up to rounding;
  // the maps are kept in float32: 49 values of about 1e-2.
  EXPECT_NEAR((logit_at(1.0 + kStep) - logit_at(1.0 - kStep)) / (2 * kStep), sum, 1e-6);
}

/// Behind the ReLU, where the method's derivation holds, and before it, where maps are negative.
TEST(ClassActivation, ComputesGradCamPlusPlusAsItsEquations) {
  const nets::LayerGraph graph = small_network();
  const nets::NetworkState state = nets::initial_state(graph, nets::Precision::kFloat64, 4);
  const at::Tensor image = random_image(7, 6);
  const std::optional<int> classes[] = {2};
  for (const char* name : {"relu", "a"}) {
    const std::size_t layer = layer_to_explain(graph, name, 7);
    const CamResult found =
        class_activation(graph, state, image, layer, classes, CamMethod::kGradCamPlusPlus);
    const at::AutoGradMode record(true);
    const nets::LayerRun run = nets::run_layers(
        graph, {nets::split_parameters(graph, state.weights), state.statistics}, image, {layer});
    const std::vector<double> maps = doubles(run.activations[0].detach());
    const std::vector<double> g =
        doubles(torch::autograd::grad({run.logits.select(1, 2).sum()}, {run.activations[0]})[0]);
    constexpr std::size_t kPlaces = 7 * 6;
    std::vector<double> wanted(kPlaces);
    for (std::size_t k = 0; k < maps.size(); k += kPlaces) {  // one map after the other
      double mass = 0.0;
      double weight = 0.0;
      for (std::size_t i = k; i < k + kPlaces; ++i) {
        mass += maps[i];
      }
      for (std::size_t i = k; i < k + kPlaces; ++i) {
        const double below = 2 * g[i] * g[i] + mass * g[i] * g[i] * g[i];
        weight += below == 0.0 ? 0.0 : g[i] * g[i] / below * std::max(g[i], 0.0);
      }
      for (std::size_t i = 0; i < kPlaces; ++i) {
        wanted[i] += weight * maps[k + i];
      }
    }
    ASSERT_EQ(found.raw[0].values.size(), kPlaces);
    for (std::size_t i = 0; i < kPlaces; ++i) {  // computed in double, kept in float
      EXPECT_NEAR(found.raw[0].values[i], wanted[i], 1e-6 * (1.0 + std::abs(wanted[i]))) << name;
    }
  }
}

TEST(ClassActivation, GivesMapsWithoutGradientNoWeightInGradCamPlusPlus) {
  const nets::LayerGraph graph = small_network();
  nets::NetworkState state = nets::initial_state(graph, nets::Precision::kFloat64, 4);
  const auto weight = nets::parameter_named(graph, "fc.weight").value();
  nets::parameter_view(state, graph.parameters[weight]).zero_();
  const std::optional<int> classes[] = {1};
  const CamResult found =
      class_activation(graph, state, random_image(7, 6), 1, classes, CamMethod::kGradCamPlusPlus);
  EXPECT_EQ(found.raw[0].values, std::vector<float>(found.raw[0].values.size(), 0.0F));
}

TEST(ClassActivation, TakesTheFirstAnswerWhereNoClassIsNamed) {
  const nets::LayerGraph graph = small_network();
  const nets::NetworkState state = nets::initial_state(graph, nets::Precision::kFloat64, 3);
  const std::optional<int> top[] = {std::nullopt};
  const CamResult result =
      class_activation(graph, state, random_image(8, 8), 1, top, CamMethod::kGradCam);
  const auto most = std::max_element(result.logits.begin(), result.logits.end());
  ASSERT_EQ(result.classes.size(), 1U);
  EXPECT_EQ(result.classes[0], most - result.logits.begin());
}

TEST(ClassActivation, WorksWhereTheCallerHasAutogradOff) {
  const nets::LayerGraph graph = small_network();
  const nets::NetworkState state = nets::initial_state(graph, nets::Precision::kFloat64, 3);
  const at::NoGradGuard no_graph;
  const std::optional<int> classes[] = {0};
  const auto explained = [&] {
    return class_activation(graph, state, random_image(8, 8), 1, classes, CamMethod::kGradCam);
  };
  EXPECT_EQ(explained().raw[0].values, explained().raw[0].values);
  EXPECT_NE(explained().raw[0].values, std::vector<float>(64, 0.0F));
}

TEST(ClassActivation, ReportsWeightsThatAreNoNumbers) {
  const nets::LayerGraph graph = small_network();
  nets::NetworkState state = nets::initial_state(graph, nets::Precision::kFloat64, 3);
  state.weights.fill_(std::numeric_limits<double>::quiet_NaN());
  const std::optional<int> classes[] = {0};
  EXPECT_THROW(class_activation(graph, state, random_image(8, 8), 1, classes, CamMethod::kGradCam),
               Diverged);
}

class EveryPeer : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryPeer, IsExplainedAtItsLastConvolution) {
  const nets::LayerGraph graph = nets::make_zoo_network(GetParam(), 4);
  const nets::NetworkState state = nets::initial_state(graph, nets::Precision::kFloat64, 1);
  const std::size_t layer = layer_to_explain(graph, "last_conv", 68);
  const std::optional<int> classes[] = {std::nullopt};
  const CamResult result =
      class_activation(graph, state, random_image(68, 68), layer, classes, CamMethod::kGradCam);
  EXPECT_GT(result.raw[0].values.size(), 1U);
  EXPECT_EQ(result.logits.size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(Zoo, EveryPeer,
                         ::testing::Values("resnet18", "senet18", "mobilenet_v2",
                                           "mobilenet_v3_small", "shufflenet_v2_x1_0", "mnasnet_a1",
                                           "darts_4cell"));

TEST(LayerToExplain, NamesTheNearestOfAMisspeltLayer) {
  const nets::LayerGraph graph = nets::make_zoo_network("resnet18", 4);
  EXPECT_EQ(sentence_of([&] { layer_to_explain(graph, "layr4.1", 64); }),
            "--layer: resnet18 has no layer 'layr4.1'; did you mean 'layer4.1'?");
  EXPECT_EQ(sentence_of([&] { layer_to_explain(graph, "lastconv", 64); }),
            "--layer: resnet18 has no layer 'lastconv'; did you mean 'last_conv'?");
}

TEST(LayerToExplain, SaysWhereNamesAreListedWhenNoneIsNear) {
  const nets::LayerGraph graph = nets::make_zoo_network("resnet18", 4);
  EXPECT_EQ(sentence_of([&] { layer_to_explain(graph, "transformer.encoder", 64); }),
            "--layer: resnet18 has no layer 'transformer.encoder'; `probedarts count` lists the "
            "layers, and last_conv is the default");
}

TEST(LayerToExplain, RefusesALayerOfOnePixel) {
  const nets::LayerGraph graph = nets::make_zoo_network("resnet18", 4);
  EXPECT_EQ(sentence_of([&] { layer_to_explain(graph, "fc", 64); }),
            "--layer: 'fc' of resnet18 has a single pixel for images of 64 px, so no heat map; use "
            "an earlier layer or a larger --size");
  EXPECT_EQ(sentence_of([&] { layer_to_explain(graph, "last_conv", 32); }),
            "--layer: 'layer4.1.conv2' of resnet18 has a single pixel for images of 32 px, so no "
            "heat map; use an earlier layer or a larger --size");
}

}  // namespace
}  // namespace probedarts::explain
