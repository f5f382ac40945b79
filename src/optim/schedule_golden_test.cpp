// Against the learning rates per epoch of golden group 09_schedule, variant "intended"; tolerance
// 1e-12 from its JSON.
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/tensor_file.hpp"
#include "optim/optimizers.hpp"
#include "support/shared_files.hpp"

namespace probedarts::optim {
namespace {

TEST(CosineLearningRateGolden, AgreesInEveryEpoch) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "09_schedule");
  int rows = 0;
  for (const auto& path : testing::golden_cases("09_schedule")) {
    std::ifstream stream(path);
    const auto document = nlohmann::json::parse(stream);
    const double tolerance = document.at("tolerance").at("abs");
    const TensorFile file =
        read_tensor_file(path.parent_path() / document.at("safetensors").get<std::string>());
    for (const auto& row : document.at("rows")) {
      const std::string name = row.at("name");
      SCOPED_TRACE(path.filename().string() + " " + name);
      const auto expected = file.at(name + ".intended").as_doubles();
      ASSERT_EQ(expected.size(), row.at("epochs").get<std::size_t>());
      for (std::size_t epoch = 0; epoch < expected.size(); ++epoch) {
        EXPECT_NEAR(cosine_learning_rate(row.at("base_lr"), row.at("eta_min"),
                                         static_cast<int>(epoch), row.at("T_max")),
                    expected[epoch], tolerance)
            << "epoch " << epoch;
      }
      ++rows;
    }
  }
  EXPECT_GT(rows, 0) << "no case in 09_schedule";
}

}  // namespace
}  // namespace probedarts::optim
