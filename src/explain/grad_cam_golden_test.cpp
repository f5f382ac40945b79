// Grad-CAM of an official checkpoint, from .pt and PNG to the painted map (`golden/13_gradcam`).

#include <regex>
#include <stdexcept>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "data/image.hpp"
#include "exchange/read_checkpoint.hpp"
#include "explain/choose_layer.hpp"
#include "explain/grad_cam.hpp"
#include "explain/input.hpp"
#include "nets/layout.hpp"
#include "nets/zoo.hpp"
#include "space/published.hpp"
#include "support/golden_case.hpp"
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

struct Case : testing::GoldenCase {
  using GoldenCase::GoldenCase;
  nets::LayerGraph graph;
  nets::NetworkState state;
  data::Normalization normalization;
};

/// The network of an official checkpoint: `pretrained/DATASET/darts_dataset_n4.pt` holds the
/// published cell of 4 nodes, and its classifier says how many classes.
Case read_case(const std::filesystem::path& path) {
  Case read(path);
  const std::filesystem::path checkpoint = read.facts.at("checkpoint").get<std::string>();
  std::smatch found;
  const std::string name = checkpoint.stem();
  if (!std::regex_match(name, found, std::regex("darts_.*_n([0-9])"))) {
    throw std::runtime_error("no network is known by the checkpoint '" + name + "'");
  }
  const TensorFile file = exchange::read_checkpoint(testing::golden_folder() / checkpoint);
  const auto classes = static_cast<int>(file.at("classifier.bias").shape.at(0));
  space::NetworkSpec spec = nets::zoo_spec("darts_4cell", classes).value();
  spec.genotype = space::published_genotype("DARTS_ADP_N" + found[1].str());
  spec.nodes = spec.genotype.value().nodes();
  const nets::NetworkLayout layout = nets::lay_out(spec);
  read.graph = nets::lower(layout);
  read.state = nets::initial_state(layout, nets::Precision::kFloat32, 1);
  nets::load_state_dict(layout, file, "", read.state);
  read.facts.at("mean").get_to(read.normalization.mean);
  read.facts.at("std").get_to(read.normalization.sd);
  return read;
}

/// The map at the size of the image: `.cam<px>` in numbers or `.cam<px>_u8` in bytes.
void check_resized(const Case& read, const std::string& key, const HeatMap& cam, int px) {
  const json& tolerance = read.facts.at("tolerance");
  const HeatMap large = resized(cam, px, px);
  const std::string name = key + ".cam" + std::to_string(px);
  EXPECT_TRUE(read.has(name) || read.has(name + "_u8")) << name;
  if (read.has(name)) {
    expect_near(large.values, read.at(name), tolerance.at("cam272_abs"), "resized");
  }
  if (read.has(name + "_u8")) {
    expect_near(bytes_of(large), read.at(name + "_u8"), tolerance.at("u8_abs"), "u8");
  }
}

void check_entry(const Case& read, const json& entry) {
  const auto key = entry.at("key").get<std::string>();
  SCOPED_TRACE(key);
  const json& tolerance = read.facts.at("tolerance");
  const data::Image image =
      data::read_image(testing::golden_folder() / "images" / entry.at("image").get<std::string>());
  const std::optional<int> classes[] = {entry.at("cls").get<int>()};
  const std::size_t layer = layer_to_explain(read.graph, entry.at("target"), image.width);
  if (key.ends_with("lastconv")) {
    EXPECT_EQ(layer, layer_to_explain(read.graph, "last_conv", image.width));
  }
  const CamResult result =
      class_activation(read.graph, read.state, network_input(image, read.normalization), layer,
                       classes, CamMethod::kGradCam);
  EXPECT_NEAR(result.logits[entry.at("cls").get<std::size_t>()], entry.at("logit").get<float>(),
              2e-4);  // as golden/01_pretrained
  const std::vector<float>& weights = result.channel_weights.at(0);
  const float heaviest = std::abs(*std::max_element(
      weights.begin(), weights.end(), [](float a, float b) { return std::abs(a) < std::abs(b); }));
  expect_near(weights, read.at(key + ".weights"),
              tolerance.at("weights_rel").get<double>() * heaviest, "weights");
  const HeatMap& raw = result.raw.at(0);
  const json shape = {1, weights.size(), raw.height, raw.width};
  EXPECT_EQ(shape, entry.at("activation_shape"));
  const double largest = std::max(std::abs(entry.at("raw_min").get<double>()),
                                  std::abs(entry.at("raw_max").get<double>()));
  const double apart = tolerance.at("raw_rel_to_max").get<double>() * largest;
  expect_near(raw.values, read.at(key + ".raw"), apart, "raw");
  const auto [least, most] = std::minmax_element(raw.values.begin(), raw.values.end());
  EXPECT_NEAR(*least, entry.at("raw_min").get<double>(), apart);
  EXPECT_NEAR(*most, entry.at("raw_max").get<double>(), apart);
  EXPECT_EQ(*most < 0.0F, entry.at("all_negative").get<bool>());
  const HeatMap cam = positive_part(raw);
  expect_near(cam.values, read.at(key + ".cam"), tolerance.at("cam_abs"), "cam");
  check_resized(read, key, cam, image.width);
}

TEST(GradCamGolden, GivesTheMapsOfTheReference) {
  PROBEDARTS_NEEDS_GROUP("13_gradcam");
  for (const auto& path : testing::golden_cases("13_gradcam")) {
    const Case read = read_case(path);
    ASSERT_FALSE(read.facts.at("entries").empty());
    for (const json& entry : read.facts.at("entries")) {
      check_entry(read, entry);
    }
    read.expect_all_read();
  }
}

TEST(GradCamGolden, EqualsHiResCamAtTheLastCell) {
  // Between the last cell and the logits there is only a mean and a linear layer.
  PROBEDARTS_NEEDS_GROUP("13_gradcam");
  const Case read = read_case(testing::golden_cases("13_gradcam").front());
  const json& entry = read.facts.at("entries").at(0);
  const data::Image image =
      data::read_image(testing::golden_folder() / "images" / entry.at("image").get<std::string>());
  const at::Tensor input = network_input(image, read.normalization);
  const std::optional<int> classes[] = {entry.at("cls").get<int>()};
  const std::size_t cell = layer_to_explain(read.graph, "cells.3", image.width);
  const auto of = [&](std::size_t layer, CamMethod method) {
    return class_activation(read.graph, read.state, input, layer, classes, method).raw.at(0);
  };
  const HeatMap a = of(cell, CamMethod::kGradCam);
  const HeatMap b = of(cell, CamMethod::kHiResCam);
  float apart = 0.0F;
  float largest = 0.0F;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    apart = std::max(apart, std::abs(a.values[i] - b.values[i]));
    largest = std::max(largest, std::abs(a.values[i]));
  }
  EXPECT_LE(apart, 1e-6F * largest);  // rounding of float32
  // Before the ReLU and pools of a cell they are not.
  const HeatMap c = of(layer_to_explain(read.graph, "cells.1", image.width), CamMethod::kGradCam);
  const HeatMap d = of(layer_to_explain(read.graph, "cells.1", image.width), CamMethod::kHiResCam);
  EXPECT_NE(c.values, d.values);
}

}  // namespace
}  // namespace probedarts::explain
