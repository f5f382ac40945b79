#include "nets/count.hpp"

#include <gtest/gtest.h>

#include "nets/layer_builder.hpp"

namespace probedarts::nets {
namespace {

/// 3 -> 4 channels by a 3x3 convolution with bias, BN, ReLU, 2x2 pool, mean, 5 classes.
LayerGraph small_network() {
  LayerBuilder net("small", 5);
  std::size_t x = net.conv("conv", net.input(), {.out_channels = 4, .kernel = 3, .bias = true});
  x = net.activation("relu", net.norm("bn", x), layer::Activation::Kind::kRelu);
  x = net.pool("pool", x, {layer::Pool::Kind::kMax, 2, 2, 0});
  net.linear("fc", net.global_pool("mean", x, false), 5, true);
  return net.take();
}

const LayerCount& counted(const NetworkCount& count, const std::string& name) {
  for (const LayerCount& layer : count.layers) {
    if (layer.name == name) {
      return layer;
    }
  }
  throw std::out_of_range(name);
}

TEST(CountNetwork, CountsMultiplyAccumulatesOfConvolutionsAndLinearLayers) {
  const NetworkCount count = count_network(small_network(), 8, 10);
  EXPECT_EQ(counted(count, "conv").macs, 8 * 10 * 4 * 3 * 9);
  EXPECT_EQ(counted(count, "fc").macs, 4 * 5);
  EXPECT_EQ(count.macs, 8 * 10 * 4 * 3 * 9 + 4 * 5);
  EXPECT_EQ(count.parameters, 4 * 3 * 9 + 4 + 2 * 4 + 4 * 5 + 5);
}

TEST(CountNetwork, AddsBiasNormReluAndPoolsInThePapersCount) {
  const NetworkCount count = count_network(small_network(), 8, 10);
  const std::int64_t map = 4 * 8 * 10;
  EXPECT_EQ(counted(count, "conv").macs_paper - counted(count, "conv").macs, map);
  EXPECT_EQ(counted(count, "bn").macs_paper, 2 * map);
  EXPECT_EQ(counted(count, "relu").macs_paper, map);
  EXPECT_EQ(counted(count, "pool").macs_paper, map);
  EXPECT_EQ(counted(count, "mean").macs_paper, map / 4);
  EXPECT_EQ(counted(count, "fc").macs_paper - counted(count, "fc").macs, 5);
}

TEST(CountNetwork, DoesNotSeeFunctionsInThePapersCount) {
  LayerBuilder net("small", 2);
  net.linear("fc", net.global_pool("mean", net.conv("conv", net.input(), {8}), true), 2, true);
  EXPECT_EQ(counted(count_network(net.take(), 4, 4), "mean").macs_paper, 0);
}

TEST(CountNetwork, KeepsOneMapAliveThroughNormAndActivation) {
  // Image and first map while the convolution runs; BN and ReLU write over that map; then map and
  // pooled map, which are fewer.
  EXPECT_EQ(count_network(small_network(), 8, 8).peak_map_bytes, 4 * (3 * 64 + 4 * 64));
}

TEST(CountNetwork, KeepsAMapAliveUntilItsShortcutIsAdded) {
  LayerBuilder net("residual", 1);
  const std::size_t first = net.conv("a", net.input(), {8});
  const std::size_t second = net.conv("b", first, {8});
  const std::size_t third = net.conv("c", second, {8});
  net.add("sum", third, first);
  // While the sum is written: first, third and the sum, of 8 channels each.
  EXPECT_EQ(count_network(net.take(), 4, 4).peak_map_bytes, 4 * 3 * 8 * 16);
}

TEST(CountNetwork, TellsTheMapsAliveAndTheWeightsOfEveryLayer) {
  const NetworkCount count = count_network(small_network(), 8, 8);
  const std::int64_t image = 4 * 3 * 64;
  const std::int64_t map = 4 * 4 * 64;
  EXPECT_EQ(counted(count, "input").live_map_bytes, image);
  EXPECT_EQ(counted(count, "conv").live_map_bytes, image + map);
  EXPECT_EQ(counted(count, "bn").live_map_bytes, map);
  EXPECT_EQ(counted(count, "pool").live_map_bytes, map + map / 4);
  EXPECT_EQ(counted(count, "fc").live_map_bytes, 4 * (4 + 5));
  EXPECT_EQ(counted(count, "conv").weight_bytes, 4 * (4 * 3 * 9 + 4));
  EXPECT_EQ(counted(count, "bn").weight_bytes, 4 * (2 * 4 + 2 * 4));
  EXPECT_EQ(counted(count, "relu").weight_bytes, 0);
  EXPECT_EQ(counted(count, "fc").weight_bytes, 4 * (4 * 5 + 5));
}

TEST(CountNetwork, KeepsWhatASliceIsAViewOfAlive) {
  LayerBuilder net("sliced", 1);
  const std::size_t whole = net.conv("whole", net.input(), {8});
  const std::size_t half = net.slice("half", whole, 0, 4);
  net.conv("out", half, {2});
  const NetworkCount count = count_network(net.take(), 4, 4);
  EXPECT_EQ(counted(count, "half").live_map_bytes, 4 * 8 * 16);
  EXPECT_EQ(counted(count, "out").live_map_bytes, 4 * (8 + 2) * 16);
}

TEST(CountNetwork, CountsActivationsOfEveryLayerButTheImages) {
  const NetworkCount count = count_network(small_network(), 8, 8);
  EXPECT_EQ(counted(count, "input").activations, 0);
  EXPECT_EQ(count.activations, 3 * 4 * 64 + 4 * 16 + 4 + 5);
  EXPECT_EQ(count.weight_bytes, 4 * (count.parameters + 2 * 4));
}

}  // namespace
}  // namespace probedarts::nets
