// Networks run layer by layer against the reference: torchvision's (`golden/12_torchvision`, eval
// mode, float32 and float64), and derived networks lowered to layers (`golden/10_derived`).

#include <map>
#include <regex>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/grad_mode.h>

#include "nets/composed_executor.hpp"
#include "nets/layout.hpp"
#include "nets/run_layers.hpp"
#include "nets/stored_tensor.hpp"
#include "nets/zoo.hpp"
#include "support/golden_case.hpp"
#include "support/golden_network.hpp"
#include "support/shared_files.hpp"

namespace probedarts::nets {
namespace {

using nlohmann::json;

/// Large weights are stored in one byte: w = (float32(u8) - 128) * scale. They come out as the
/// others.
void unpack(testing::GoldenCase& golden) {
  std::map<std::string, StoredTensor> whole;
  for (const auto& [name, stored] : golden.file.tensors) {
    const std::string prefix = "state_u8.";
    if (name.starts_with(prefix)) {
      const std::string parameter = name.substr(prefix.size());
      const at::Tensor scale = to_tensor(golden.at("scale." + parameter));
      const at::Tensor weight = to_tensor(stored).to(at::kFloat).sub(128.0).mul(scale.squeeze());
      whole["state." + parameter] = to_stored(weight);
    }
  }
  golden.file.tensors.merge(whole);
}

/// Our name of torchvision's network: the function that made it ("torchvision.models.NAME(") and
/// its width, where that is not 1.
std::string zoo_name(const json& facts) {
  const auto call = facts.at("provenance").at("function").get<std::string>();
  std::smatch found;
  if (!std::regex_search(call, found, std::regex(R"(torchvision\.models\.(\w+)\()"))) {
    ADD_FAILURE() << "no network of torchvision in the call '" << call << "'";
    return call;
  }
  std::string name = found[1];
  const double width = facts.at("kwargs").value("width_mult", 1.0);
  if (width != 1.0) {  // the zoo's widths: mobilenet_v2_035 is 0.35
    name += fmt::format("_{:03.0f}", 100.0 * width);
  }
  for (const auto& [key, value] : facts.at("kwargs").items()) {
    EXPECT_EQ(key, "width_mult") << "the zoo knows no other argument";
  }
  return name;
}

at::Tensor logits_of(const testing::GoldenCase& golden, const LayerGraph& graph,
                     Precision precision) {
  NetworkState state = initial_state(graph, precision, 1);
  load_state_dict(graph, golden.file, "state.", state);
  const at::Tensor images = to_tensor(golden.at("input")).to(state.weights.scalar_type());
  const at::NoGradGuard no_graph;
  return run_layers(graph, {split_parameters(graph, state.weights), state.statistics}, images)
      .logits.to(at::kDouble);
}

double apart(const testing::GoldenCase& golden, const std::string& name, const at::Tensor& found) {
  const at::Tensor wanted = to_tensor(golden.at(name)).to(at::kDouble);
  return found.sub(wanted).abs().max().item<double>();
}

TEST(LayerGolden, RunsTorchvisionsNetworks) {
  PROBEDARTS_NEEDS_GROUP("12_torchvision");
  for (const auto& path : testing::golden_cases("12_torchvision")) {
    SCOPED_TRACE(path.filename());
    testing::GoldenCase golden(path);
    unpack(golden);
    const LayerGraph graph =
        make_zoo_network(zoo_name(golden.facts), golden.facts.at("classes").get<int>());
    EXPECT_EQ(graph.weight_count, golden.facts.at("params").get<std::int64_t>());
    const double tolerance = golden.facts.at("tolerance").at("abs");
    EXPECT_LE(apart(golden, "logits", logits_of(golden, graph, Precision::kFloat32)), tolerance);
    EXPECT_LE(apart(golden, "logits_f64", logits_of(golden, graph, Precision::kFloat64)), 1e-9);
    golden.mark("state");  // loading needs each and no other
    golden.expect_all_read();
  }
}

TEST(LayerGolden, RunsDerivedNetworksLoweredToLayers) {
  PROBEDARTS_NEEDS_GROUP("10_derived");
  for (const auto& path : testing::golden_cases("10_derived")) {
    SCOPED_TRACE(path.filename());
    const testing::GoldenCase golden(path);
    const LayerGraph graph = lower(lay_out(testing::golden_network(golden.facts).spec));
    const double tolerance = golden.facts.at("tolerance").at("eval_logits");
    EXPECT_LE(apart(golden, "eval_logits", logits_of(golden, graph, Precision::kFloat32)),
              tolerance);
    EXPECT_LE(apart(golden, "eval_logits_f64", logits_of(golden, graph, Precision::kFloat64)),
              1e-9);
  }
}

}  // namespace
}  // namespace probedarts::nets
