#include "nets/zoo.hpp"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>

#include "core/errors.hpp"
#include "nets/count.hpp"
#include "nets/layout.hpp"
#include "nets/network_state.hpp"
#include "nets/run_layers.hpp"
#include "space/published.hpp"

namespace probedarts::nets {
namespace {

/// A row of the paper's Table 7: millions of parameters for 33 (ADP), 10 (BCSS), 4 (BACH) and 3
/// (Osteosarcoma) classes, and 1e9 multiply-accumulates at 272 px, to the two digits printed.
struct PaperRow {
  const char* network;
  const char* parameters[4];
  const char* macs;
};

std::ostream& operator<<(std::ostream& out, const PaperRow& row) { return out << row.network; }

LayerGraph network_of(const std::string& name, int classes) {
  const auto genotype = space::published_genotype(name);
  if (!genotype) {
    return make_zoo_network(name, classes);
  }
  space::NetworkSpec spec = zoo_spec("darts_4cell", classes).value();
  spec.genotype = genotype;
  spec.nodes = genotype->nodes();
  return lower(lay_out(spec));
}

std::string two_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

class PaperTable7 : public ::testing::TestWithParam<PaperRow> {};

TEST_P(PaperTable7, IsMetToTheLastDigit) {
  constexpr int kClasses[] = {33, 10, 4, 3};
  for (int i = 0; i < 4; ++i) {
    const NetworkCount count = count_network(network_of(GetParam().network, kClasses[i]), 272, 272);
    EXPECT_EQ(two_digits(static_cast<double>(count.parameters) / 1e6), GetParam().parameters[i])
        << kClasses[i] << " classes: " << count.parameters;
    EXPECT_EQ(two_digits(static_cast<double>(count.macs_paper) / 1e9), GetParam().macs)
        << kClasses[i] << " classes: " << count.macs_paper;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, PaperTable7,
    ::testing::Values(PaperRow{"resnet18", {"11.19", "11.18", "11.18", "11.18"}, "2.76"},
                      PaperRow{"mobilenet_v2", {"2.27", "2.24", "2.23", "2.23"}, "0.48"},
                      PaperRow{"mobilenet_v2_035", {"0.44", "0.41", "0.40", "0.40"}, "0.10"},
                      PaperRow{"mobilenet_v3_large", {"4.24", "4.21", "4.21", "4.21"}, "0.34"},
                      PaperRow{"mobilenet_v3_small", {"1.55", "1.53", "1.52", "1.52"}, "0.09"},
                      PaperRow{"shufflenet_v2_x1_0", {"1.29", "1.26", "1.26", "1.26"}, "0.23"},
                      PaperRow{"senet18", {"11.28", "11.27", "11.27", "11.27"}, "2.76"},
                      PaperRow{"mnasnet_a1", {"2.65", "2.62", "2.61", "2.61"}, "0.50"},
                      PaperRow{"mnasnet_small", {"0.79", "0.76", "0.75", "0.75"}, "0.11"},
                      PaperRow{"darts_4cell", {"0.49", "0.48", "0.48", "0.48"}, "0.38"},
                      PaperRow{"DARTS_ADP_N4", {"0.38", "0.36", "0.36", "0.36"}, "0.30"},
                      PaperRow{"DARTS_ADP_N3", {"0.31", "0.30", "0.30", "0.30"}, "0.27"},
                      PaperRow{"DARTS_ADP_N2", {"0.24", "0.24", "0.23", "0.23"}, "0.21"}));

/// Parameters for ImageNet's 1000 classes as the libraries publish them: an independent check of
/// the three networks for which there are no reference numbers of our own.
TEST(Zoo, HasThePublishedNumberOfParametersForImageNet) {
  EXPECT_EQ(make_zoo_network("resnet18", 1000).weight_count, 11689512);
  EXPECT_EQ(make_zoo_network("senet18", 1000).weight_count, 11778592);
  EXPECT_EQ(make_zoo_network("mnasnet_a1", 1000).weight_count, 3887038);
  EXPECT_EQ(make_zoo_network("mnasnet_small", 1000).weight_count, 2030264);
  EXPECT_EQ(make_zoo_network("mobilenet_v2", 1000).weight_count, 3504872);
  EXPECT_EQ(make_zoo_network("mobilenet_v3_large", 1000).weight_count, 5483032);
}

class EveryNetwork : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryNetwork, HasOneNameForEachTensorAndLayer) {
  const LayerGraph graph = make_zoo_network(GetParam(), 3);
  std::set<std::string> tensors;
  for (const ParameterInfo& parameter : graph.parameters) {
    EXPECT_TRUE(tensors.insert(parameter.name).second) << parameter.name;
  }
  std::set<std::string> layers;
  for (const Layer& layer : graph.layers) {
    EXPECT_TRUE(layers.insert(layer.name).second) << layer.name;
  }
  EXPECT_EQ(count_network(graph, 64, 64).parameters, graph.weight_count);
}

TEST_P(EveryNetwork, TrainsAndDependsOnEveryWeight) {
  const LayerGraph graph = make_zoo_network(GetParam(), 3);
  NetworkState state = initial_state(graph, Precision::kFloat64, 2);
  const auto executor = make_layer_executor(graph, 1);
  at::Tensor images = initial_state(graph, Precision::kFloat64, 3).weights;
  images = images.narrow(0, 0, std::int64_t{2} * 3 * 50 * 44).view({2, 3, 50, 44});
  const Logits logits = executor->forward(state, images.sub(images.mean()).div(images.std()),
                                          {Mode::kTrain, Wanted::kWeights});
  ASSERT_EQ(logits.main.sizes(), at::IntArrayRef({2, 3}));
  at::Tensor seed = at::ones({2, 3}, at::kDouble);
  seed.select(0, 1).select(0, 0).fill_(-2.0);
  const at::Tensor gradient = executor->backward({seed, {}}).weights;
  ASSERT_TRUE(gradient.isfinite().all().item<bool>());
  for (const ParameterInfo& parameter : graph.parameters) {
    const double size =
        gradient.narrow(0, parameter.offset, parameter.numel).abs().max().item<double>();
    EXPECT_GT(size, 0.0) << parameter.name;
  }
}

TEST_P(EveryNetwork, HasOneClassifierThatOtherClassesReplace) {
  const LayerGraph three = make_zoo_network(GetParam(), 3);
  const LayerGraph seven = make_zoo_network(GetParam(), 7);
  ASSERT_EQ(three.parameters.size(), seven.parameters.size());
  int weights = 0;
  for (std::size_t i = 0; i < three.parameters.size(); ++i) {
    const ParameterInfo& parameter = three.parameters[i];
    const bool classifier =
        parameter.role == Role::kClassifierWeight || parameter.role == Role::kClassifierBias;
    EXPECT_EQ(parameter.shape != seven.parameters[i].shape, classifier) << parameter.name;
    weights += parameter.role == Role::kClassifierWeight ? 1 : 0;
  }
  EXPECT_EQ(weights, 1);
}

INSTANTIATE_TEST_SUITE_P(Zoo, EveryNetwork, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const std::string_view name : zoo_names()) {
                             names.emplace_back(name);
                           }
                           return names;
                         }()),
                         [](const auto& tested) { return tested.param; });

TEST(Zoo, ListsItsNamesWhenAskedForAnother) {
  try {
    make_zoo_network("resnet19", 3);
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "network 'resnet19' is unknown; use one of resnet18, senet18, mobilenet_v2, "
                 "mobilenet_v2_035, mobilenet_v3_large, mobilenet_v3_small, shufflenet_v2_x1_0, "
                 "mnasnet_a1, mnasnet_small, darts_4cell");
  }
}

TEST(Zoo, NeedsAClass) {
  try {
    make_zoo_network("resnet18", 0);
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "classes 0 is below 1: a network needs at least one");
  }
}

}  // namespace
}  // namespace probedarts::nets
