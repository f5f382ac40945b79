#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "study/statistics.hpp"

/// Tests between rows of a study, and what they allow one to say.
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
/// \returns p in (0, 1]; 1 for less than two pairs, and when all differences are 0. Nothing when
/// they are equal otherwise: without spread the test would call any difference certain, and normal
/// differences are not equal (shares of a few images are).
std::optional<double> paired_t_p(std::span<const double> differences);

/// Holm's step-down correction (Holm 1979), in the order given: the i-th smallest of m becomes the
/// largest of min(1, (m - j + 1) p_j) over j <= i. The chance of any false "better" or "worse"
/// among all comparisons stays below the level, whichever of them are true.
std::vector<double> holm(std::span<const double> p_values);

/// What a comparison was tested by: permutation where nothing pairs the runs of two rows.
enum class TestKind { kSignFlip, kStudent, kPermutation };

/// Of paired runs.
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

/// The same for two samples that nothing pairs, of as many runs each: by the power of the
/// two-sample t test at a common sd, and never below the number with which the permutation test can
/// reach the level.
std::optional<int> runs_needed_of_each(double mean, double sd, double level,
                                       const CompareOptions& options);

/// Scores of one row, by seed; higher is better.
struct ScoredRow {
  std::string name;
  std::vector<std::uint64_t> seeds;
  std::vector<double> scores;  ///< as many as seeds, in 0..1
  /// Scores of things drawn at random (random cells): their seeds pair them with nothing, for the
  /// k-th of them has no more to do with the k-th search than with any other.
  bool drawn = false;
};

enum class Verdict { kBetter, kWorse, kNotDistinguishable };

/// What can be said about `first` against `second`: on the seeds that both have, or, where one was
/// drawn at random, of all runs of both.
struct Comparison {
  std::string first, second;
  TestKind test = TestKind::kSignFlip;
  std::size_t pairs = 0;                        ///< 0 where runs are not paired
  std::size_t first_runs = 0, second_runs = 0;  ///< where they are not
  MeanSd difference;                            ///< first - second; not paired: sd within the rows
  /// 95 %: the differences that this very test would not refuse. Nothing when it can refuse none,
  /// so few are the runs, and when all differences are equal.
  std::optional<Interval> interval;
  std::optional<Interval> normal;  ///< without `interval`: Student's, were differences normal
  double p = 1.0;                  ///< of the test
  double corrected_p = 1.0;        ///< after Holm
  Verdict verdict = Verdict::kNotDistinguishable;
  std::optional<int> needed;  ///< runs (of each), where not distinguishable
  std::string sentence;       ///< all of that in words
};

/// Level of all intervals, which are those of one comparison by itself; `corrected_p` judges.
inline constexpr double kIntervalLevel = 0.05;

/// An interval that only nearly belongs to a test, widened to hold 0 where the test does not refuse
/// it at kIntervalLevel.
std::optional<Interval> widened(std::optional<Interval> interval, double p);

/// " (95 % interval 0.10 to 2.30)", in points, or why there is none.
std::string interval_text(const Comparison& comparison);

/// "sign-flip test p = 0.0312, 0.0938 after correction for 3 comparisons".
std::string p_text(const Comparison& comparison, std::size_t comparisons);

/// Takes all comparisons as one family: Holm's correction of their p, and the verdicts. Better or
/// worse is what p after correction and the interval both say.
void judge_family(std::vector<Comparison>& family, double level);

/// Compares pairs of rows, given as indices, as one family.
std::vector<Comparison> compare_rows(const std::vector<ScoredRow>& rows,
                                     const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                                     const CompareOptions& options);

}  // namespace probedarts::study
