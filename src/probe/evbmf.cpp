#include "probe/evbmf.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "core/errors.hpp"
#include "probe/bounded_minimum.hpp"

namespace probedarts::probe {
namespace {

constexpr double kTolerance = 1e-5;  ///< of the search, absolute in sigma^2, as the authors run it
constexpr int kMostEvaluations = 500;
constexpr double kTinySquare = 1e-60;  ///< of the largest; far below what an SVD resolves

/// The matrix as EVBMF sees it: L <= M and squared singular values.
struct Spectrum {
  double L;
  double M;
  double alpha;  ///< L / M
  double x_ub;   ///< threshold on s^2 / (M sigma^2)
  std::vector<double> squares;
};

Spectrum spectrum_of(const std::vector<double>& singular_values, long rows, long columns) {
  Spectrum spectrum;
  spectrum.L = static_cast<double>(std::min(rows, columns));
  spectrum.M = static_cast<double>(std::max(rows, columns));
  spectrum.alpha = spectrum.L / spectrum.M;
  const double tau = 2.5129 * std::sqrt(spectrum.alpha);
  spectrum.x_ub = (1.0 + tau) * (1.0 + spectrum.alpha / tau);
  const double largest = singular_values.front() * singular_values.front();
  for (const double s : singular_values) {
    // One of exactly 0 would make the free energy infinite everywhere; any tiny one only adds a
    // constant to it.
    spectrum.squares.push_back(s > 0.0 ? s * s : kTinySquare * largest);
  }
  return spectrum;
}

/// Free energy at sigma^2, up to a constant (Nakajima et al. 2013, eq. 26 ff.): with x_i = s_i^2 /
/// (M sigma^2), tau(x) = (x - (1 + alpha) + sqrt((x - (1 + alpha))^2 - 4 alpha)) / 2,
///     sum_i x_i - log x_i  +  sum_{x_i > x_ub} log(tau_i + 1) + alpha log(tau_i / alpha + 1) -
///     tau_i.
double free_energy(const Spectrum& spectrum, double noise_variance) {
  double energy = 0.0;
  for (const double square : spectrum.squares) {
    const double x = square / (spectrum.M * noise_variance);
    energy += x - std::log(x);
    if (x > spectrum.x_ub) {
      const double centred = x - (1.0 + spectrum.alpha);
      const double tau = 0.5 * (centred + std::sqrt(centred * centred - 4.0 * spectrum.alpha));
      energy += std::log(tau + 1.0) + spectrum.alpha * std::log(tau / spectrum.alpha + 1.0) - tau;
    }
  }
  return energy;
}

struct Bounds {
  double low;
  double high;
};

/// Bounds of sigma^2 (Nakajima et al. 2013, thm. 3): at most ceil(L / (1 + alpha)) - 1 components
/// stand above the noise.
Bounds noise_bounds(const Spectrum& spectrum) {
  const auto& squares = spectrum.squares;
  const auto most_kept = static_cast<std::ptrdiff_t>(
      std::min(std::ceil(spectrum.L / (1.0 + spectrum.alpha)) - 1.0, spectrum.L));
  const double tail = std::accumulate(squares.begin() + most_kept, squares.end(), 0.0);
  const auto tail_size = static_cast<double>(squares.size()) - static_cast<double>(most_kept);
  const double low =
      std::max(squares[static_cast<std::size_t>(most_kept)] / (spectrum.M * spectrum.x_ub),
               tail / tail_size / spectrum.M);
  const double high =
      std::accumulate(squares.begin(), squares.end(), 0.0) / (spectrum.L * spectrum.M);
  // Equal singular values: both bounds are the same number, rounded differently.
  return {std::min(low, high), high};
}

/// Singular values of the low-rank part that stand above the noise.
std::vector<double> shrink(const std::vector<double>& singular_values, const Spectrum& spectrum,
                           double noise_variance) {
  std::vector<double> kept;
  const double threshold = std::sqrt(spectrum.M * noise_variance * spectrum.x_ub);
  for (const double s : singular_values) {
    if (s > threshold) {
      const double noise_share = noise_variance / (s * s);
      const double left = 1.0 - (spectrum.L + spectrum.M) * noise_share;
      const double pair = 4.0 * spectrum.L * spectrum.M * noise_share * noise_share;
      kept.push_back(0.5 * s * (left + std::sqrt(left * left - pair)));
    }
  }
  return kept;
}

LowRank as_published(const std::vector<double>& singular_values, long rows, long columns) {
  const Spectrum spectrum = spectrum_of(singular_values, rows, columns);
  const Bounds bounds = noise_bounds(spectrum);
  if (bounds.high <= 0.0) {
    return {};  // every entry is 0
  }
  const BoundedMinimum minimum =
      bounded_minimum([&](double noise_variance) { return free_energy(spectrum, noise_variance); },
                      bounds.low, bounds.high, kTolerance, kMostEvaluations);
  return {shrink(singular_values, spectrum, minimum.argument), minimum.argument,
          minimum.evaluations};
}

}  // namespace

LowRank evbmf(const std::vector<double>& singular_values, long rows, long columns,
              EvbmfScale scale) {
  require(rows > 0 && columns > 0, "evbmf: the matrix is not empty");
  require(singular_values.size() == static_cast<std::size_t>(std::min(rows, columns)),
          "evbmf: all singular values of the matrix");
  for (const double s : singular_values) {
    require(std::isfinite(s), "evbmf: singular values are finite");
  }
  if (scale == EvbmfScale::kAsPublished) {
    return as_published(singular_values, rows, columns);
  }
  double energy = 0.0;
  for (const double s : singular_values) {
    energy += s * s;
  }
  const double unit =
      std::sqrt(energy / (static_cast<double>(rows) * static_cast<double>(columns)));
  if (unit <= 0.0) {
    return {};
  }
  std::vector<double> scaled = singular_values;
  for (double& s : scaled) {
    s /= unit;
  }
  LowRank low_rank = as_published(scaled, rows, columns);
  for (double& d : low_rank.singular_values) {
    d *= unit;
  }
  low_rank.noise_variance *= unit * unit;
  return low_rank;
}

}  // namespace probedarts::probe
