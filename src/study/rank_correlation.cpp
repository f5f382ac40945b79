#include "study/rank_correlation.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/random.hpp"

namespace probedarts::study {
namespace {

constexpr std::size_t kMostWays = 40320;  // 8!
constexpr std::size_t kFewestResamples = 1000;
constexpr double kMostWork = 2e8;  // products of a bootstrap
constexpr std::size_t kFewestForInterval = 6;

int sign(double value) { return (value > 0.0) - (value < 0.0); }

struct Stratum {
  std::vector<double> x, y;
};

/// Strata of more than one point, in the order of their numbers.
std::vector<Stratum> strata_of(const std::vector<RankPoint>& points) {
  std::map<std::size_t, Stratum> by_number;
  for (const RankPoint& point : points) {
    by_number[point.stratum].x.push_back(point.x);
    by_number[point.stratum].y.push_back(point.y);
  }
  std::vector<Stratum> strata;
  for (auto& [number, stratum] : by_number) {
    if (stratum.x.size() > 1) {
      strata.push_back(std::move(stratum));
    }
  }
  return strata;
}

/// Sums over the pairs of points that tau is made of.
struct Agreement {
  double both = 0.0, x = 0.0, y = 0.0;
  std::optional<double> tau() const {
    return x > 0.0 && y > 0.0 ? std::optional(both / std::sqrt(x * y)) : std::nullopt;
  }
};

/// s_x s_y, s_x^2 and s_y^2 of all pairs i < j of a stratum, row after row.
struct PairSigns {
  explicit PairSigns(const Stratum& stratum) : points(stratum.x.size()) {
    for (std::size_t i = 0; i < points; ++i) {
      for (std::size_t j = i + 1; j < points; ++j) {
        const int x = sign(stratum.x[i] - stratum.x[j]);
        const int y = sign(stratum.y[i] - stratum.y[j]);
        both.push_back(x * y);
        in_x.push_back(x * x);
        in_y.push_back(y * y);
      }
    }
  }

  /// \param times  how often each point is there.
  void add_to(Agreement& sum, const std::vector<int>& times) const {
    std::size_t pair = 0;
    for (std::size_t i = 0; i < points; ++i) {
      int agree = 0, x = 0, y = 0;
      for (std::size_t j = i + 1; j < points; ++j, ++pair) {
        agree += times[j] * both[pair];
        x += times[j] * in_x[pair];
        y += times[j] * in_y[pair];
      }
      sum.both += times[i] * agree;
      sum.x += times[i] * x;
      sum.y += times[i] * y;
    }
  }

  std::size_t points;
  std::vector<int> both, in_x, in_y;
};

std::vector<double> centred_ranks(const std::vector<double>& values) {
  std::vector<double> ranks;
  for (const double value : values) {
    int sum = 0;
    for (const double other : values) {
      sum += sign(value - other);
    }
    ranks.push_back(0.5 * sum);
  }
  return ranks;
}

double product(const std::vector<double>& a, const std::vector<double>& b,
               const std::vector<std::size_t>& order) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * b[order[i]];
  }
  return sum;
}

/// Centred ranks of each stratum, and the ways to shuffle those of y.
class Shuffles {
 public:
  explicit Shuffles(const std::vector<Stratum>& strata) {
    for (const Stratum& stratum : strata) {
      a_.push_back(centred_ranks(stratum.x));
      b_.push_back(centred_ranks(stratum.y));
      order_.emplace_back(stratum.x.size());
      std::iota(order_.back().begin(), order_.back().end(), std::size_t{0});
      seen_ += product(a_.back(), b_.back(), order_.back());
      aa_ += product(a_.back(), a_.back(), order_.back());
      bb_ += product(b_.back(), b_.back(), order_.back());
      for (std::size_t n = 2; n <= stratum.x.size() && ways_ <= kMostWays; ++n) {
        ways_ *= n;
      }
    }
  }

  std::optional<double> rho() const {
    return aa_ > 0.0 && bb_ > 0.0 ? std::optional(seen_ / std::sqrt(aa_ * bb_)) : std::nullopt;
  }

  double p(std::uint64_t seed) { return ways_ <= kMostWays ? exact_p() : random_p(seed); }

 private:
  bool is_as_far() const {
    double sum = 0.0;
    for (std::size_t s = 0; s < a_.size(); ++s) {
      sum += product(a_[s], b_[s], order_[s]);
    }
    return std::abs(sum) >= std::abs(seen_) - 1e-9;  // sums of halves: exact but for this
  }

  /// The next way, a stratum after the other; false once all have been seen.
  bool advance() {
    return std::any_of(order_.begin(), order_.end(), [](std::vector<std::size_t>& order) {
      return std::next_permutation(order.begin(), order.end());
    });
  }

  double exact_p() {
    std::size_t as_far = 0;
    do {
      as_far += is_as_far();
    } while (advance());
    return static_cast<double>(as_far) / static_cast<double>(ways_);
  }

  double random_p(std::uint64_t seed) {
    Stream stream(seed, "permutations of ranks");
    std::size_t as_far = 1;
    for (int way = 0; way < kResamples; ++way) {
      for (std::vector<std::size_t>& order : order_) {
        for (std::size_t i = order.size(); i > 1; --i) {
          std::swap(order[i - 1], order[stream.below(i)]);
        }
      }
      as_far += is_as_far();
    }
    return static_cast<double>(as_far) / (kResamples + 1);
  }

  std::vector<std::vector<double>> a_, b_;
  std::vector<std::vector<std::size_t>> order_;
  double seen_ = 0.0, aa_ = 0.0, bb_ = 0.0;
  std::size_t ways_ = 1;
};

/// Nothing where half of the resamples or more have no tau.
std::optional<Interval> bootstrap_tau(const std::vector<PairSigns>& strata, std::uint64_t seed) {
  double pairs = 0.0;
  for (const PairSigns& stratum : strata) {
    pairs += static_cast<double>(stratum.both.size());
  }
  const auto resamples = static_cast<std::size_t>(
      std::clamp(kMostWork / pairs, static_cast<double>(kFewestResamples), double{kResamples}));
  Stream stream(seed, "bootstrap of ranks");
  std::vector<double> taus;
  for (std::size_t k = 0; k < resamples; ++k) {
    Agreement sum;
    for (const PairSigns& stratum : strata) {
      std::vector<int> times(stratum.points);
      for (std::size_t i = 0; i < stratum.points; ++i) {
        ++times[stream.below(stratum.points)];
      }
      stratum.add_to(sum, times);
    }
    if (const auto tau = sum.tau()) {
      taus.push_back(*tau);
    }
  }
  if (2 * taus.size() <= resamples) {
    return std::nullopt;
  }
  std::sort(taus.begin(), taus.end());
  const auto at = [&](double share) {
    return taus[static_cast<std::size_t>(
        std::lround(share * static_cast<double>(taus.size() - 1)))];
  };
  return Interval{at(0.025), at(0.975)};
}

}  // namespace

RankCorrelation correlate_ranks(const std::vector<RankPoint>& points, std::uint64_t seed) {
  const std::vector<Stratum> strata = strata_of(points);
  RankCorrelation found;
  found.strata = strata.size();
  std::vector<PairSigns> signs;
  Agreement sum;
  for (const Stratum& stratum : strata) {
    found.points += stratum.x.size();
    signs.emplace_back(stratum);
    signs.back().add_to(sum, std::vector<int>(stratum.x.size(), 1));
  }
  found.tau = sum.tau();
  if (!found.tau) {
    return found;
  }
  Shuffles shuffles(strata);
  found.rho = shuffles.rho();
  found.p = shuffles.p(seed);
  if (found.points >= kFewestForInterval) {
    found.tau_interval = bootstrap_tau(signs, seed);
  }
  return found;
}

}  // namespace probedarts::study
