// Tolerances: float64 throughout; where the iteration ends by exhausting the space the eigenvalues
// carry rounding only, some 1e-14 of the largest, and 1e-10 is asked.

#include "probe/lanczos.hpp"

#include <cmath>
#include <cstdint>
#include <numbers>

#include <gtest/gtest.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "core/errors.hpp"
#include "core/random.hpp"

namespace probedarts::probe {
namespace {

at::Tensor random_normal(at::IntArrayRef shape, const char* purpose) {
  at::Tensor drawn = at::empty(shape, at::kDouble);
  Stream stream(5, purpose);
  for (std::int64_t i = 0; i < drawn.numel(); ++i) {
    drawn.data_ptr<double>()[i] = stream.normal();
  }
  return drawn;
}

auto times(const at::Tensor& matrix) {
  return [matrix](const at::Tensor& v) { return at::matmul(matrix, v); };
}

/// 2 on the diagonal, -1 beside it: eigenvalues 2 - 2 cos(k pi / (n + 1)), k = 1 .. n.
at::Tensor second_differences(std::int64_t n) {
  at::Tensor matrix = at::zeros({n, n}, at::kDouble);
  auto entry = matrix.accessor<double, 2>();
  for (std::int64_t i = 0; i < n; ++i) {
    entry[i][i] = 2.0;
    if (i + 1 < n) {
      entry[i][i + 1] = entry[i + 1][i] = -1.0;
    }
  }
  return matrix;
}

TEST(ExtremeEigenvalues, OfSecondDifferencesAreTheKnownCosines) {
  const ExtremeEigenvalues found =
      extreme_eigenvalues(random_normal({12}, "start"), times(second_differences(12)), {12, 0.0});
  EXPECT_NEAR(found.largest, 2.0 + 2.0 * std::cos(std::numbers::pi / 13.0), 1e-10);
  EXPECT_NEAR(found.smallest, 2.0 - 2.0 * std::cos(std::numbers::pi / 13.0), 1e-10);
}

TEST(ExtremeEigenvalues, OfAMultipleOfTheIdentityTakeOneProduct) {
  const ExtremeEigenvalues found = extreme_eigenvalues(
      random_normal({30}, "start"), [](const at::Tensor& v) { return v.mul(-3.5); }, {10, 0.0});
  EXPECT_EQ(found.products, 1);
  EXPECT_NEAR(found.largest, -3.5, 1e-10);
  EXPECT_NEAR(found.smallest, -3.5, 1e-10);
}

TEST(ExtremeEigenvalues, OfARankOneMatrixTakeTwoProducts) {
  const at::Tensor u = random_normal({40}, "direction");
  const ExtremeEigenvalues found =
      extreme_eigenvalues(random_normal({40}, "start"),
                          [&](const at::Tensor& v) { return u.mul(u.dot(v)); }, {10, 1e-9});
  EXPECT_EQ(found.products, 2);
  EXPECT_NEAR(found.largest, u.dot(u).item<double>(), 1e-9);
  EXPECT_NEAR(found.smallest, 0.0, 1e-9);
}

TEST(ExtremeEigenvalues, OfTheZeroMatrixAreZero) {
  const ExtremeEigenvalues found = extreme_eigenvalues(
      at::ones({5}, at::kDouble), [](const at::Tensor& v) { return v.mul(0.0); });
  EXPECT_EQ(found.largest, 0.0);
  EXPECT_EQ(found.smallest, 0.0);
  EXPECT_EQ(found.products, 1);
}

TEST(ExtremeEigenvalues, AreWithinTheResidualOfAnEigenvalueWhenStoppedEarly) {
  const at::Tensor root = random_normal({60, 60}, "matrix");
  const at::Tensor matrix = root.add(root.t());
  const at::Tensor all = at::linalg_eigvalsh(matrix);
  const ExtremeEigenvalues found =
      extreme_eigenvalues(random_normal({60}, "start"), times(matrix), {8, 0.0});
  EXPECT_EQ(found.products, 8);
  EXPECT_LE(found.largest, all[59].item<double>() + 1e-10);
  EXPECT_GE(found.smallest, all[0].item<double>() - 1e-10);
  EXPECT_LE(all.sub(found.largest).abs().min().item<double>(), found.residual + 1e-10);
}

TEST(ExtremeEigenvalues, StopOnceTheResidualIsBelowTheTolerance) {
  const at::Tensor root = random_normal({60, 60}, "matrix");
  const at::Tensor matrix = root.add(root.t());
  const ExtremeEigenvalues found =
      extreme_eigenvalues(random_normal({60}, "start"), times(matrix), {60, 0.01});
  EXPECT_LT(found.products, 60);
  EXPECT_LE(found.residual, 0.01 * found.largest);
  // The error of the value is of the order of the residual's square.
  EXPECT_NEAR(found.largest, at::linalg_eigvalsh(matrix)[59].item<double>(), 1e-3 * found.largest);
}

TEST(ExtremeEigenvalues, RefuseToBeginWithNothing) {
  EXPECT_THROW(
      extreme_eigenvalues(at::zeros({4}, at::kDouble), [](const at::Tensor& v) { return v; }), Bug);
}

}  // namespace
}  // namespace probedarts::probe
