// What `predict` answers about the authors' checkpoints (`golden/01_pretrained`), as a user asks
// for it, with both executors; and the schedules of their training (`golden/09_schedule`).

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/tensor_file.hpp"
#include "learn/drop_path.hpp"
#include "learn/predict.hpp"
#include "optim/optimizers.hpp"
#include "support/shared_files.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

std::string numbers(const json& facts) {
  const auto three = [](const json& v) {
    return std::to_string(v[0].get<double>()) + "," + std::to_string(v[1].get<double>()) + "," +
           std::to_string(v[2].get<double>());
  };
  return three(facts.at("mean")) + "/" + three(facts.at("std"));
}

void check_case(const std::filesystem::path& path, const std::string& executor) {
  const json facts = json::parse(read_file(path));
  const TensorFile golden =
      read_tensor_file(std::filesystem::path(path).replace_extension(".safetensors"));
  PredictConfig config;
  config.executor = executor;
  config.model.checkpoint =
      (testing::golden_folder() / facts.at("checkpoint").get<std::string>()).string();
  config.model.network.network = "DARTS_ADP_N" + std::to_string(facts.at("nodes").get<int>());
  config.model.classes = {std::to_string(facts.at("classes").get<int>())};
  config.model.normalize = facts.at("dataset") == "ADP" ? "adp" : numbers(facts);
  std::vector<std::string> images;
  for (const json& image : facts.at("images")) {
    images.push_back((testing::golden_folder() / image.get<std::string>()).string());
  }
  for (const int size : {272, 136, 68}) {
    const std::string name = "logits_" + std::to_string(size);
    if (!golden.has(name)) {
      continue;
    }
    SCOPED_TRACE(name + " " + executor);
    config.size = size;
    const PredictedImages result = predict_images(config, images);
    EXPECT_EQ(result.files, images);
    const std::vector<double> wanted = golden.at(name).as_doubles();
    ASSERT_EQ(result.logits.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      // Float32 and float64 runs of the reference differ by 2e-5 at most; ten times that.
      EXPECT_NEAR(static_cast<double>(result.logits[i]), wanted[i], 2e-4) << i;
    }
  }
}

TEST(PredictGolden, GivesTheLogitsOfThePublishedCheckpoints) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "01_pretrained");
  const auto cases = testing::golden_cases("01_pretrained");
  ASSERT_FALSE(cases.empty());
  for (const auto& path : cases) {
    SCOPED_TRACE(path.filename());
    check_case(path, "fused");
    check_case(path, "composed");
  }
}

TEST(ScheduleGolden, DropPathRisesAsInThePublishedTraining) {
  const auto path = testing::golden_folder() / "09_schedule" / "cosine.safetensors";
  PROBEDARTS_NEEDS(path);
  const TensorFile golden = read_tensor_file(path);
  const std::vector<double> wanted = golden.at("train600.drop_path").as_doubles();
  const std::vector<double> rates = golden.at("train600.intended").as_doubles();
  ASSERT_EQ(wanted.size(), 600U);
  for (int epoch = 0; epoch < 600; ++epoch) {
    const auto e = static_cast<std::size_t>(epoch);
    EXPECT_NEAR(drop_path_probability(0.2, epoch, 600), wanted[e], 1e-12);
    EXPECT_NEAR(optim::cosine_learning_rate(0.025, 0.0, epoch, 600), rates[e], 1e-12);
  }
}

}  // namespace
}  // namespace probedarts::learn
