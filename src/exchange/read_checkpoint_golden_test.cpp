// The official checkpoints (golden group 01_pretrained): saved from cuda:0 by PyTorch 1.6 or later.
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "exchange/read_checkpoint.hpp"
#include "exchange/write_checkpoint.hpp"
#include "support/shared_files.hpp"

namespace probedarts::exchange {
namespace {

using nlohmann::json;

json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

/// Trained numbers: all but the statistics of batch normalisation.
std::int64_t trained_numbers(const TensorFile& file) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const bool statistic = name.find(".running_") != std::string::npos ||
                           name.find(".num_batches_tracked") != std::string::npos;
    count += statistic ? 0 : tensor.numel();
  }
  return count;
}

TEST(OfficialCheckpoint, HoldsThePublishedTensors) {
  PROBEDARTS_NEEDS_GROUP("01_pretrained");
  for (const std::filesystem::path& path : testing::golden_cases("01_pretrained")) {
    SCOPED_TRACE(path);
    const json facts = read_json(path);
    const TensorFile file =
        read_checkpoint(testing::golden_folder() / facts.at("checkpoint").get<std::string>());
    EXPECT_EQ(file.tensors.size(), facts.at("state_dict_entries").get<std::size_t>());
    EXPECT_EQ(trained_numbers(file), facts.at("parameters").get<std::int64_t>());
    EXPECT_EQ(file.at("stem.0.weight").shape,
              (std::vector<std::int64_t>{facts.at("C").get<std::int64_t>() / 2, 3, 3, 3}));
    EXPECT_EQ(file.at("classifier.bias").shape,
              (std::vector<std::int64_t>{facts.at("classes").get<std::int64_t>()}));
    EXPECT_EQ(file.at("stem.1.num_batches_tracked").type, ElementType::kI64);
    EXPECT_TRUE(file.at("stem.1.num_batches_tracked").shape.empty());
  }
}

/// First numbers of two weights, as printed by Python: torch.load(...)['stem.0.weight'] with
/// PyTorch 1.13.1. All bytes of all tensors are compared in torch_interchange_test.cpp.
TEST(OfficialCheckpoint, HoldsTheNumbersThatPythonSees) {
  if (testing::golden_is_given()) {
    GTEST_SKIP() << "these numbers are of a file of the default folder";
  }
  const std::filesystem::path path = testing::golden_folder() / "pretrained/ADP/darts_adp_n4.pt";
  PROBEDARTS_NEEDS(path);
  const TensorFile file = read_checkpoint(path);
  EXPECT_EQ(file.at("stem.0.weight").as_doubles()[0], 0.5534679889678955);
  EXPECT_EQ(file.at("stem.0.weight").as_doubles()[1], 0.3898451626300812);
  EXPECT_EQ(file.at("classifier.weight").as_doubles()[0], 0.001285603386349976);
}

TEST(OfficialCheckpoint, IsTheSameAfterWritingAndReading) {
  PROBEDARTS_NEEDS_GROUP("01_pretrained");
  for (const std::filesystem::path& path : testing::golden_cases("01_pretrained")) {
    SCOPED_TRACE(path);
    const TensorFile file = read_checkpoint(testing::golden_folder() /
                                            read_json(path).at("checkpoint").get<std::string>());
    EXPECT_EQ(format_tensor_file(parse_checkpoint(format_torch_zip(file, "x"), "x")),
              format_tensor_file(file));
  }
}

}  // namespace
}  // namespace probedarts::exchange
