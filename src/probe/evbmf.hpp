#pragma once

#include <vector>

namespace probedarts::probe {

/// How the noise variance of EVBMF is searched.
enum class EvbmfScale {
  kAsPublished,  ///< bounded Brent with absolute tolerance 1e-5 in sigma^2, as the authors run it
  kScaleFree,    ///< the matrix divided by its root mean square first: no unit in the tolerance
};

/// Low-rank part of a matrix under empirical variational Bayes matrix factorisation.
struct LowRank {
  std::vector<double> singular_values;  ///< d_1 >= ... >= d_r, shrunken; empty: nothing but noise
  double noise_variance = 0.0;          ///< sigma^2; 0 for a matrix of zeros
  int evaluations = 0;                  ///< of the free energy, until sigma^2 was found
};

/// Analytic EVBMF from the singular values alone (Nakajima, Sugiyama, Babacan & Tomioka, JMLR 14,
/// 2013, thm. 2 and sec. 6). With L <= M, alpha = L/M, tau = 2.5129 sqrt(alpha) and
/// x = (1 + tau)(1 + alpha/tau), sigma^2 minimises the free energy between bounds given by the tail
/// of the spectrum, the s_i > sqrt(M sigma^2 x) are kept, and
///     d = s/2 (1 - (L+M) sigma^2/s^2 + sqrt((1 - (L+M) sigma^2/s^2)^2 - 4 L M sigma^4/s^4)).
/// The free energy has several local minima, so the minimiser is part of the method
/// (docs/method.md, "Probes"): bounded_minimum.hpp, in double.
///
/// Where equal singular values make the lower bound exceed the upper one by rounding (the published
/// code dies there), the bounds are taken to meet. A singular value of exactly 0 counts as tiny.
///
/// \param singular_values  all L of them, descending, finite.
/// \param rows,columns     of the matrix, in either order.
/// \throws Bug  another number of singular values, or one that is not finite.
/// Cost: about 15 evaluations of the free energy, O(L) each. Thread-safe.
LowRank evbmf(const std::vector<double>& singular_values, long rows, long columns,
              EvbmfScale scale = EvbmfScale::kAsPublished);

}  // namespace probedarts::probe
