#pragma once

#include <functional>

namespace probedarts::probe {

/// What a bounded minimisation found.
struct BoundedMinimum {
  double argument = 0.0;  ///< the best point seen
  double value = 0.0;     ///< the function there
  int evaluations = 0;    ///< of the function
};

/// Minimum of a function of one variable between two bounds, by golden section and successive
/// parabolas (Brent, "Algorithms for Minimization without Derivatives", 1973, ch. 5; the `fmin` of
/// Forsythe, Malcolm & Moler, 1977).
///
/// Where the function has several minima the steps decide which is found, so they are those of
/// scipy 1.10's minimize_scalar(method="bounded"): first point at the golden section from `low`; a
/// tolerance of sqrt(2^-52) |x| + tolerance / 3 around the best point; stop when that point is
/// within twice this of both ends.
///
/// \param low,high          finite, low <= high; neither is ever evaluated. When they meet, that
///                          point is returned.
/// \param tolerance         absolute, in the argument.
/// \param most_evaluations  gives up after that many and returns the best point so far.
/// \throws Bug  a bound is not finite, or low > high.
/// Thread-safe where `function` is.
BoundedMinimum bounded_minimum(const std::function<double(double)>& function, double low,
                               double high, double tolerance, int most_evaluations);

}  // namespace probedarts::probe
