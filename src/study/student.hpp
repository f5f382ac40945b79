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

/// Power of a two-sided t test: the probability of |T'| > t_{1 - level/2}, where
///
///     T' = (Z + shift) / sqrt(V / nu),   Z normal, V chi-squared with nu = `freedom`
///
/// (non-central t), by Simpson's rule over s = sqrt(V / nu). Absolute error below 1e-7.
/// \param shift  of two samples of n runs each: effect sqrt(n / 2), with freedom 2 n - 2.
/// \param freedom  at least 1.
double t_power(double shift, double freedom, double level);

/// Power of the two-sided paired t test: the probability that it rejects at `level` when the
/// differences are normal with mean / sd = `effect`.
/// That is `t_power` with the shift effect sqrt(n) and n - 1 degrees of freedom.
/// \param runs  n, at least 2.
double paired_t_power(int runs, double effect, double level);

}  // namespace probedarts::study
