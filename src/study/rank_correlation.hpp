#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "study/statistics.hpp"

/// Does one order foretell another, when the points come in strata that cannot be compared with
/// each other: data sets, whose accuracies differ for reasons of their own?
namespace probedarts::study {

struct RankPoint {
  double x = 0.0, y = 0.0;
  std::size_t stratum = 0;  ///< any number
};

struct RankCorrelation {
  std::size_t points = 0, strata = 0;    ///< a point alone in its stratum counts nothing: left out
  std::optional<double> tau, rho;        ///< -1..1; nothing when a side is constant in each stratum
  std::optional<Interval> tau_interval;  ///< 95 %; nothing for less than six points
  std::optional<double> p;               ///< of rho, two-sided
};

/// Rank correlation within strata. Pairs of points of different strata are not looked at, so that
/// for one stratum this is `kendall_tau_b` and `spearman`:
///
///     tau = sum s_x s_y / sqrt(sum s_x^2 sum s_y^2),    over pairs (i, j) of one stratum,
///     rho = sum a b / sqrt(sum a^2 sum b^2),            over points,
///
/// with s_x = sign(x_i - x_j) and a_i = 1/2 sum_j s_x, the midrank of x_i in its stratum less the
/// mean rank there; s_y and b likewise.
///
/// p: a permutation test that shuffles y within strata (Pitman 1937); all ways where there are at
/// most 40,320, else 10,000 random ones and the one seen. The interval is a percentile bootstrap of
/// tau with points drawn within strata; a point drawn twice forms no pair with itself. It is too
/// narrow for few points: read p then.
/// Cost: up to 10,000 n^2, less (but never below 1,000 resamples) for many points.
RankCorrelation correlate_ranks(const std::vector<RankPoint>& points, std::uint64_t seed);

}  // namespace probedarts::study
