// Grad-CAM of an official checkpoint, from .pt and PNG to the painted map (`golden/13_gradcam`).

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "core/files.hpp"
#include "data/image.hpp"
#include "exchange/read_checkpoint.hpp"
#include "explain/choose_layer.hpp"
#include "explain/grad_cam.hpp"
#include "explain/input.hpp"
#include "nets/layout.hpp"
#include "nets/zoo.hpp"
#include "space/published.hpp"
#include "support/shared_files.hpp"

namespace probedarts::explain {
namespace {

using nlohmann::json;

void expect_near(const std::vector<float>& found, const StoredTensor& stored, double tolerance,
                 const char* what) {
  const std::vector<double> wanted = stored.as_doubles();
  ASSERT_EQ(found.size(), wanted.size()) << what;
  double apart = 0.0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    apart = std::max(apart, std::abs(found[i] - wanted[i]));
  }
  EXPECT_LE(apart, tolerance) << what;
}

std::vector<float> bytes_of(const HeatMap& map) {
  std::vector<float> bytes;
  for (const float value : map.values) {
    bytes.push_back(std::round(255.0F * value));
  }
  return bytes;
}

struct Case {
  json facts;
  TensorFile golden;
  nets::LayerGraph graph;
  nets::NetworkState state;
  data::Normalization normalization;
};

Case read_case(const std::filesystem::path& path) {
  Case read;
  read.facts = json::parse(read_file(path));
  read.golden = read_tensor_file(std::filesystem::path(path).replace_extension(".safetensors"));
  space::NetworkSpec spec = nets::zoo_spec("darts_4cell", 33).value();
  spec.nodes = 4;
  spec.genotype = space::published_genotype("DARTS_ADP_N4");
  const nets::NetworkLayout layout = nets::lay_out(spec);
  read.graph = nets::lower(layout);
  read.state = nets::initial_state(layout, nets::Precision::kFloat32, 1);
  const TensorFile file = exchange::read_checkpoint(testing::golden_folder() /
                                                    read.facts.at("checkpoint").get<std::string>());
  nets::load_state_dict(layout, file, "", read.state);
  read.facts.at("mean").get_to(read.normalization.mean);
  read.facts.at("std").get_to(read.normalization.sd);
  return read;
}

void check_entry(const Case& read, const json& entry) {
  const auto key = entry.at("key").get<std::string>();
  SCOPED_TRACE(key);
  const json& tolerance = read.facts.at("tolerance");
  const data::Image image =
      data::read_image(testing::golden_folder() / "images" / entry.at("image").get<std::string>());
  const std::optional<int> classes[] = {entry.at("cls").get<int>()};
  const std::size_t layer = layer_to_explain(read.graph, entry.at("target"), 272);
  if (key.ends_with("lastconv")) {
    EXPECT_EQ(layer, layer_to_explain(read.graph, "last_conv", 272));
  }
  const CamResult result =
      class_activation(read.graph, read.state, network_input(image, read.normalization), layer,
                       classes, CamMethod::kGradCam);
  EXPECT_NEAR(result.logits[entry.at("cls").get<std::size_t>()], entry.at("logit").get<float>(),
              2e-4);  // as golden/01_pretrained
  const HeatMap& raw = result.raw.at(0);
  const double largest = std::max(std::abs(entry.at("raw_min").get<double>()),
                                  std::abs(entry.at("raw_max").get<double>()));
  expect_near(raw.values, read.golden.at(key + ".raw"),
              tolerance.at("raw_rel_to_max").get<double>() * largest, "raw");
  const HeatMap cam = positive_part(raw);
  expect_near(cam.values, read.golden.at(key + ".cam"), tolerance.at("cam_abs"), "cam");
  const HeatMap large = resized(cam, 272, 272);
  if (read.golden.has(key + ".cam272")) {  // each entry has one of the two
    expect_near(large.values, read.golden.at(key + ".cam272"), tolerance.at("cam272_abs"),
                "cam272");
  } else {
    expect_near(bytes_of(large), read.golden.at(key + ".cam272_u8"), tolerance.at("u8_abs"), "u8");
  }
}

TEST(GradCamGolden, GivesTheMapsOfTheReference) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "13_gradcam");
  const auto cases = testing::golden_cases("13_gradcam");
  ASSERT_FALSE(cases.empty());
  for (const auto& path : cases) {
    const Case read = read_case(path);
    ASSERT_FALSE(read.facts.at("entries").empty());
    for (const json& entry : read.facts.at("entries")) {
      check_entry(read, entry);
    }
  }
}

TEST(GradCamGolden, EqualsHiResCamAtTheLastCell) {
  // Between the last cell and the logits there is only a mean and a linear layer.
  PROBEDARTS_NEEDS(testing::golden_folder() / "13_gradcam" / "adp_n4.json");
  const Case read = read_case(testing::golden_folder() / "13_gradcam" / "adp_n4.json");
  const at::Tensor input = network_input(
      data::read_image(testing::golden_folder() / "images" / "tissue_11.png"), read.normalization);
  const std::optional<int> classes[] = {7};
  const std::size_t cell = layer_to_explain(read.graph, "cells.3", 272);
  const auto of = [&](std::size_t layer, CamMethod method) {
    return class_activation(read.graph, read.state, input, layer, classes, method).raw.at(0);
  };
  const HeatMap a = of(cell, CamMethod::kGradCam);
  const HeatMap b = of(cell, CamMethod::kHiResCam);
  double apart = 0.0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    apart = std::max<double>(apart, std::abs(a.values[i] - b.values[i]));
  }
  EXPECT_LE(apart, 1e-6 * 0.0175);  // the largest value is 0.0175; rounding of float32
  // Before the ReLU and pools of a cell they are not.
  const HeatMap c = of(layer_to_explain(read.graph, "cells.1", 272), CamMethod::kGradCam);
  const HeatMap d = of(layer_to_explain(read.graph, "cells.1", 272), CamMethod::kHiResCam);
  EXPECT_NE(c.values, d.values);
}

}  // namespace
}  // namespace probedarts::explain
