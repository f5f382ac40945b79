#include "study/exact_tests.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "core/errors.hpp"
#include "core/random.hpp"

namespace probedarts::study {
namespace {

constexpr double kMostDivisions = 200000.0;
constexpr int kRandomDivisions = 100000;

/// Values that are equal but for the order of their sums.
bool all_equal(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *high - *low <= 1e-12 * std::max(std::abs(*low), std::abs(*high));
}

/// The K-th smallest and the K-th largest, K = level / 2 * choices rounded down.
std::optional<Interval> between(std::vector<double> typical, double choices, double level) {
  const auto place = static_cast<std::size_t>(level / 2.0 * choices + 1e-9);
  if (place == 0 || place > typical.size() || all_equal(typical)) {
    return std::nullopt;
  }
  const auto nth = [&](std::size_t k) {
    const auto at = typical.begin() + static_cast<std::ptrdiff_t>(k);
    std::nth_element(typical.begin(), at, typical.end());
    return *at;
  };
  const double low = nth(place - 1);
  return Interval{low, nth(typical.size() - place)};
}

/// Ways to choose k of n.
double choices_of(std::size_t n, std::size_t k) {
  double ways = 1.0;
  for (std::size_t i = 1; i <= k; ++i) {
    ways *= static_cast<double>(n - k + i) / static_cast<double>(i);
  }
  return std::round(ways);
}

/// Typical values of divisions, of each but the one seen.
class Divisions {
 public:
  Divisions(std::span<const double> first, std::span<const double> second)
      : all_(first.begin(), first.end()), size_(first.size()) {
    all_.insert(all_.end(), second.begin(), second.end());
  }

  double count() const { return choices_of(all_.size(), size_); }

  std::vector<double> every() const {
    std::vector<bool> taken(all_.size());
    std::fill(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(size_), true);
    std::vector<double> typical;
    while (std::prev_permutation(taken.begin(), taken.end())) {  // begins with the one seen
      typical.push_back(value_of(taken));
    }
    return typical;
  }

  /// A division drawn anew when it is the one seen, which is counted apart.
  std::vector<double> random(std::uint64_t seed) const {
    Stream stream(seed, "divisions");
    std::vector<std::size_t> order(all_.size());
    std::vector<double> typical;
    while (typical.size() + 1 < static_cast<std::size_t>(kRandomDivisions)) {
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::vector<bool> taken(all_.size());
      for (std::size_t i = 0; i < size_; ++i) {
        std::swap(order[i], order[i + stream.below(order.size() - i)]);
        taken[order[i]] = true;
      }
      if (!std::all_of(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(size_),
                       std::identity())) {
        typical.push_back(value_of(taken));
      }
    }
    return typical;
  }

 private:
  double value_of(const std::vector<bool>& taken) const {
    double given = 0.0;   // of the first sample, gone
    double gained = 0.0;  // of the second, in its place
    double exchanged = 0.0;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (i < size_ && !taken[i]) {
        given += all_[i];
        exchanged += 1.0;
      } else if (i >= size_ && taken[i]) {
        gained += all_[i];
      }
    }
    return (given - gained) / exchanged;
  }

  std::vector<double> all_;
  std::size_t size_;
};

}  // namespace

std::optional<Interval> sign_flip_interval(std::span<const double> sums,
                                           std::span<const double> counts, double level) {
  require(sums.size() == counts.size(), "every sum has its count");
  const std::size_t n = sums.size();
  if (n == 0 || n > kExactPairs) {
    return std::nullopt;
  }
  const std::size_t choices = std::size_t{1} << n;
  std::vector<double> sum(choices);
  std::vector<double> count(choices);
  std::vector<double> typical(choices - 1);
  for (std::size_t i = 0; i < n; ++i) {  // subsets whose last member is i
    const std::size_t bit = std::size_t{1} << i;
    for (std::size_t rest = 0; rest < bit; ++rest) {
      sum[bit + rest] = sum[rest] + sums[i];
      count[bit + rest] = count[rest] + counts[i];
      typical[bit + rest - 1] = sum[bit + rest] / count[bit + rest];
    }
  }
  return between(std::move(typical), static_cast<double>(choices), level);
}

double least_sign_flip_p(std::size_t pairs) {
  return pairs == 0 ? 1.0 : std::pow(2.0, 1.0 - static_cast<double>(pairs));
}

TwoSampleTest permutation_test(std::span<const double> first, std::span<const double> second,
                               double level, std::uint64_t seed) {
  if (first.empty() || second.empty()) {
    return {};
  }
  const Divisions divisions(first, second);
  const bool exact = divisions.count() <= kMostDivisions;
  const double choices = exact ? divisions.count() : kRandomDivisions;
  std::vector<double> typical = exact ? divisions.every() : divisions.random(seed);
  double size = 0.0;
  for (const std::span<const double> sample : {first, second}) {
    for (const double value : sample) {
      size = std::max(size, std::abs(value));
    }
  }
  const double zero = 1e-12 * size;  // but for the order of their sums
  const auto low =
      std::count_if(typical.begin(), typical.end(), [&](double v) { return v <= zero; });
  const auto high =
      std::count_if(typical.begin(), typical.end(), [&](double v) { return v >= -zero; });
  TwoSampleTest test;
  test.p = std::min(1.0, 2.0 * static_cast<double>(1 + std::min(low, high)) / choices);
  test.interval = between(std::move(typical), choices, level);
  return test;
}

double least_permutation_p(std::size_t first, std::size_t second) {
  return std::min(1.0, 2.0 / choices_of(first + second, first));
}

}  // namespace probedarts::study
