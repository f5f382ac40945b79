#pragma once

namespace probedarts::study {

/// Student's t distribution: P(T <= t).
///
///     P(T <= -|t|) = I_x(nu/2, 1/2) / 2,   x = nu / (nu + t^2)
///
/// I_x: the regularised incomplete beta function, by its continued fraction (Abramowitz & Stegun,
/// 26.7.1, 26.5.8), evaluated by Lentz's method. Relative error about 1e-13.
/// \param freedom  degrees of freedom nu, above 0.
double student_cdf(double t, double freedom);

/// The t with P(T <= t) = probability, in (0, 1); bisection to the last bit but two.
double student_quantile(double probability, double freedom);

/// Power of the two-sided paired t test: the probability that it rejects at `level` when the
/// differences are normal with mean / sd = `effect`.
///
///     P(|T'| > t_{1 - level/2}),   T' = (Z + effect sqrt(n)) / sqrt(V / nu),   nu = n - 1
///
/// (non-central t), by Simpson's rule over s = sqrt(V / nu). Absolute error below 1e-7.
/// \param runs  n, at least 2.
double paired_t_power(int runs, double effect, double level);

}  // namespace probedarts::study
