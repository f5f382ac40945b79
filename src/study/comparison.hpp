#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "study/statistics.hpp"

/// Paired tests between rows of a study, and what they allow one to say.
namespace probedarts::study {

/// Two-sided sign-flip test of the mean difference (Fisher 1935; Pitman 1937): the share of all 2^n
/// choices of signs whose mean is at least as far from 0 as the one seen. Exact up to 20 pairs; for
/// more it is exact as well when all differences are multiples of one 1/q, as those of shares of
/// images are (sums on a lattice are counted, Pagano & Tritchler 1983), else of 100,000 random
/// choices, the one seen counted among them. Assumes only that differences are symmetric about 0
/// when the rows are alike. Its least p is 2^(1 - n): with less than six
/// pairs it never falls below 0.05.
/// \returns p in (0, 1]; 1 for no pair.
double sign_flip_p(std::span<const double> differences, std::uint64_t seed);

/// Two-sided paired t test. Assumes normal differences.
/// \returns p in [0, 1]; 1 for less than two pairs. Equal differences other than 0 give 0.
double paired_t_p(std::span<const double> differences);

/// Holm's step-down correction (Holm 1979), in the order given: the i-th smallest of m becomes the
/// largest of min(1, (m - j + 1) p_j) over j <= i. The chance of any false "better" or "worse"
/// among all comparisons stays below the level, whichever of them are true.
std::vector<double> holm(std::span<const double> p_values);

enum class PairedTest { kSignFlip, kStudent };

struct CompareOptions {
  PairedTest test = PairedTest::kSignFlip;
  double level = 0.05;  ///< of the family of all comparisons
  double power = 0.8;   ///< asked of the number of runs needed
  std::uint64_t seed = 1;
};

/// Least number of paired runs with which a difference of this mean and sd is found with the power
/// asked for: by the power of the t test, and for the sign-flip test never below the number whose
/// least p reaches the level. An estimate: mean and sd are themselves guessed from few runs.
/// \param level  after correction: the level of the family divided by its number of comparisons.
/// \returns nothing when mean is 0 or the number exceeds a million.
std::optional<int> runs_needed(double mean, double sd, double level, const CompareOptions& options);

/// Scores of one row, by seed; higher is better.
struct ScoredRow {
  std::string name;
  std::vector<std::uint64_t> seeds;
  std::vector<double> scores;  ///< as many as seeds, in 0..1
};

enum class Verdict { kBetter, kWorse, kNotDistinguishable };

/// What can be said about `first` against `second` on the seeds that both have.
struct Comparison {
  std::string first, second;
  std::size_t pairs = 0;
  MeanSd difference;                 ///< first - second
  std::optional<Interval> interval;  ///< 95 %, Student's
  double p = 1.0;                    ///< of the test chosen
  double corrected_p = 1.0;          ///< after Holm
  Verdict verdict = Verdict::kNotDistinguishable;
  std::optional<int> needed;  ///< runs, where not distinguishable
  std::string sentence;       ///< all of that in words
};

/// Takes all comparisons as one family: Holm's correction of their p, and the verdicts.
void judge_family(std::vector<Comparison>& family, double level);

/// Compares pairs of rows, given as indices, as one family.
std::vector<Comparison> compare_rows(const std::vector<ScoredRow>& rows,
                                     const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                                     const CompareOptions& options);

}  // namespace probedarts::study
