// The authors' checkpoints from file to logits (`golden/01_pretrained`): .pt, PNG, resize,
// normalisation, and the derived network both as a list of layers and on the fused executor. The
// data's tolerance is ten times the reference's own float32-float64 difference.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include "core/files.hpp"
#include "data/image.hpp"
#include "exchange/read_checkpoint.hpp"
#include "nets/composed_executor.hpp"
#include "nets/layer_graph.hpp"
#include "nets/layout.hpp"
#include "nets/run_layers.hpp"
#include "nets/stored_tensor.hpp"
#include "nets/zoo.hpp"
#include "space/published.hpp"
#include "support/shared_files.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

struct Pretrained {
  json facts;
  TensorFile golden;
  nets::NetworkLayout layout;
  nets::NetworkState state;
};

Pretrained read_case(const std::filesystem::path& path) {
  Pretrained read;
  read.facts = json::parse(read_file(path));
  read.golden = read_tensor_file(std::filesystem::path(path).replace_extension(".safetensors"));
  // All of them have the structure of darts_4cell: 4 cells, 36 channels, pathology stem.
  space::NetworkSpec spec = nets::zoo_spec("darts_4cell", read.facts.at("classes")).value();
  spec.nodes = read.facts.at("nodes");
  spec.genotype = space::published_genotype("DARTS_ADP_N" + std::to_string(spec.nodes));
  read.layout = nets::lay_out(spec);
  read.state = nets::initial_state(read.layout, nets::Precision::kFloat32, 1);
  const TensorFile file = exchange::read_checkpoint(testing::golden_folder() /
                                                    read.facts.at("checkpoint").get<std::string>());
  nets::load_state_dict(read.layout, file, "", read.state);
  return read;
}

/// The case's images [4, 3, px, px], resized and normalised.
at::Tensor images_of(const Pretrained& read, int px) {
  const json& names = read.facts.at("images");
  const auto count = static_cast<std::int64_t>(names.size());
  at::Tensor images = at::empty({count, 3, px, px}, at::kFloat);
  float* out = images.data_ptr<float>();
  for (const json& name : names) {
    data::Image image = data::read_image(testing::golden_folder() / name.get<std::string>());
    if (image.height != px) {
      image = data::resize_bicubic(image, px, px);
    }
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const auto mean = read.facts.at("mean")[channel].get<float>();
      const auto sd = read.facts.at("std")[channel].get<float>();
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

/// Mean, sum of magnitudes and first values of one map of the first image.
void check_stage(const at::Tensor& map, const json& wanted, double relative) {
  const at::Tensor values = map.contiguous().to(at::kDouble).flatten();
  const double total = wanted.at("abs_sum");
  EXPECT_NEAR(values.abs().sum().item<double>(), total, relative * total);
  EXPECT_NEAR(values.mean().item<double>(), wanted.at("mean").get<double>(),
              relative * total / static_cast<double>(values.numel()));
  for (std::int64_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(values[i].item<double>(),
                wanted.at("first8")[static_cast<std::size_t>(i)].get<double>(), 1e-4);
  }
}

void check_stages(const Pretrained& read, const nets::LayerGraph& graph) {
  const json& stages = read.facts.at("stage_checks_image0_272");
  std::vector<std::size_t> watched;
  for (const auto& [name, wanted] : stages.items()) {
    watched.push_back(nets::layer_named(graph, name).value());
  }
  const nets::LayerRun run = nets::run_layers(
      graph, {nets::split_parameters(graph, read.state.weights), read.state.statistics},
      images_of(read, 272).narrow(0, 0, 1), watched);
  std::size_t next = 0;
  for (const auto& [name, wanted] : stages.items()) {
    SCOPED_TRACE(name);
    const at::Tensor& map = run.activations[next++];
    EXPECT_EQ(map.sizes().vec(), wanted.at("shape").get<std::vector<std::int64_t>>());
    check_stage(map, wanted, 1e-5);  // float32 sums of a million terms
  }
}

void check_logits(Pretrained& read, const nets::LayerGraph& graph) {
  const auto fused = nets::make_fused_executor(read.layout, 1);
  for (const int px : {272, 136, 68}) {
    const std::string name = "logits_" + std::to_string(px) + "_f64";
    if (!read.golden.has(name)) {
      continue;
    }
    SCOPED_TRACE(name);
    const at::Tensor wanted = nets::to_tensor(read.golden.at(name));
    const double tolerance =
        10 * read.facts.at("observed_f32_vs_f64_max_abs").at(std::to_string(px)).get<double>();
    const at::Tensor images = images_of(read, px);
    const nets::LayerRun run = nets::run_layers(
        graph, {nets::split_parameters(graph, read.state.weights), read.state.statistics}, images);
    EXPECT_LE(apart(run.logits, wanted), tolerance);
    const nets::ForwardOptions evaluation{nets::Mode::kEvaluate, nets::Wanted::kNothing};
    EXPECT_LE(apart(fused->forward(read.state, images, evaluation).main, wanted), tolerance);
  }
}

TEST(PretrainedGolden, GivesThePublishedLogitsFromFileToAnswer) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "01_pretrained");
  const auto cases = testing::golden_cases("01_pretrained");
  ASSERT_FALSE(cases.empty());
  const at::NoGradGuard no_graph;
  for (const auto& path : cases) {
    SCOPED_TRACE(path.filename());
    Pretrained read = read_case(path);
    const nets::LayerGraph graph = nets::lower(read.layout);
    check_logits(read, graph);
    check_stages(read, graph);
  }
}

}  // namespace
}  // namespace probedarts::learn
