// Against the published code run in float64 (golden group 06_evbmf). Tolerances are those of its
// JSON, key "double_implementation": sigma^2 1e-6 relative, rank exact, KG 1e-7 absolute, condition
// 1e-6 relative.
#include <cmath>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_svdvals.h>

#include "core/errors.hpp"
#include "probe/evbmf.hpp"
#include "probe/stable_rank.hpp"
#include "support/golden_case.hpp"
#include "support/shared_files.hpp"

namespace probedarts::probe {
namespace {

using nlohmann::json;

at::Tensor double_tensor(const StoredTensor& stored) {
  std::vector<double> values = stored.as_doubles();
  return at::from_blob(values.data(), stored.shape, at::kDouble).clone();
}

std::vector<double> singular_values_of(const at::Tensor& matrix) {
  const at::Tensor values = at::linalg_svdvals(matrix).contiguous();
  const double* first = values.data_ptr<double>();
  return {first, first + values.numel()};
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

/// The spectrum of the float32 run, to 1e-5 of its largest value (JSON key "s").
void expect_spectrum(const std::vector<double>& found, const std::vector<double>& s) {
  ASSERT_EQ(found.size(), s.size());
  for (std::size_t i = 0; i < s.size(); ++i) {
    EXPECT_NEAR(found[i], s[i], 1e-5 * s[0]) << i;
  }
}

/// The float32 run, where rounding decided nothing: not "fragile" and no value close to the
/// threshold (JSON keys "fragile" and "pos"). Then as many values are kept and KG agrees to 2e-3
/// (JSON key "KG"); where that run found the same sigma^2 as well (1e-3 relative, JSON key
/// "sigma2"), the kept values do to 1e-3 (JSON key "d").
void expect_single_precision_run(const json& row, const LowRank& found, double stable_rank,
                                 const std::vector<double>& d) {
  const json& single = row.at("evbmf");
  if (row.at("fragile").get<bool>() || !single.contains("gap") || !single.at("gap").is_number() ||
      single.at("gap").get<double>() <= 1e-4 * single.at("threshold").get<double>()) {
    return;
  }
  ASSERT_EQ(found.singular_values.size(), single.at("pos").get<std::size_t>());
  ASSERT_EQ(found.singular_values.size(), d.size());
  EXPECT_NEAR(stable_rank, row.at("compute_low_rank").at("KG").get<double>(), 2e-3);
  if (std::abs(single.at("sigma2").get<double>() - found.noise_variance) <=
      1e-3 * found.noise_variance) {
    for (std::size_t i = 0; i < d.size(); ++i) {
      EXPECT_NEAR(found.singular_values[i], d[i], 1e-3 * d[i]);
    }
  }
}

void check_row(const json& row, const testing::GoldenCase& golden) {
  const std::string name = row.at("name");
  SCOPED_TRACE(golden.path.filename().string() + " " + name);
  const at::Tensor matrix = double_tensor(golden.at(name + ".Y"));
  if (!has_numbers(row)) {
    EXPECT_THROW(probe_matrix(matrix), Diverged);
    return;
  }
  const SideMetrics metrics = probe_matrix(matrix);
  expect_published_metrics(row, metrics);
  const std::vector<double> values = singular_values_of(matrix);
  const LowRank found = evbmf(values, matrix.size(0), matrix.size(1));
  expect_published_low_rank(row, found);
  if (golden.has(name + ".s")) {
    expect_spectrum(values, golden.at(name + ".s").as_doubles());
  }
  if (golden.has(name + ".d")) {
    expect_single_precision_run(row, found, metrics.stable_rank,
                                golden.at(name + ".d").as_doubles());
  }
}

TEST(EvbmfGolden, AgreesWithThePublishedCodeInDouble) {
  PROBEDARTS_NEEDS_GROUP("06_evbmf");
  int rows = 0;
  for (const auto& path : testing::golden_cases("06_evbmf")) {
    const testing::GoldenCase golden(path);
    for (const json& row : golden.facts.at("rows")) {
      check_row(row, golden);
      ++rows;
    }
    golden.expect_all_read();
  }
  EXPECT_GT(rows, 0) << "no row in 06_evbmf";
}

}  // namespace
}  // namespace probedarts::probe
