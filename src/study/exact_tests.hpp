#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "study/statistics.hpp"

/// Tests by counting choices, with the intervals that belong to them: the differences which the
/// test, asked about them in the place of 0, would not refuse. So 0 lies in the interval exactly
/// when p is above the level, and no sentence contradicts itself.
namespace probedarts::study {

inline constexpr std::size_t kExactPairs = 20;  ///< up to 2^20 choices of signs are counted

/// The interval of `sign_flip_p` (comparison.hpp). With the difference d taken off, flipping the
/// signs of a subset S keeps the sum as far from 0 as it was when d lies beyond the mean of S:
///
///     m(S) = sum_{i in S} sum_i / sum_{i in S} count_i
///
/// so the ends are the K-th smallest and the K-th largest of all 2^n - 1 such means, K = level / 2
/// * 2^n rounded down ("typical values", Hartigan, JASA 64, 1969). \param sums    differences; of
/// groups of images, summed over each. \param counts  images of each, above 0; 1 for pairs of runs.
/// \returns nothing when K is 0 (fewer than six at level 0.05: the test refuses nothing), for more
/// than `kExactPairs`, and when all means are equal.
/// Cost: 2^n.
std::optional<Interval> sign_flip_interval(std::span<const double> sums,
                                           std::span<const double> counts, double level);

/// The least p that `sign_flip_p` can give, 2^(1 - n); 1 for no pair.
double least_sign_flip_p(std::size_t pairs);

struct TwoSampleTest {
  double p = 1.0;
  std::optional<Interval> interval;  ///< of mean(first) - mean(second); nothing when K is 0
};

/// Two-sided permutation test of two samples that nothing pairs (Fisher 1935; Pitman 1937): were
/// they of one kind, every division of all values into two samples of these sizes would be as
/// likely. p is twice the share of those whose difference of means is at least as large as the one
/// seen, or at least as small, whichever is less. Exact up to 200,000 divisions, else from 100,000
/// random ones, the one seen counted among them. The interval comes from the same divisions: that
/// which exchanges A of the first for as many B of the second has the typical value
/// (sum A - sum B) / |A|.
/// \returns p in (0, 1]; 1 when a sample is empty.
TwoSampleTest permutation_test(std::span<const double> first, std::span<const double> second,
                               double level, std::uint64_t seed);

/// The least p that `permutation_test` can give for samples of these sizes.
double least_permutation_p(std::size_t first, std::size_t second);

}  // namespace probedarts::study
