// The losses and their gradients against golden/08_metrics: every row that names a loss, in float32
// and in float64. Tolerances are the data's own, relative to the largest value of the tensor:
// 2e-6 and 1e-13.

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/files.hpp"
#include "core/tensor_file.hpp"
#include "learn/loss.hpp"
#include "nets/stored_tensor.hpp"
#include "support/shared_files.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

struct Precision {
  at::ScalarType type;
  const char* suffix;
  double tolerance;
};
constexpr Precision kSingle{at::kFloat, "", 2e-6};
constexpr Precision kDouble{at::kDouble, "_f64", 1e-13};

void expect_close(const at::Tensor& computed, const at::Tensor& wanted, double tolerance,
                  const char* what) {
  ASSERT_EQ(computed.sizes(), wanted.sizes()) << what;
  const double largest = wanted.abs().max().item<double>();
  const double difference =
      computed.to(at::kDouble).sub(wanted.to(at::kDouble)).abs().max().item<double>();
  EXPECT_LE(difference, tolerance * largest) << what;
}

void check_row(const TensorFile& file, const std::string& key, const Precision& precision) {
  const auto tensor = [&](const std::string& name) {
    return nets::to_tensor(file.at(key + "." + name));
  };
  const at::Tensor logits = tensor("x").to(precision.type);
  at::Tensor labels = tensor("y");
  const bool multi_label = labels.dim() == 2;
  if (multi_label) {
    labels = labels.to(precision.type);
  }
  const at::Tensor weight =
      file.has(key + ".weight") ? tensor("weight").to(precision.type) : at::Tensor();
  const Objective objective =
      multi_label ? Objective::multi_label(weight) : Objective::cross_entropy();
  const at::Tensor wanted_loss = tensor(std::string("loss") + precision.suffix);
  const at::Tensor wanted_gradient = tensor(std::string("grad") + precision.suffix);

  const LossResult result = objective.evaluate(logits, labels, true);
  expect_close(logits.new_full({}, result.loss), wanted_loss, precision.tolerance, "loss");
  expect_close(result.logits_gradient, wanted_gradient, precision.tolerance, "gradient");

  const at::Tensor leaf = logits.clone().set_requires_grad(true);
  const at::Tensor loss = objective.graph_loss(leaf, labels);
  expect_close(loss.detach(), wanted_loss, precision.tolerance, "loss in the graph");
  expect_close(torch::autograd::grad({loss}, {leaf}).front(), wanted_gradient, precision.tolerance,
               "gradient in the graph");
}

void check_all(const Precision& precision) {
  int rows = 0;
  for (const auto& path : testing::golden_cases("08_metrics")) {
    const json document = json::parse(read_file(path));
    const TensorFile file =
        read_tensor_file(path.parent_path() / document.at("safetensors").get<std::string>());
    for (const json& row : document.at("rows")) {
      if (row.contains("loss")) {
        const std::string key = row.at("key");
        SCOPED_TRACE(path.filename().string() + " " + key);
        check_row(file, key, precision);
        ++rows;
      }
    }
  }
  EXPECT_GT(rows, 0) << "no loss in 08_metrics";
}

TEST(LossGolden, AgreesInFloat32) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "08_metrics");
  check_all(kSingle);
}

TEST(LossGolden, AgreesInFloat64) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "08_metrics");
  check_all(kDouble);
}

}  // namespace
}  // namespace probedarts::learn
