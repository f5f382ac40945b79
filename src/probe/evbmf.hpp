#pragma once

#include <vector>

namespace probedarts::probe {

/// How the noise variance of EVBMF is searched.
enum class EvbmfScale {
  kAsPublished,  ///< bounded Brent with absolute tolerance 1e-5 in sigma^2, as the authors run it
  kScaleFree,    ///< the matrix divided by its root mean square first, so that the tolerance means the same at any scale
};

/// Low-rank part of a matrix under empirical variational Bayes matrix factorisation.
struct LowRank {
  std::vector<double> singular_values;  ///< d_1 >= ... >= d_r, shrunken; empty when nothing rises above the noise
  double noise_variance = 0.0;          ///< sigma^2
};

/// Analytic EVBMF from the singular values alone (Nakajima, Sugiyama, Babacan & Tomioka, JMLR 14, 2013, thm. 2 and
/// sec. 6): with L <= M, alpha = L/M, tau = 2.5129 sqrt(alpha), x = (1 + tau)(1 + alpha/tau), sigma^2 minimises the
/// free energy between bounds given by the tail of the spectrum, s_i > sqrt(M sigma^2 x) are kept, and
///     d = s/2 (1 - (L+M) sigma^2/s^2 + sqrt((1 - (L+M) sigma^2/s^2)^2 - 4 L M sigma^4/s^4)).
/// The free energy has several local minima, so the minimiser is part of the method (`spec.md` §3): bounded Brent as
/// scipy's minimize_scalar(method="bounded"), step by step, in double.
///
/// \param singular_values  all L of them, descending, finite.
/// \param rows,columns     of the matrix, in either order.
LowRank evbmf(const std::vector<double>& singular_values, long rows, long columns,
              EvbmfScale scale = EvbmfScale::kAsPublished);

}  // namespace probedarts::probe
