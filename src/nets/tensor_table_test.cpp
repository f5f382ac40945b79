#include "nets/tensor_table.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "nets/network_state.hpp"

namespace probedarts::nets {
namespace {

/// A convolution with bias and an affine BN.
TensorTable small_table() {
  TensorTable table;
  const std::vector<std::int64_t> shape = {64, 32, 3, 3};
  table.add_parameter("conv.weight", shape, Role::kConvolution, normal_fan_out(shape));
  table.add_norm("bn", 64, true, 1e-3);
  table.add_parameter("conv.bias", {64}, Role::kBias, uniform_fan_in(shape));
  return table;
}

TEST(TensorTable, PutsTensorsOneBehindTheOther) {
  const TensorTable table = small_table();
  ASSERT_EQ(table.parameters.size(), 4U);
  std::int64_t expected = 0;
  for (const ParameterInfo& parameter : table.parameters) {
    EXPECT_EQ(parameter.offset, expected) << parameter.name;
    expected += parameter.numel;
  }
  EXPECT_EQ(table.weight_count, 64 * 32 * 9 + 3 * 64);
  EXPECT_EQ(table.statistic_count, 2 * 64);
}

TEST(TensorTable, GivesAnAffineNormItsTwoTensors) {
  const TensorTable table = small_table();
  const NormInfo& norm = table.norms.at(0);
  EXPECT_EQ(table.parameters.at(norm.scale.value()).name, "bn.weight");
  EXPECT_EQ(table.parameters.at(norm.shift.value()).name, "bn.bias");
  EXPECT_EQ(norm.epsilon, 1e-3);
  EXPECT_EQ(parameter_named(table, "bn.bias"), norm.shift);
  EXPECT_FALSE(parameter_named(table, "bn.running_mean"));
}

TEST(InitialState, DrawsWhatTheTableSays) {
  const TensorTable table = small_table();
  const NetworkState state = initial_state(table, Precision::kFloat64, 7);
  const at::Tensor conv = parameter_view(state, table.parameters[0]);
  const double deviation = std::sqrt(2.0 / (64 * 9));
  // 18432 draws: mean and deviation are known to 1/sqrt(18432) = 0.7 % of the deviation; 4 sigma.
  EXPECT_NEAR(conv.mean().item<double>(), 0.0, 0.03 * deviation);
  EXPECT_NEAR(conv.std().item<double>(), deviation, 0.03 * deviation);
  EXPECT_TRUE(parameter_view(state, table.parameters[1]).eq(1.0).all().item<bool>());
  EXPECT_TRUE(parameter_view(state, table.parameters[2]).eq(0.0).all().item<bool>());
  const double bound = 1.0 / std::sqrt(32 * 9.0);
  const double largest = parameter_view(state, table.parameters[3]).abs().max().item<double>();
  EXPECT_LE(largest, bound);
  EXPECT_GT(largest, 0.9 * bound);  // missed by 64 draws once in 800 seeds
}

TEST(InitialState, DependsOnNothingButTheNameOfATensor) {
  TensorTable alone;
  alone.add_parameter("conv.bias", {64}, Role::kBias, uniform_fan_in({64, 32, 3, 3}));
  const TensorTable table = small_table();
  const NetworkState first = initial_state(table, Precision::kFloat64, 7);
  const NetworkState second = initial_state(alone, Precision::kFloat64, 7);
  EXPECT_TRUE(parameter_view(first, table.parameters[3]).equal(second.weights));
}

}  // namespace
}  // namespace probedarts::nets
