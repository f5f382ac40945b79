#include "study/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "study/exact_tests.hpp"
#include "study/student.hpp"

namespace probedarts::study {
namespace {

constexpr int kRandomFlips = 100000;
constexpr int kMostRuns = 1000000;

/// Scores of the seeds that both rows have, first minus second.
std::vector<double> paired_differences(const ScoredRow& first, const ScoredRow& second) {
  require(first.seeds.size() == first.scores.size() && second.seeds.size() == second.scores.size(),
          "every score has its seed");
  std::vector<double> differences;
  for (std::size_t i = 0; i < first.seeds.size(); ++i) {
    const auto found = std::find(second.seeds.begin(), second.seeds.end(), first.seeds[i]);
    if (found != second.seeds.end()) {
      differences.push_back(first.scores[i] -
                            second.scores[static_cast<std::size_t>(found - second.seeds.begin())]);
    }
  }
  return differences;
}

constexpr int kLargestDenominator = 1000;
constexpr double kMostLatticeWork = 3e8;

/// The differences as whole multiples of the largest 1/q that makes them so; nothing when none up
/// to kLargestDenominator does.
std::optional<std::vector<std::int64_t>> as_multiples(const std::vector<double>& differences) {
  for (int q = 1; q <= kLargestDenominator; ++q) {
    std::vector<std::int64_t> whole;
    for (const double difference : differences) {
      const double scaled = difference * q;
      const double nearest = std::round(scaled);
      if (std::abs(scaled - nearest) > 1e-9 * std::max(1.0, std::abs(scaled))) {
        break;
      }
      whole.push_back(static_cast<std::int64_t>(nearest));
    }
    if (whole.size() == differences.size()) {
      return whole;
    }
  }
  return std::nullopt;
}

/// The share of all choices of signs whose sum is as far from 0 as that of `whole`, from the
/// distribution of the sum, built up one summand at a time. Nothing when that is too much work.
std::optional<double> lattice_p(const std::vector<std::int64_t>& whole) {
  std::int64_t reach = 0;
  std::int64_t seen = 0;
  for (const std::int64_t value : whole) {
    reach += std::abs(value);
    seen += value;
  }
  if (static_cast<double>(reach) * static_cast<double>(whole.size()) > kMostLatticeWork) {
    return std::nullopt;
  }
  const auto width = static_cast<std::size_t>(2 * reach + 1);
  std::vector<double> chance(width);
  chance[static_cast<std::size_t>(reach)] = 1.0;
  std::size_t low = static_cast<std::size_t>(reach);  // of the sums that can have come up
  std::size_t high = low;
  for (const std::int64_t value : whole) {
    const auto step = static_cast<std::size_t>(std::abs(value));
    std::vector<double> next(width);
    for (std::size_t sum = low; sum <= high; ++sum) {
      next[sum - step] += 0.5 * chance[sum];
      next[sum + step] += 0.5 * chance[sum];
    }
    low -= step;
    high += step;
    chance = std::move(next);
  }
  double tails = 0.0;
  for (std::size_t sum = 0; sum < width; ++sum) {
    const std::int64_t at = static_cast<std::int64_t>(sum) - reach;
    tails += std::abs(at) >= std::abs(seen) ? chance[sum] : 0.0;
  }
  return std::min(1.0, tails);
}

/// "4 paired runs", "4 runs against 8".
std::string runs_text(const Comparison& c) {
  return c.test == TestKind::kPermutation
             ? fmt::format("{} run{} against {}", c.first_runs, c.first_runs == 1 ? "" : "s",
                           c.second_runs)
             : fmt::format("{} paired run{}", c.pairs, c.pairs == 1 ? "" : "s");
}

/// "+1.20 points (95 % interval -0.10 to 2.50)".
std::string difference_text(const Comparison& c) {
  return fmt::format("{:+.2f} points{}", 100.0 * c.difference.mean, interval_text(c));
}

std::string needed_text(const Comparison& c) {
  if (!c.difference.sd) {
    return "at least two are needed to say more";
  }
  const char* each = c.test == TestKind::kPermutation ? " of each" : "";
  return c.needed ? fmt::format("about {}{} would be needed at the difference and spread seen",
                                *c.needed, each)
                  : std::string("no number of runs would be enough at the difference seen");
}

std::string sentence_of(const Comparison& c, std::size_t comparisons) {
  if (c.test != TestKind::kPermutation && c.pairs == 0) {
    return fmt::format("{} and {} have no seed in common and cannot be compared.", c.first,
                       c.second);
  }
  const std::string p = p_text(c, comparisons);
  if (c.verdict == Verdict::kNotDistinguishable) {
    return fmt::format("{} and {} are not distinguishable with {}: {}, {}; {}.", c.first, c.second,
                       runs_text(c), difference_text(c), p, needed_text(c));
  }
  return fmt::format("{} is {} than {}: {} over {}, {}.", c.first,
                     c.verdict == Verdict::kBetter ? "better" : "worse", c.second,
                     difference_text(c), runs_text(c), p);
}

bool equal_but_for_rounding(const MeanSd& seen) {
  return seen.sd && *seen.sd <= 1e-12 * std::abs(seen.mean);
}

Comparison compare_paired(const ScoredRow& first, const ScoredRow& second,
                          const CompareOptions& options) {
  const std::vector<double> differences = paired_differences(first, second);
  Comparison c;
  c.pairs = differences.size();
  c.difference = mean_and_sd(differences);
  const auto student =
      equal_but_for_rounding(c.difference) ? std::nullopt : student_interval(differences);
  const auto student_p =
      options.test == PairedTest::kStudent ? paired_t_p(differences) : std::nullopt;
  if (student_p) {
    c.test = TestKind::kStudent;
    c.p = *student_p;
    c.interval = student;
    return c;
  }
  c.p = sign_flip_p(differences, options.seed);
  const std::vector<double> ones(differences.size(), 1.0);
  c.interval = differences.size() <= kExactPairs
                   ? sign_flip_interval(differences, ones, kIntervalLevel)
                   : widened(student, c.p);
  c.normal = c.interval ? std::nullopt : student;
  return c;
}

Comparison compare_samples(const ScoredRow& first, const ScoredRow& second,
                           const CompareOptions& options) {
  Comparison c;
  c.test = TestKind::kPermutation;
  c.first_runs = first.scores.size();
  c.second_runs = second.scores.size();
  const MeanSd one = mean_and_sd(first.scores);
  const MeanSd other = mean_and_sd(second.scores);
  c.difference.runs = c.first_runs + c.second_runs;
  c.difference.mean = one.mean - other.mean;
  if (one.sd || other.sd) {
    const double squares =
        std::pow(one.sd.value_or(0.0), 2) * (static_cast<double>(c.first_runs) - 1.0) +
        std::pow(other.sd.value_or(0.0), 2) * (static_cast<double>(c.second_runs) - 1.0);
    c.difference.sd = std::sqrt(squares / (static_cast<double>(c.difference.runs) - 2.0));
  }
  const TwoSampleTest test =
      permutation_test(first.scores, second.scores, kIntervalLevel, options.seed);
  c.p = test.p;
  c.interval = test.interval;
  return c;
}

}  // namespace

double sign_flip_p(std::span<const double> all, std::uint64_t seed) {
  std::vector<double> differences;  // zeros have no sign to flip
  std::copy_if(all.begin(), all.end(), std::back_inserter(differences),
               [](double difference) { return difference != 0.0; });
  const std::size_t n = differences.size();
  if (n == 0) {
    return 1.0;
  }
  double sum = 0.0;
  double size = 0.0;
  for (const double difference : differences) {
    sum += difference;
    size += std::abs(difference);
  }
  // Sums of other orders that are equal in exact arithmetic count as equal.
  const double seen = std::abs(sum) - 1e-12 * size;
  if (n <= kExactPairs) {
    const std::uint32_t choices = 1U << n;
    std::uint32_t as_far = 0;
    for (std::uint32_t signs = 0; signs < choices; ++signs) {
      double flipped = 0.0;
      for (std::size_t i = 0; i < n; ++i) {
        flipped += (signs >> i & 1U) != 0 ? -differences[i] : differences[i];
      }
      as_far += std::abs(flipped) >= seen;
    }
    return static_cast<double>(as_far) / choices;
  }
  if (const auto whole = as_multiples(differences)) {
    if (const auto p = lattice_p(*whole)) {
      return *p;
    }
  }
  Stream stream(seed, "sign flips");
  int as_far = 1;
  for (int choice = 1; choice < kRandomFlips; ++choice) {
    double flipped = 0.0;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < n; ++i) {
      bits = i % 64 == 0 ? stream.bits() : bits >> 1;
      flipped += (bits & 1U) != 0 ? -differences[i] : differences[i];
    }
    as_far += std::abs(flipped) >= seen;
  }
  return static_cast<double>(as_far) / kRandomFlips;
}

std::optional<double> paired_t_p(std::span<const double> differences) {
  const MeanSd seen = mean_and_sd(differences);
  if (!seen.sd || seen.mean == 0.0) {
    return 1.0;
  }
  if (equal_but_for_rounding(seen)) {
    return std::nullopt;
  }
  const double runs = static_cast<double>(seen.runs);
  const double t = seen.mean / (*seen.sd / std::sqrt(runs));
  return 2.0 * student_cdf(-std::abs(t), runs - 1.0);
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> corrected(p_values.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double weight = static_cast<double>(order.size() - i);
    largest = std::max(largest, std::min(1.0, weight * p_values[order[i]]));
    corrected[order[i]] = largest;
  }
  return corrected;
}

std::optional<int> runs_needed(double mean, double sd, double level,
                               const CompareOptions& options) {
  require(level > 0.0 && level < 1.0, "a level lies between 0 and 1");
  if (mean == 0.0) {
    return std::nullopt;
  }
  const int least = options.test == PairedTest::kSignFlip
                        ? std::max(2, 1 + static_cast<int>(std::ceil(std::log2(1.0 / level))))
                        : 2;
  if (sd == 0.0) {
    return least;
  }
  const double effect = std::abs(mean) / sd;
  const auto enough = [&](int runs) {
    return paired_t_power(runs, effect, level) >= options.power;
  };
  // Were the sd known, ((z_level + z_power) / effect)^2 runs would do; z_level^2 / 2 more make up
  // for guessing it. From there a few steps reach both sides of the answer, since power grows with
  // runs; halving what lies between finds it.
  const double z_level = student_quantile(1.0 - level / 2.0, kMostRuns);
  const double z_power = student_quantile(options.power, kMostRuns);
  const double root = (z_level + z_power) / effect;
  const int guess = static_cast<int>(
      std::clamp(root * root + z_level * z_level / 2.0, 2.0, static_cast<double>(kMostRuns)));
  int few = 1;  // never enough
  int many = guess;
  int step = 1 + guess / 1000;
  if (enough(guess)) {
    for (few = std::max(1, guess - step); few > 1 && enough(few); few = std::max(1, few - step)) {
      many = few;
      step *= 2;
    }
  } else {
    do {
      if (many == kMostRuns) {
        return std::nullopt;
      }
      few = many;
      many = step < kMostRuns - many ? many + step : kMostRuns;
      step *= 2;
    } while (!enough(many));
  }
  while (many - few > 1) {
    const int middle = few + (many - few) / 2;
    (enough(middle) ? many : few) = middle;
  }
  return std::max(least, many);
}

std::optional<int> runs_needed_of_each(double mean, double sd, double level,
                                       const CompareOptions& options) {
  require(level > 0.0 && level < 1.0, "a level lies between 0 and 1");
  if (mean == 0.0) {
    return std::nullopt;
  }
  std::size_t least = 2;
  while (least_permutation_p(least, least) > level) {
    ++least;
  }
  if (sd == 0.0) {
    return static_cast<int>(least);
  }
  const double effect = std::abs(mean) / sd;
  const auto enough = [&](int runs) {
    return t_power(effect * std::sqrt(runs / 2.0), 2.0 * runs - 2.0, level) >= options.power;
  };
  int few = static_cast<int>(least) - 1;
  int many = few + 1;
  while (!enough(many)) {
    if (many == kMostRuns) {
      return std::nullopt;
    }
    few = many;
    many = std::min(2 * many, kMostRuns);
  }
  while (many - few > 1) {
    const int middle = few + (many - few) / 2;
    (enough(middle) ? many : few) = middle;
  }
  return many;
}

std::optional<Interval> widened(std::optional<Interval> interval, double p) {
  if (interval && p > kIntervalLevel) {
    interval->low = std::min(interval->low, 0.0);
    interval->high = std::max(interval->high, 0.0);
  }
  return interval;
}

std::string interval_text(const Comparison& c) {
  if (c.interval) {
    return fmt::format(" (95 % interval {:.2f} to {:.2f})", 100.0 * c.interval->low,
                       100.0 * c.interval->high);
  }
  return c.normal ? fmt::format(
                        " (too few for a 95 % interval; were differences normal, {:.2f} to "
                        "{:.2f})",
                        100.0 * c.normal->low, 100.0 * c.normal->high)
                  : "";
}

std::string p_text(const Comparison& c, std::size_t comparisons) {
  constexpr const char* kNames[] = {"sign-flip", "paired t", "permutation"};
  const std::string own =
      fmt::format("{} test p = {:.3g}", kNames[static_cast<std::size_t>(c.test)], c.p);
  return comparisons > 1 ? fmt::format("{}, {:.3g} after correction for {} comparisons", own,
                                       c.corrected_p, comparisons)
                         : own;
}

void judge_family(std::vector<Comparison>& family, double level) {
  std::vector<double> p_values;
  for (const Comparison& c : family) {
    p_values.push_back(c.p);
  }
  const std::vector<double> corrected = holm(p_values);
  for (std::size_t i = 0; i < family.size(); ++i) {
    Comparison& c = family[i];
    c.corrected_p = corrected[i];
    const bool holds_zero = c.interval && c.interval->low <= 0.0 && c.interval->high >= 0.0;
    if (c.corrected_p <= level && !holds_zero) {
      c.verdict = c.difference.mean > 0.0 ? Verdict::kBetter : Verdict::kWorse;
    }
  }
}

std::vector<Comparison> compare_rows(const std::vector<ScoredRow>& rows,
                                     const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                                     const CompareOptions& options) {
  std::vector<Comparison> all;
  for (const auto& [first, second] : pairs) {
    require(first < rows.size() && second < rows.size(), "a comparison names rows");
    const bool paired = !rows[first].drawn && !rows[second].drawn;
    Comparison c = paired ? compare_paired(rows[first], rows[second], options)
                          : compare_samples(rows[first], rows[second], options);
    c.first = rows[first].name;
    c.second = rows[second].name;
    all.push_back(std::move(c));
  }
  judge_family(all, options.level);
  for (Comparison& c : all) {
    if (c.verdict == Verdict::kNotDistinguishable && c.difference.sd) {
      const double level = options.level / static_cast<double>(all.size());
      CompareOptions used = options;
      used.test = c.test == TestKind::kStudent ? PairedTest::kStudent : PairedTest::kSignFlip;
      const auto needed_for = c.test == TestKind::kPermutation ? runs_needed_of_each : runs_needed;
      c.needed = needed_for(c.difference.mean, *c.difference.sd, level, used);
      if (c.needed) {  // the power is a guess; that those there were did not do is none
        const std::size_t seen =
            c.test == TestKind::kPermutation ? std::max(c.first_runs, c.second_runs) : c.pairs;
        c.needed = std::max(*c.needed, static_cast<int>(seen) + 1);
      }
    }
    c.sentence = sentence_of(c, all.size());
  }
  return all;
}

}  // namespace probedarts::study
