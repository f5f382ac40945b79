// The authors' checkpoints from file to logits (`golden/01_pretrained`): .pt, PNG, resize,
// normalisation, and the derived network both as a list of layers and on the fused executor. The
// data's tolerance is ten times the reference's own float32-float64 difference.

#include <regex>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include "data/image.hpp"
#include "exchange/read_checkpoint.hpp"
#include "nets/composed_executor.hpp"
#include "nets/layer_graph.hpp"
#include "nets/layout.hpp"
#include "nets/run_layers.hpp"
#include "nets/stored_tensor.hpp"
#include "support/golden_case.hpp"
#include "support/golden_network.hpp"
#include "support/shared_files.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

struct Pretrained {
  testing::GoldenCase golden;
  nets::NetworkLayout layout;
  nets::NetworkState state;
  const json& facts() const { return golden.facts; }
};

Pretrained read_pretrained(const std::filesystem::path& path) {
  Pretrained read{testing::GoldenCase(path), {}, {}};
  read.layout = nets::lay_out(testing::golden_network(read.facts()).spec);
  read.state = nets::initial_state(read.layout, nets::Precision::kFloat32, 1);
  const TensorFile file = exchange::read_checkpoint(
      testing::golden_folder() / read.facts().at("checkpoint").get<std::string>());
  nets::load_state_dict(read.layout, file, "", read.state);
  return read;
}

/// The case's images [N, 3, px, px], resized and normalised.
at::Tensor images_of(const Pretrained& read, int px) {
  const json& names = read.facts().at("images");
  const auto count = static_cast<std::int64_t>(names.size());
  at::Tensor images = at::empty({count, 3, px, px}, at::kFloat);
  float* out = images.data_ptr<float>();
  for (const json& name : names) {
    data::Image image = data::read_image(testing::golden_folder() / name.get<std::string>());
    if (image.height != px || image.width != px) {
      image = data::resize_bicubic(image, px, px);
    }
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const auto mean = read.facts().at("mean")[channel].get<float>();
      const auto sd = read.facts().at("std")[channel].get<float>();
      for (std::size_t i = channel; i < image.rgb.size(); i += 3) {
        *out++ = (static_cast<float>(image.rgb[i]) / 255.0F - mean) / sd;
      }
    }
  }
  return images;
}

double apart(const at::Tensor& found, const at::Tensor& wanted) {
  return found.to(at::kDouble).sub(wanted).abs().max().item<double>();
}

/// Mean, standard deviation, sum of magnitudes and first values of one map of the first image.
void check_stage(const at::Tensor& map, const json& wanted, double relative) {
  const at::Tensor values = map.contiguous().to(at::kDouble).flatten();
  const double total = wanted.at("abs_sum");
  EXPECT_NEAR(values.abs().sum().item<double>(), total, relative * total);
  EXPECT_NEAR(values.mean().item<double>(), wanted.at("mean").get<double>(),
              relative * total / static_cast<double>(values.numel()));
  const double sd = wanted.at("std");
  EXPECT_NEAR(values.std(false).item<double>(), sd, relative * sd);
  const json& first = wanted.at("first8");
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_NEAR(values[static_cast<std::int64_t>(i)].item<double>(), first[i].get<double>(), 1e-4);
  }
}

/// `stage_checks_image<i>_<px>`: maps of one image at one size.
void check_stages(const Pretrained& read, const nets::LayerGraph& graph) {
  static const std::regex name_of_checks("stage_checks_image([0-9]+)_([0-9]+)");
  for (const auto& [key, stages] : read.facts().items()) {
    std::smatch found;
    if (!std::regex_match(key, found, name_of_checks)) {
      continue;
    }
    SCOPED_TRACE(key);
    std::vector<std::size_t> watched;
    for (const auto& [name, wanted] : stages.items()) {
      watched.push_back(nets::layer_named(graph, name).value());
    }
    const nets::LayerRun run = nets::run_layers(
        graph, {nets::split_parameters(graph, read.state.weights), read.state.statistics},
        images_of(read, std::stoi(found[2])).narrow(0, std::stoi(found[1]), 1), watched);
    std::size_t next = 0;
    for (const auto& [name, wanted] : stages.items()) {
      SCOPED_TRACE(name);
      const at::Tensor& map = run.activations[next++];
      EXPECT_EQ(map.sizes().vec(), wanted.at("shape").get<std::vector<std::int64_t>>());
      check_stage(map, wanted, 1e-5);  // float32 sums of a million terms
    }
  }
}

/// \param images  [N, 3, px, px], normalised
void check_logits(Pretrained& read, const nets::LayerGraph& graph, nets::Executor& fused,
                  const at::Tensor& images) {
  const std::string px = std::to_string(images.size(3));
  const at::Tensor wanted = nets::to_tensor(read.golden.at("logits_" + px + "_f64"));
  const double tolerance = 10 * read.facts().at("observed_f32_vs_f64_max_abs").at(px).get<double>();
  const nets::LayerRun run = nets::run_layers(
      graph, {nets::split_parameters(graph, read.state.weights), read.state.statistics}, images);
  EXPECT_LE(apart(run.logits, wanted), tolerance);
  const nets::ForwardOptions evaluation{nets::Mode::kEvaluate, nets::Wanted::kNothing};
  EXPECT_LE(apart(fused.forward(read.state, images, evaluation).main, wanted), tolerance);
}

void check_sizes(Pretrained& read, const nets::LayerGraph& graph) {
  const auto fused = nets::make_fused_executor(read.layout, 1);
  const std::vector<int> sizes = testing::golden_logit_sizes(read.golden);
  ASSERT_FALSE(sizes.empty());
  for (const int px : sizes) {
    SCOPED_TRACE(px);
    const at::Tensor images = images_of(read, px);
    check_logits(read, graph, *fused, images);
    // Resize and normalisation by themselves, and the network by itself.
    const std::string input = "input_" + std::to_string(px);
    if (read.golden.has(input)) {
      const at::Tensor wanted = nets::to_tensor(read.golden.at(input));
      EXPECT_LE(apart(images, wanted), 1e-6);  // as golden/02_preprocess
      check_logits(read, graph, *fused, wanted);
    }
    read.golden.mark("logits_" + std::to_string(px));  // float32: predict_golden_test.cpp
  }
}

TEST(PretrainedGolden, GivesThePublishedLogitsFromFileToAnswer) {
  PROBEDARTS_NEEDS_GROUP("01_pretrained");
  const at::NoGradGuard no_graph;
  for (const auto& path : testing::golden_cases("01_pretrained")) {
    SCOPED_TRACE(path.filename());
    Pretrained read = read_pretrained(path);
    const nets::LayerGraph graph = nets::lower(read.layout);
    check_sizes(read, graph);
    check_stages(read, graph);
    read.golden.expect_all_read();
  }
}

}  // namespace
}  // namespace probedarts::learn
