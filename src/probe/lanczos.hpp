#pragma once

#include <functional>

#include "core/tensor_fwd.hpp"

namespace probedarts::probe {

struct LanczosOptions {
  int steps = 10;           ///< most products with the matrix
  double tolerance = 0.01;  ///< stop once the residual is below this share of the eigenvalue
};

/// The ends of a symmetric matrix's spectrum, as far as the steps went.
struct ExtremeEigenvalues {
  double largest = 0.0;   ///< approached from below
  double smallest = 0.0;  ///< approached from above
  /// |A y - largest y| of the unit vector y found: some eigenvalue lies within it (Parlett, "The
  /// symmetric eigenvalue problem", 1980, theorem 4.5.1).
  double residual = 0.0;
  int products = 0;
};

/// Lanczos' iteration (J. Res. Natl. Bur. Stand. 45, 1950): an orthonormal basis q_1 .. q_m of
/// start, A start, A^2 start, ...; the eigenvalues of the tridiagonal matrix Q^T A Q approach those
/// of A from inside, its ends first. Every new vector is orthogonalised against all others, twice,
/// since without that rounding brings found eigenvalues back as copies.
///
/// \param start    [n], n >= 1, float64, not zero; an eigenvector orthogonal to it is not found.
/// \param product  A v for a unit vector v, [n] to [n], float64.
/// \throws Bug  `start` is zero or not finite. Cost: at most options.steps products.
ExtremeEigenvalues extreme_eigenvalues(const at::Tensor& start,
                                       const std::function<at::Tensor(const at::Tensor&)>& product,
                                       const LanczosOptions& options = {});

}  // namespace probedarts::probe
