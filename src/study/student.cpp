#include "study/student.hpp"

#include <algorithm>
#include <cmath>

#include "core/errors.hpp"

namespace probedarts::study {
namespace {

/// Continued fraction of the incomplete beta function; converges fast for x < (a + 1) / (a + b +
/// 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr int steps = 100000;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1.0;
  double d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
  double fraction = d;
  for (int m = 1; m < steps; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1.0 / away_from_zero(1.0 + even * d);
    c = away_from_zero(1.0 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1.0 / away_from_zero(1.0 + odd * d);
    c = away_from_zero(1.0 + odd / c);
    fraction *= d * c;
    if (std::abs(d * c - 1.0) < 1e-15) {
      break;
    }
  }
  return fraction;
}

/// I_x(a, b); `y` is 1 - x, given apart because it may be far smaller than x.
double incomplete_beta(double a, double b, double x, double y) {
  if (x <= 0.0 || y <= 0.0) {
    return x <= 0.0 ? 0.0 : 1.0;
  }
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log(y));
  return x < (a + 1.0) / (a + b + 2.0) ? front * beta_fraction(a, b, x) / a
                                       : 1.0 - front * beta_fraction(b, a, y) / b;
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

}  // namespace

double student_cdf(double t, double freedom) {
  require(freedom > 0.0, "a t distribution has more than 0 degrees of freedom");
  const double whole = freedom + t * t;
  const double tail = 0.5 * incomplete_beta(freedom / 2.0, 0.5, freedom / whole, t * t / whole);
  return t < 0.0 ? tail : 1.0 - tail;
}

double student_quantile(double probability, double freedom) {
  require(probability > 0.0 && probability < 1.0, "a probability lies between 0 and 1");
  double low = -1.0;
  double high = 1.0;
  while (student_cdf(low, freedom) > probability) {
    low *= 2.0;
  }
  while (student_cdf(high, freedom) < probability) {
    high *= 2.0;
  }
  while (high - low > 1e-15 * std::max(1.0, std::max(std::abs(low), std::abs(high)))) {
    const double middle = low + (high - low) / 2.0;
    if (middle <= low || middle >= high) {
      break;
    }
    (student_cdf(middle, freedom) < probability ? low : high) = middle;
  }
  return low + (high - low) / 2.0;
}

double t_power(double signed_shift, double freedom, double level) {
  require(freedom >= 1.0 && level > 0.0 && level < 1.0,
          "a test needs a degree of freedom and a level in (0, 1)");
  const double shift = std::abs(signed_shift);
  const double critical = student_quantile(1.0 - level / 2.0, freedom);
  // Density of s, chi over sqrt(nu): 2 (nu/2)^(nu/2) s^(nu-1) exp(-nu s^2 / 2) / gamma(nu/2).
  const double log_front =
      std::log(2.0) + freedom / 2.0 * std::log(freedom / 2.0) - std::lgamma(freedom / 2.0);
  const auto rejected_at = [&](double s) {
    if (s <= 0.0) {
      // Only with one degree of freedom has s = 0 a density; there the test always rejects, but
      // for a shift of 0, where both tails meet in the middle and give the same sum.
      return freedom == 1.0 ? std::exp(log_front) : 0.0;
    }
    const double density =
        std::exp(log_front + (freedom - 1.0) * std::log(s) - freedom * s * s / 2.0);
    return density * (normal_cdf(shift - critical * s) + normal_cdf(-shift - critical * s));
  };
  // Even. With many degrees of freedom the density is all but a normal one, of which steps of 0.06
  // standard deviations miss less than rounding does.
  const int steps = freedom >= 30.0 ? 400 : 4000;
  const double reach = 12.0 / std::sqrt(2.0 * freedom);
  const double from = std::max(0.0, 1.0 - reach);
  const double step = (1.0 + reach - from) / steps;
  double sum = rejected_at(from) + rejected_at(from + steps * step);
  for (int i = 1; i < steps; ++i) {
    sum += (i % 2 == 1 ? 4.0 : 2.0) * rejected_at(from + i * step);
  }
  return std::min(1.0, sum * step / 3.0);
}

double paired_t_power(int runs, double effect, double level) {
  require(runs >= 2, "a paired test needs two runs");
  return t_power(effect * std::sqrt(static_cast<double>(runs)), runs - 1.0, level);
}

}  // namespace probedarts::study
