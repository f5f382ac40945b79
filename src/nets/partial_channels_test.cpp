// Partial channel connections against the paper's own form, edge by edge: shuffle(concat(mixture of
// the first C/K channels, the others)), summed into the node (Xu et al., "PC-DARTS", ICLR 2020,
// sec. 3.2 and the authors' description of the shuffle). Ours sums first and shuffles once.

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros_like.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "nets/choose_executor.hpp"
#include "nets/composed_executor.hpp"

namespace probedarts::nets {
namespace {

at::Tensor normal(at::IntArrayRef shape, const char* purpose) {
  at::Tensor values = at::empty(shape, at::kDouble);
  Stream stream(5, purpose);
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    values.data_ptr<double>()[i] = stream.normal();
  }
  return values;
}

/// A supernet in float64, its alpha far from even, and a few images of odd sides.
struct Scene {
  NetworkLayout layout;
  NetworkState state;
  at::Tensor images = normal({3, 3, 9, 11}, "images");

  Scene(int partial_channels, int cells) : layout(lay_out(spec(partial_channels, cells))) {
    state = initial_state(layout, Precision::kFloat64, 3);
    state.alpha = normal(state.alpha.sizes(), "alpha");
  }

  static space::NetworkSpec spec(int partial_channels, int cells) {
    space::NetworkSpec spec;
    spec.channels = 8;
    spec.cells = cells;
    spec.nodes = 3;
    spec.classes = 4;
    spec.partial_channels = partial_channels;
    return spec;
  }

  at::Tensor logits() const {
    at::Tensor batch = at::zeros_like(state.statistics);
    return composed_logits(layout, split_parameters(layout, state.weights), state.alpha,
                           state.statistics, batch, images, Mode::kTrain)
        .main;
  }
};

at::Tensor normalised(const at::Tensor& x) {
  const at::Tensor centred = x.sub(x.mean({0, 2, 3}, /*keepdim=*/true));
  return centred.div(centred.square().mean({0, 2, 3}, /*keepdim=*/true).add(kNormEpsilon).sqrt());
}

/// Channel g C/K + j goes to j K + g, one by one.
at::Tensor shuffled(const at::Tensor& x, std::int64_t parts) {
  at::Tensor out = at::empty_like(x);
  const std::int64_t width = x.size(1) / parts;
  for (std::int64_t g = 0; g < parts; ++g) {
    for (std::int64_t j = 0; j < width; ++j) {
      out.select(1, j * parts + g).copy_(x.select(1, g * width + j));
    }
  }
  return out;
}

/// Logits of a supernet of one cell (a reduction cell), edge by edge.
at::Tensor edge_by_edge(const Scene& scene) {
  const NetworkLayout& layout = scene.layout;
  const std::vector<at::Tensor> parameters = split_parameters(layout, scene.state.weights);
  const std::int64_t parts = layout.spec.partial_channels;
  const CellUnit& cell = layout.cells.front();
  const at::Tensor stem = normalised(at::conv2d(
      scene.images, parameters[layout.stem.convs[0].parameter], {}, 1, at::IntArrayRef{1}));
  const auto input = [&](const ReluConvNorm& unit) {
    return normalised(at::conv2d(at::relu(stem), parameters[unit.conv.parameter]));
  };
  std::vector<at::Tensor> states = {input(std::get<ReluConvNorm>(cell.input0)), input(cell.input1)};
  const at::Tensor weights = at::softmax(scene.state.alpha, -1).select(0, 1);
  at::Tensor batch = at::zeros_like(scene.state.statistics);
  for (int to = 2; to < 2 + layout.spec.nodes; ++to) {
    at::Tensor sum;
    for (std::size_t e = 0; e < cell.edges.size(); ++e) {
      const EdgeUnit& edge = cell.edges[e];
      if (edge.to != to) {
        continue;
      }
      const at::Tensor& state = states[static_cast<std::size_t>(edge.from)];
      const std::int64_t seen = state.size(1) / parts;
      at::Tensor mixed, rest = state.slice(1, seen);
      for (const CandidateUnit& unit : edge.candidates) {
        const at::Tensor out =
            composed_candidate(layout, unit, parameters, scene.state.statistics, batch,
                               state.slice(1, 0, seen), Mode::kTrain)
                .mul(weights.select(0, static_cast<std::int64_t>(e)).select(0, *unit.slot));
        mixed = mixed.defined() ? mixed.add(out) : out;
      }
      if (edge.stride == 2 && parts > 1) {  // LibTorch pools no map without channels
        rest = at::max_pool2d(rest, 2, 2, 0, 1, /*ceil_mode=*/true);
      }
      const at::Tensor joined = parts == 1 ? mixed : shuffled(at::cat({mixed, rest}, 1), parts);
      sum = sum.defined() ? sum.add(joined) : joined;
    }
    states.push_back(sum);
  }
  const at::Tensor out = at::cat({states[2], states[3], states[4]}, 1);
  return at::linear(out.mean({2, 3}), parameters[layout.classifier_weight],
                    parameters[layout.classifier_bias]);
}

class PartialChannels : public ::testing::TestWithParam<int> {};

TEST_P(PartialChannels, MixTheFirstAndPassTheOthersAsThePaperSays) {
  const Scene scene(GetParam(), 1);
  const at::Tensor expected = edge_by_edge(scene);
  // Sums of some hundred float64 in two orders, through three batch norms.
  EXPECT_LT(scene.logits().sub(expected).abs().max().item<double>(),
            1e-11 * expected.abs().max().item<double>());
}

TEST_P(PartialChannels, MakeCandidatesThatNarrow) {
  const NetworkLayout layout = lay_out(Scene::spec(GetParam(), 3));
  for (const CellUnit& cell : layout.cells) {
    const int channels = cell.plan.channels / GetParam();
    EXPECT_EQ(cell.input1.conv.out_channels, cell.plan.channels);
    for (const EdgeUnit& edge : cell.edges) {
      for (const CandidateUnit& unit : edge.candidates) {
        for (const SeparableBlock& block : unit.blocks) {
          const auto& shape = layout.parameters[block.pointwise.parameter].shape;
          EXPECT_EQ(shape, (std::vector<std::int64_t>{channels, channels, 1, 1}));
          EXPECT_EQ(layout.parameters[block.depthwise.parameter].shape[0], channels);
          EXPECT_EQ(layout.norms[block.norm.norm].channels, channels);
        }
        if (unit.reduce) {
          EXPECT_EQ(layout.parameters[unit.reduce->even.parameter].shape,
                    (std::vector<std::int64_t>{channels / 2, channels, 1, 1}));
        }
        if (unit.pool_norm) {
          EXPECT_EQ(layout.norms[unit.pool_norm->norm].channels, channels);
        }
      }
    }
  }
}

TEST_P(PartialChannels, HaveTheGradientOfFiniteDifferences) {
  Scene scene(GetParam(), 3);
  const auto executor = make_composed_executor(scene.layout);
  const at::Tensor seed = normal({3, 4}, "seed");
  NetworkState copy = scene.state.clone();
  executor->forward(copy, scene.images, {Mode::kTrain, Wanted::kBoth});
  const Gradients gradients = executor->backward({seed, {}});
  const at::Tensor along_w = normal(scene.state.weights.sizes(), "along w");
  const at::Tensor along_alpha = normal(scene.state.alpha.sizes(), "along alpha");
  const auto moved = [&](double step) {
    NetworkState at = scene.state.clone();
    at.weights.add_(along_w, step);
    at.alpha.add_(along_alpha, step);
    return executor->forward(at, scene.images, {Mode::kTrain}).main.mul(seed).sum().item<double>();
  };
  constexpr double kStep = 1e-7;  // crosses no kink of ReLU or max-pooling here
  const double slope = (moved(kStep) - moved(-kStep)) / (2.0 * kStep);
  const double expected = gradients.weights.mul(along_w).sum().item<double>() +
                          gradients.alpha.mul(along_alpha).sum().item<double>();
  // Rounding of 1e-15 over the step; truncation is of the order of the step squared.
  EXPECT_NEAR(slope, expected, 1e-6 * std::max(1.0, std::abs(expected)));
}

TEST_P(PartialChannels, AreTheSameWithGroupedConvolutions) {
  const Scene scene(GetParam(), 3);
  at::Tensor batch = at::zeros_like(scene.state.statistics);
  const at::Tensor grouped =
      composed_logits(scene.layout, split_parameters(scene.layout, scene.state.weights),
                      scene.state.alpha, scene.state.statistics, batch, scene.images, Mode::kTrain,
                      nullptr, Grouping::kAlways)
          .main;
  EXPECT_LT(scene.logits().sub(grouped).abs().max().item<double>(), 1e-10);
}

INSTANTIATE_TEST_SUITE_P(K, PartialChannels, ::testing::Values(1, 2, 4));

TEST(PartialChannelsOff, AreTheSupernetThatWasThereBefore) {
  space::NetworkSpec untouched = Scene::spec(1, 3);
  untouched.partial_channels = space::NetworkSpec{}.partial_channels;
  const NetworkLayout before = lay_out(untouched);
  const NetworkLayout off = lay_out(Scene::spec(1, 3));
  ASSERT_EQ(before.parameters.size(), off.parameters.size());
  for (std::size_t i = 0; i < off.parameters.size(); ++i) {
    EXPECT_EQ(before.parameters[i].name, off.parameters[i].name);
    EXPECT_EQ(before.parameters[i].shape, off.parameters[i].shape);
  }
  const NetworkLayout half = lay_out(Scene::spec(2, 3));
  EXPECT_EQ(half.parameters.size(), off.parameters.size());
  EXPECT_LT(half.weight_count, off.weight_count);
}

TEST(PartialChannelsExecutor, IsTheComposedOne) {
  const NetworkLayout layout = lay_out(Scene::spec(2, 1));
  EXPECT_EQ(make_executor(layout, "auto", Precision::kFloat32, 1).name, "composed");
  EXPECT_EQ(make_executor(lay_out(Scene::spec(1, 1)), "auto", Precision::kFloat32, 1).name,
            "fused");
  try {
    make_executor(layout, "fused", Precision::kFloat32, 1);
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()),
              "--executor fused: does not run partial channel connections; use --executor composed "
              "or auto");
  }
}

}  // namespace
}  // namespace probedarts::nets
