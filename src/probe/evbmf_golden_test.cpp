// Against the published code run in float64 (golden group 06_evbmf). Tolerances are those of its
// JSON, key "double_implementation": sigma^2 1e-6 relative, rank exact, KG 1e-7 absolute, condition
// 1e-6 relative.
#include <cmath>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_svdvals.h>

#include "core/errors.hpp"
#include "core/tensor_file.hpp"
#include "probe/evbmf.hpp"
#include "probe/stable_rank.hpp"
#include "support/shared_files.hpp"

namespace probedarts::probe {
namespace {

using nlohmann::json;

at::Tensor double_tensor(const StoredTensor& stored) {
  std::vector<double> values = stored.as_doubles();
  return at::from_blob(values.data(), stored.shape, at::kDouble).clone();
}

LowRank low_rank_of(const at::Tensor& matrix) {
  const at::Tensor values = at::linalg_svdvals(matrix).contiguous();
  const double* first = values.data_ptr<double>();
  return evbmf(std::vector<double>(first, first + values.numel()), matrix.size(0), matrix.size(1));
}

/// A matrix on which the published code fails in float64 has no numbers there.
bool has_numbers(const json& row) {
  return row.contains("float64_run") && row.at("float64_run").contains("sigma2") &&
         row.at("float64_run").at("sigma2").is_number();
}

void expect_published_low_rank(const json& row, const LowRank& found) {
  const json& published = row.at("float64_run");
  const double noise_variance = published.at("sigma2");
  EXPECT_NEAR(found.noise_variance, noise_variance, 1e-6 * noise_variance);
  if (published.at("status") == 0) {  // otherwise the published search stopped on NaN (all zeros)
    EXPECT_EQ(found.evaluations, published.at("nfev").get<int>());
  }
}

void expect_published_metrics(const json& row, const SideMetrics& found) {
  const json& published = row.at("float64_run");
  const double condition = published.at("condition");
  EXPECT_EQ(found.rank, published.at("rank").get<double>());
  EXPECT_NEAR(found.stable_rank, published.at("KG").get<double>(), 1e-7);
  EXPECT_NEAR(found.condition, condition, 1e-6 * condition);
}

/// The kept values exist from the float32 run only. They are comparable (1e-3 relative, JSON key
/// "d") where that run found the same sigma^2 (1e-3 relative, JSON key "sigma2") and no value close
/// to the threshold (JSON key "pos").
void expect_shrunken_values(const json& row, const LowRank& found, const std::vector<double>& d) {
  const json& single = row.at("evbmf");
  if (row.at("fragile").get<bool>() || !single.contains("gap") || !single.at("gap").is_number() ||
      single.at("gap").get<double>() <= 1e-4 * single.at("threshold").get<double>() ||
      std::abs(single.at("sigma2").get<double>() - found.noise_variance) >
          1e-3 * found.noise_variance) {
    return;
  }
  ASSERT_EQ(found.singular_values.size(), d.size());
  for (std::size_t i = 0; i < d.size(); ++i) {
    EXPECT_NEAR(found.singular_values[i], d[i], 1e-3 * d[i]);
  }
}

TEST(EvbmfGolden, AgreesWithThePublishedCodeInDouble) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "06_evbmf");
  int rows = 0;
  for (const auto& path : testing::golden_cases("06_evbmf")) {
    std::ifstream stream(path);
    const json document = json::parse(stream);
    const TensorFile file =
        read_tensor_file(path.parent_path() / document.at("safetensors").get<std::string>());
    for (const json& row : document.at("rows")) {
      const std::string name = row.at("name");
      SCOPED_TRACE(path.filename().string() + " " + name);
      const at::Tensor matrix = double_tensor(file.at(name + ".Y"));
      ++rows;
      if (!has_numbers(row)) {
        EXPECT_THROW(probe_matrix(matrix), Diverged);
        continue;
      }
      expect_published_metrics(row, probe_matrix(matrix));
      const LowRank found = low_rank_of(matrix);
      expect_published_low_rank(row, found);
      if (file.has(name + ".d")) {
        expect_shrunken_values(row, found, file.at(name + ".d").as_doubles());
      }
    }
  }
  EXPECT_GT(rows, 0) << "no case in 06_evbmf";
}

}  // namespace
}  // namespace probedarts::probe
