#include "nets/run_layers.hpp"

#include <gtest/gtest.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "nets/composed_executor.hpp"
#include "nets/layer_builder.hpp"
#include "nets/layout.hpp"
#include "nets/zoo.hpp"

namespace probedarts::nets {
namespace {

at::Tensor layer_input(const std::vector<std::int64_t>& shape, const char* purpose) {
  at::Tensor tensor = at::empty(shape, at::kDouble);
  Stream stream(5, purpose);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<double>()[i] = stream.normal();
  }
  return tensor;
}

double most_apart(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}

/// A random derived network: every kind of primitive turns up, sizes are odd.
NetworkLayout random_layout(std::uint64_t seed, space::Stem stem) {
  Stream stream(seed, "genotype");
  space::NetworkSpec spec;
  spec.stem = stem;
  spec.channels = 4;
  spec.cells = 3;
  spec.nodes = 3;
  spec.classes = 5;
  spec.genotype = space::random_genotype(spec.nodes, stream);
  return lay_out(spec);
}

/// Both executors are exact up to the order of sums, so in float64 1e-10 leaves room for thousands
/// of roundings.
void expect_as_composed(const NetworkLayout& layout, const std::vector<std::int64_t>& shape) {
  const LayerGraph graph = lower(layout);
  const auto layers = make_layer_executor(graph, 1);
  const auto composed = make_composed_executor(layout);
  NetworkState state = initial_state(layout, Precision::kFloat64, 3);
  NetworkState other = state.clone();
  const at::Tensor images = layer_input(shape, "images");
  const ForwardOptions training{Mode::kTrain, Wanted::kWeights};
  const Logits expected = composed->forward(other, images, training);
  const Logits found = layers->forward(state, images, training);
  EXPECT_LE(most_apart(found.main, expected.main), 1e-10);
  EXPECT_LE(most_apart(state.statistics, other.statistics), 1e-10);
  EXPECT_EQ(state.batches_tracked, 1);
  const at::Tensor seed = layer_input({shape[0], 5}, "gradient");
  EXPECT_LE(
      most_apart(layers->backward({seed, {}}).weights, composed->backward({seed, {}}).weights),
      1e-10);
  const ForwardOptions evaluation{Mode::kEvaluate, Wanted::kNothing};
  EXPECT_LE(most_apart(layers->forward(state, images, evaluation).main,
                       composed->forward(other, images, evaluation).main),
            1e-10);
}

class RandomDerived : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomDerived, TrainsAsOnTheComposedExecutor) {
  expect_as_composed(random_layout(GetParam(), space::Stem::kCifar), {2, 3, 17, 13});
  expect_as_composed(random_layout(GetParam(), space::Stem::kPathology), {2, 3, 37, 50});
}

INSTANTIATE_TEST_SUITE_P(LayerExecutor, RandomDerived, ::testing::Range<std::uint64_t>(1, 7));

TEST(RunLayers, HandsOutActivationsThatGradientsCanBeTakenOf) {
  const LayerGraph graph = make_zoo_network("resnet18", 4);
  const NetworkState state = initial_state(graph, Precision::kFloat64, 1);
  const std::vector<at::Tensor> parameters = split_parameters(graph, state.weights);
  const at::Tensor images = layer_input({2, 3, 40, 48}, "images");
  const at::AutoGradMode record(true);
  const LayerRun run = run_layers(graph, {parameters, state.statistics}, images,
                                  {layer_named(graph, "layer4.1").value()});
  ASSERT_EQ(run.activations.size(), 1U);
  const at::Tensor& map = run.activations[0];
  ASSERT_EQ(map.sizes(), at::IntArrayRef({2, 512, 2, 2}));
  const at::Tensor gradient = torch::autograd::grad({run.logits.select(1, 3).sum()}, {map})[0];
  // logits = W mean(map) + b, so the gradient of logit c is row c of W over the number of pixels.
  const at::Tensor row =
      parameters[parameter_named(graph, "fc.weight").value()].select(0, 3).div(4.0);
  EXPECT_LE(most_apart(gradient, row.view({1, 512, 1, 1}).expand({2, 512, 2, 2})), 1e-14);
}

TEST(RunLayers, RecordsNothingWhereAutogradIsOff) {
  const LayerGraph graph = make_zoo_network("mobilenet_v3_small", 2);
  const NetworkState state = initial_state(graph, Precision::kFloat64, 1);
  const at::NoGradGuard no_graph;
  const LayerRun run = run_layers(graph, {split_parameters(graph, state.weights), state.statistics},
                                  layer_input({1, 3, 32, 32}, "images"), {last_convolution(graph)});
  EXPECT_FALSE(run.logits.requires_grad());
  EXPECT_FALSE(run.activations[0].requires_grad());
  EXPECT_FALSE(run.batch.defined());
}

/// Ones through dropout alone.
LayerGraph dropout_only() {
  LayerBuilder net("dropped", 3);
  net.dropout("drop", net.input(), 0.25);
  return net.take();
}

at::Tensor dropped(Mode mode, std::uint64_t seed, std::int64_t pass) {
  const at::Tensor none = at::empty({0}, at::kDouble);
  return run_layers(dropout_only(), {{}, none, mode, seed, pass},
                    at::ones({4, 3, 64, 64}, at::kDouble))
      .logits;
}

TEST(Dropout, KeepsTheMeanAndDropsAtItsRate) {
  const at::Tensor out = dropped(Mode::kTrain, 1, 0);
  // 49152 elements: the rate is known to sqrt(0.25 * 0.75 / 49152) = 0.002; 4 sigma.
  EXPECT_NEAR(out.eq(0.0).to(at::kDouble).mean().item<double>(), 0.25, 0.008);
  EXPECT_EQ(out.max().item<double>(), 1.0 / 0.75);
}

TEST(Dropout, DependsOnSeedAndPassAlone) {
  EXPECT_TRUE(dropped(Mode::kTrain, 1, 7).equal(dropped(Mode::kTrain, 1, 7)));
  EXPECT_FALSE(dropped(Mode::kTrain, 1, 7).equal(dropped(Mode::kTrain, 1, 8)));
  EXPECT_FALSE(dropped(Mode::kTrain, 1, 7).equal(dropped(Mode::kTrain, 2, 7)));
}

TEST(Dropout, DoesNothingInEvaluation) {
  EXPECT_TRUE(dropped(Mode::kEvaluate, 1, 0).eq(1.0).all().item<bool>());
}

TEST(LayerExecutor, RefusesABatchNormOfASingleValue) {
  const LayerGraph graph = make_zoo_network("resnet18", 2);
  NetworkState state = initial_state(graph, Precision::kFloat64, 1);
  try {
    make_layer_executor(graph, 1)->forward(state, layer_input({1, 3, 32, 32}, "images"),
                                           {Mode::kTrain, Wanted::kWeights});
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "resnet18: batch norm 'layer4.0.bn1' sees a single value per channel, which has "
                 "no variance; use a larger batch or larger images");
  }
}

}  // namespace
}  // namespace probedarts::nets
