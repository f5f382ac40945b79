// Against the learning rates per epoch of golden group 09_schedule, variant "intended"; tolerance
// from its JSON.
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "optim/optimizers.hpp"
#include "support/golden_case.hpp"
#include "support/shared_files.hpp"

namespace probedarts::optim {
namespace {

void expect_rates(const testing::GoldenCase& golden, const std::string& tensor,
                  const nlohmann::json& row) {
  const auto expected = golden.at(tensor).as_doubles();
  ASSERT_EQ(expected.size(), row.at("epochs").get<std::size_t>());
  for (std::size_t epoch = 0; epoch < expected.size(); ++epoch) {
    EXPECT_NEAR(cosine_learning_rate(row.at("base_lr"), row.at("eta_min"), static_cast<int>(epoch),
                                     row.at("T_max")),
                expected[epoch], golden.facts.at("tolerance").at("abs").get<double>())
        << tensor << " epoch " << epoch;
  }
}

TEST(CosineLearningRateGolden, AgreesInEveryEpoch) {
  PROBEDARTS_NEEDS_GROUP("09_schedule");
  int rows = 0;
  for (const auto& path : testing::golden_cases("09_schedule")) {
    const testing::GoldenCase golden(path);
    for (const auto& row : golden.facts.at("rows")) {
      const std::string name = row.at("name");
      SCOPED_TRACE(path.filename().string() + " " + name);
      expect_rates(golden, name + ".intended", row);
      if (golden.has(name + ".torch_recursive_step_after")) {  // the same by PyTorch's recursion
        expect_rates(golden, name + ".torch_recursive_step_after", row);
      }
      golden.mark(name + ".reference_on_torch1.13.");  // a slip of the published loop, not followed
      golden.mark(name + ".drop_path");                // learn/predict_golden_test.cpp
      ++rows;
    }
    golden.expect_all_read();
  }
  EXPECT_GT(rows, 0) << "no row in 09_schedule";
}

}  // namespace
}  // namespace probedarts::optim
