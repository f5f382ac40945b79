// The zoo's networks that torchvision has too: the same names and shapes, so that its weights load,
// and in float64 the same answers. tests/zoo/make_torchvision.py wrote what torchvision says.

#include <array>
#include <cmath>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include "core/files.hpp"
#include "core/tensor_file.hpp"
#include "nets/composed_executor.hpp"
#include "nets/network_state.hpp"
#include "nets/run_layers.hpp"
#include "nets/stored_tensor.hpp"
#include "nets/zoo.hpp"

namespace probedarts::nets {
namespace {

using nlohmann::json;

std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ (crc % 2 == 1 ? 0xEDB88320 : 0);
    }
  }
  return ~crc;
}

/// `number` of make_torchvision.py.
double number(std::uint32_t seed, std::int64_t index) {
  std::uint32_t h = static_cast<std::uint32_t>(index) * 0x9E3779B1 + seed;
  h = (h ^ (h >> 16)) * 0x85EBCA6B;
  h = (h ^ (h >> 13)) * 0xC2B2AE35;
  return static_cast<double>(h ^ (h >> 16)) / 4294967296.0;
}

/// `value` of make_torchvision.py.
at::Tensor value(const std::string& name, const at::Tensor& like) {
  at::Tensor filled = at::empty(like.sizes(), at::kDouble);
  const std::uint32_t seed = crc32(name);
  const bool scales =
      name.ends_with("running_var") || (name.ends_with("weight") && like.dim() == 1);
  const double width =
      name.ends_with("weight")
          ? std::sqrt(24.0 /
                      static_cast<double>(like.numel() / std::max<std::int64_t>(like.size(0), 1)))
          : 0.2;
  for (std::int64_t i = 0; i < filled.numel(); ++i) {
    const double u = number(seed, i);
    filled.data_ptr<double>()[i] = scales ? 0.5 + u : (u - 0.5) * width;
  }
  return filled;
}

json reference() {
  return json::parse(read_file(PROBEDARTS_SOURCE_DIR "/tests/zoo/torchvision.json"));
}

std::vector<std::string> names_of(const json& networks) {
  std::vector<std::string> names;
  for (const auto& [name, network] : networks.items()) {
    names.push_back(name);
  }
  return names;
}

class Torchvision : public testing::TestWithParam<std::string> {
 protected:
  json all_ = reference();
  json wanted_ = all_.at("networks").at(GetParam());
  LayerGraph graph_ = make_zoo_network(GetParam(), all_.at("classes").get<int>());
};

TEST_P(Torchvision, HasTheSameTensors) {
  const TensorFile ours = state_dict(graph_, initial_state(graph_, Precision::kFloat64, 1));
  EXPECT_EQ(ours.tensors.size(), wanted_.at("tensors").size());
  std::vector<std::string> parameters;
  for (const json& tensor : wanted_.at("tensors")) {
    const auto name = tensor.at(0).get<std::string>();
    ASSERT_TRUE(ours.tensors.contains(name)) << name;
    EXPECT_EQ(ours.tensors.at(name).shape, tensor.at(1).get<std::vector<std::int64_t>>()) << name;
    if (parameter_named(graph_, name)) {
      parameters.push_back(name);
    }
  }
  ASSERT_EQ(parameters.size(), graph_.parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_EQ(graph_.parameters[i].name, parameters[i]) << "in the order of the original";
  }
}

TEST_P(Torchvision, GivesTheSameAnswers) {
  NetworkState state = initial_state(graph_, Precision::kFloat64, 1);
  TensorFile file = state_dict(graph_, state);
  for (auto& [name, stored] : file.tensors) {
    if (is_floating(stored.type)) {
      stored = to_stored(value(name, to_tensor(stored)));
    }
  }
  load_state_dict(graph_, file, "", state);
  const auto size = all_.at("size").get<std::int64_t>();
  at::Tensor images = at::empty({2, 3, size, size}, at::kDouble);
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    images.data_ptr<double>()[i] = number(crc32("images"), i) * 2.0 - 1.0;
  }
  const at::NoGradGuard no_graph;
  const at::Tensor logits =
      run_layers(graph_, {split_parameters(graph_, state.weights), state.statistics}, images)
          .logits.contiguous();
  const auto expected = wanted_.at("logits").get<std::vector<double>>();
  ASSERT_EQ(static_cast<std::size_t>(logits.numel()), expected.size());
  double largest = 0.0;
  for (const double logit : expected) {
    largest = std::max(largest, std::abs(logit));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // float64 rounds by 1e-16; sums of thousands of terms through some 50 layers.
    EXPECT_NEAR(logits.data_ptr<double>()[i], expected[i], 1e-11 * largest) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Torchvision,
                         testing::ValuesIn(names_of(reference().at("networks"))),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace probedarts::nets
