// Networks run layer by layer against the reference: torchvision's (`golden/12_torchvision`, eval
// mode, float32 and float64), and derived networks lowered to layers (`golden/10_derived`).

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/grad_mode.h>

#include "core/files.hpp"
#include "core/tensor_file.hpp"
#include "nets/composed_executor.hpp"
#include "nets/layout.hpp"
#include "nets/run_layers.hpp"
#include "nets/stored_tensor.hpp"
#include "nets/zoo.hpp"
#include "support/golden_network.hpp"
#include "support/shared_files.hpp"

namespace probedarts::nets {
namespace {

using nlohmann::json;

struct LayerCase {
  json description;
  TensorFile file;
};

LayerCase read_case(const std::filesystem::path& path) {
  LayerCase read;
  read.description = json::parse(read_file(path));
  read.file =
      read_tensor_file(path.parent_path() / read.description.at("safetensors").get<std::string>());
  // Large weights are stored in one byte: w = (float32(u8) - 128) * scale.
  std::map<std::string, StoredTensor> whole;
  for (const auto& [name, stored] : read.file.tensors) {
    const std::string prefix = "state_u8.";
    if (name.starts_with(prefix)) {
      const std::string parameter = name.substr(prefix.size());
      const at::Tensor scale = to_tensor(read.file.at("scale." + parameter));
      const at::Tensor weight = to_tensor(stored).to(at::kFloat).sub(128.0).mul(scale.squeeze());
      whole["state." + parameter] = to_stored(weight);
    }
  }
  read.file.tensors.merge(whole);
  return read;
}

at::Tensor logits_of(const LayerCase& golden, const LayerGraph& graph, Precision precision) {
  NetworkState state = initial_state(graph, precision, 1);
  load_state_dict(graph, golden.file, "state.", state);
  const at::Tensor images = to_tensor(golden.file.at("input")).to(state.weights.scalar_type());
  const at::NoGradGuard no_graph;
  return run_layers(graph, {split_parameters(graph, state.weights), state.statistics}, images)
      .logits.to(at::kDouble);
}

double apart(const LayerCase& golden, const std::string& name, const at::Tensor& found) {
  const at::Tensor wanted = to_tensor(golden.file.at(name)).to(at::kDouble);
  return found.sub(wanted).abs().max().item<double>();
}

TEST(LayerGolden, RunsTorchvisionsNetworks) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "12_torchvision");
  const auto cases = testing::golden_cases("12_torchvision");
  ASSERT_FALSE(cases.empty());
  for (const auto& path : cases) {
    SCOPED_TRACE(path.filename());
    const LayerCase golden = read_case(path);
    const LayerGraph graph =
        make_zoo_network(path.stem().string(), golden.description.at("classes").get<int>());
    EXPECT_EQ(graph.weight_count, golden.description.at("params").get<std::int64_t>());
    const double tolerance = golden.description.at("tolerance").at("abs");
    EXPECT_LE(apart(golden, "logits", logits_of(golden, graph, Precision::kFloat32)), tolerance);
    EXPECT_LE(apart(golden, "logits_f64", logits_of(golden, graph, Precision::kFloat64)), 1e-9);
  }
}

TEST(LayerGolden, RunsDerivedNetworksLoweredToLayers) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "10_derived");
  const auto cases = testing::golden_cases("10_derived");
  ASSERT_FALSE(cases.empty());
  for (const auto& path : cases) {
    SCOPED_TRACE(path.filename());
    const LayerCase golden = read_case(path);
    const LayerGraph graph = lower(lay_out(testing::golden_network_spec(golden.description)));
    const double tolerance = golden.description.at("tolerance").at("eval_logits");
    EXPECT_LE(apart(golden, "eval_logits", logits_of(golden, graph, Precision::kFloat32)),
              tolerance);
    EXPECT_LE(apart(golden, "eval_logits_f64", logits_of(golden, graph, Precision::kFloat64)),
              1e-9);
  }
}

}  // namespace
}  // namespace probedarts::nets
