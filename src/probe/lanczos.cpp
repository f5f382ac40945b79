#include "probe/lanczos.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <tuple>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/zeros.h>

#include "core/errors.hpp"

namespace probedarts::probe {
namespace {

/// The tridiagonal matrix of the basis so far.
struct Tridiagonal {
  std::vector<double> diagonal,
      beside;  ///< beside[i] couples i and i + 1; the last one looks ahead

  /// Both ends of its spectrum, and what the largest one leaves over.
  ExtremeEigenvalues ends() const {
    const auto size = static_cast<std::int64_t>(diagonal.size());
    at::Tensor matrix = at::zeros({size, size}, at::kDouble);
    auto entry = matrix.accessor<double, 2>();
    for (std::int64_t i = 0; i < size; ++i) {
      entry[i][i] = diagonal[static_cast<std::size_t>(i)];
      if (i + 1 < size) {
        entry[i][i + 1] = entry[i + 1][i] = beside[static_cast<std::size_t>(i)];
      }
    }
    const auto [values, vectors] = at::linalg_eigh(matrix);
    const double last_component = vectors[size - 1][size - 1].item<double>();
    return {values[size - 1].item<double>(), values[0].item<double>(),
            beside.back() * std::abs(last_component), static_cast<int>(size)};
  }
};

}  // namespace

ExtremeEigenvalues extreme_eigenvalues(const at::Tensor& start,
                                       const std::function<at::Tensor(const at::Tensor&)>& product,
                                       const LanczosOptions& options) {
  constexpr double kExhausted =
      1e-12;  // relative: what is left is rounding, the space is invariant
  const double length = start.norm().item<double>();
  require(std::isfinite(length) && length > 0.0, "Lanczos begins with a vector that is not zero");
  std::vector<at::Tensor> basis = {start.div(length)};
  Tridiagonal projected;
  for (;;) {
    at::Tensor next = product(basis.back());
    const double size = next.norm().item<double>();
    projected.diagonal.push_back(next.dot(basis.back()).item<double>());
    for (int pass = 0; pass < 2; ++pass) {
      for (const at::Tensor& direction : basis) {
        next = next.sub(direction.mul(direction.dot(next)));
      }
    }
    projected.beside.push_back(next.norm().item<double>());
    const ExtremeEigenvalues found = projected.ends();
    const double scale = std::max(std::abs(found.largest), std::abs(found.smallest));
    if (static_cast<int>(basis.size()) == std::min<std::int64_t>(options.steps, start.numel()) ||
        found.residual <= options.tolerance * std::abs(found.largest) ||
        projected.beside.back() <= kExhausted * std::max(size, scale)) {
      return found;
    }
    basis.push_back(next.div(projected.beside.back()));
  }
}

}  // namespace probedarts::probe
