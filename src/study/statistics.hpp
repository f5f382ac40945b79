#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/mean_and_sd.hpp"

/// What a few runs allow one to say. Plain numbers in, plain numbers out; random ones come from the
/// named streams of core/random.hpp, so that a table is the same bytes each time it is made.
namespace probedarts::study {

/// A range that holds the mean with the confidence asked for.
struct Interval {
  double low = 0.0;
  double high = 0.0;
};

inline constexpr int kResamples = 10000;

/// Below so many values or groups a bootstrap holds the mean clearly less often than it says.
inline constexpr std::size_t kFewGroups = 10;

/// Of every interval that a study prints: tables, page and figures draw the same resamples.
inline constexpr std::uint64_t kBootstrapSeed = 1;

/// Percentile bootstrap of the mean (Efron & Tibshirani 1993, ch. 13): means of resamples drawn
/// with replacement, cut at both ends. Of few values it is far too narrow, because it takes their
/// spread as if it were known: one of 95 % holds the mean of normal values in about three of four
/// samples of 3 or 4, being 0.38 and 0.52 times as wide as that of Student. Seeds need
/// `student_interval`.
/// \param confidence  in (0, 1). \returns nothing for less than two values.
/// Cost: kResamples * n.
std::optional<Interval> bootstrap_interval(std::span<const double> values, std::uint64_t seed,
                                           double confidence = 0.95);

/// The same for the mean of test images that come in groups (patients, slides): whole groups are
/// drawn, and the mean is that of all images of the groups drawn. Images of one group are alike, so
/// drawing them one by one would promise too much.
/// \param groups  of each value, any numbers; as many as values.
/// \returns nothing for less than two groups.
std::optional<Interval> bootstrap_interval_of_groups(std::span<const double> values,
                                                     std::span<const std::uint64_t> groups,
                                                     std::uint64_t seed, double confidence = 0.95);

/// mean -+ t sd / sqrt(n), with Student's t of n - 1 degrees of freedom. Exact for normal values.
/// \returns nothing for less than two values.
std::optional<Interval> student_interval(std::span<const double> values, double confidence = 0.95);

/// Spearman's rank correlation: Pearson's of the ranks, ties at their mean rank.
/// \returns -1..1; nothing when a side is constant or there are less than two pairs.
std::optional<double> spearman(std::span<const double> x, std::span<const double> y);

/// Kendall's tau-b (Kendall 1945), which allows for ties:
///
///     tau_b = (C - D) / sqrt((n0 - n1) (n0 - n2)),   n0 = n (n - 1) / 2
///
/// C, D: pairs in the same and in opposite order; n1, n2: pairs tied in x, in y.
/// \returns -1..1; nothing when a side is constant or there are less than two pairs. Cost: n^2.
std::optional<double> kendall_tau_b(std::span<const double> x, std::span<const double> y);

}  // namespace probedarts::study
