// What `predict` answers about the authors' checkpoints (`golden/01_pretrained`), as a user asks
// for it, with both executors; and the schedules of their training (`golden/09_schedule`).

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "learn/drop_path.hpp"
#include "learn/predict.hpp"
#include "support/golden_case.hpp"
#include "support/golden_network.hpp"
#include "support/shared_files.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

/// "R,G,B/R,G,B" of the case's mean and sd, as --normalize takes them.
std::string numbers(const json& facts) {
  const auto three = [](const json& v) {
    return v[0].dump() + "," + v[1].dump() + "," + v[2].dump();
  };
  return three(facts.at("mean")) + "/" + three(facts.at("std"));
}

void check_case(const testing::GoldenCase& golden, const std::string& executor) {
  const json& facts = golden.facts;
  PredictConfig config;
  config.executor = executor;
  config.model.checkpoint =
      (testing::golden_folder() / facts.at("checkpoint").get<std::string>()).string();
  const testing::GoldenNetwork network = testing::golden_network(facts);
  config.model.network.network = network.genotype;
  config.model.network.stem = space::name_of(network.spec.stem);
  config.model.network.channels = network.spec.channels;
  config.model.network.cells = network.spec.cells;
  config.model.classes = {std::to_string(facts.at("classes").get<int>())};
  config.model.normalize = facts.at("dataset") == "ADP" ? "adp" : numbers(facts);
  std::vector<std::string> images;
  for (const json& image : facts.at("images")) {
    images.push_back((testing::golden_folder() / image.get<std::string>()).string());
  }
  const std::vector<int> sizes = testing::golden_logit_sizes(golden);
  ASSERT_FALSE(sizes.empty());
  for (const int size : sizes) {
    const std::string name = "logits_" + std::to_string(size);
    SCOPED_TRACE(name + " " + executor);
    config.size = size;
    const PredictedImages result = predict_images(config, images);
    EXPECT_EQ(result.files, images);
    const std::vector<double> wanted = golden.at(name).as_doubles();
    ASSERT_EQ(result.logits.size(), wanted.size());
    // Ten times the difference between float32 and float64 runs of the reference, as the data say.
    const double tolerance =
        10 * facts.at("observed_f32_vs_f64_max_abs").at(std::to_string(size)).get<double>();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(result.logits[i]), wanted[i], tolerance) << i;
    }
  }
}

TEST(PredictGolden, GivesTheLogitsOfThePublishedCheckpoints) {
  PROBEDARTS_NEEDS_GROUP("01_pretrained");
  for (const auto& path : testing::golden_cases("01_pretrained")) {
    SCOPED_TRACE(path.filename());
    const testing::GoldenCase golden(path);
    check_case(golden, "fused");
    check_case(golden, "composed");
  }
}

TEST(ScheduleGolden, DropPathRisesAsInThePublishedTraining) {
  PROBEDARTS_NEEDS_GROUP("09_schedule");
  int rows = 0;
  for (const auto& path : testing::golden_cases("09_schedule")) {
    const testing::GoldenCase golden(path);
    const double tolerance = golden.facts.at("tolerance").at("abs");
    for (const json& row : golden.facts.at("rows")) {
      const auto name = row.at("name").get<std::string>();
      SCOPED_TRACE(path.filename().string() + " " + name);
      const bool stored = golden.has(name + ".drop_path");
      ASSERT_EQ(row.contains("drop_path_prob"), stored);
      if (!stored) {
        continue;
      }
      const std::vector<double> wanted = golden.at(name + ".drop_path").as_doubles();
      const int epochs = row.at("epochs");
      ASSERT_EQ(wanted.size(), static_cast<std::size_t>(epochs));
      for (int epoch = 0; epoch < epochs; ++epoch) {
        EXPECT_NEAR(drop_path_probability(row.at("drop_path_prob"), epoch, epochs),
                    wanted[static_cast<std::size_t>(epoch)], tolerance)
            << "epoch " << epoch;
      }
      ++rows;
    }
  }
  PROBEDARTS_FOUND(rows, "a schedule of drop path");
}

}  // namespace
}  // namespace probedarts::learn
