#include "probe/bounded_minimum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/errors.hpp"

namespace probedarts::probe {
namespace {

struct Point {
  double x;
  double f;
};

/// +1 or -1; zero counts as positive.
double direction(double value) { return value < 0.0 ? -1.0 : 1.0; }

/// The bracket and the three best points of Brent's method.
class BrentSearch {
 public:
  BrentSearch(double low, double high, double tolerance, Point start)
      : low_(low), high_(high), tolerance_(tolerance), best_(start), second_(start), third_(start) {
    measure();
  }

  bool converged() const {
    return std::abs(best_.x - middle_) <= 2.0 * reach_ - 0.5 * (high_ - low_);
  }

  /// Where to look next; never closer to the best point than its tolerance.
  double propose() {
    std::optional<double> step;
    if (std::abs(step_before_last_) > reach_) {
      step = parabola_step();
    }
    if (!step) {
      step_before_last_ = (best_.x >= middle_ ? low_ : high_) - best_.x;
      step = kGolden * step_before_last_;
    }
    last_step_ = *step;
    return best_.x + direction(last_step_) * std::max(std::abs(last_step_), reach_);
  }

  void learn(Point point) {
    if (point.f <= best_.f) {
      (point.x >= best_.x ? low_ : high_) = best_.x;
      third_ = second_;
      second_ = best_;
      best_ = point;
    } else {
      (point.x < best_.x ? low_ : high_) = point.x;
      if (point.f <= second_.f || second_.x == best_.x) {
        third_ = second_;
        second_ = point;
      } else if (point.f <= third_.f || third_.x == best_.x || third_.x == second_.x) {
        third_ = point;
      }
    }
    measure();
  }

  Point best() const { return best_; }

  static constexpr double kGolden = 0.38196601125010515;  ///< (3 - sqrt(5)) / 2

 private:
  void measure() {
    middle_ = 0.5 * (low_ + high_);
    reach_ =
        std::sqrt(std::numeric_limits<double>::epsilon()) * std::abs(best_.x) + tolerance_ / 3.0;
  }

  /// To the vertex of the parabola through the three points, numerator / denominator; none when the
  /// vertex is out of the bracket or the step is not at most half the one before the last.
  std::optional<double> parabola_step() {
    const double to_second = (best_.x - second_.x) * (best_.f - third_.f);
    const double to_third = (best_.x - third_.x) * (best_.f - second_.f);
    double numerator = (best_.x - third_.x) * to_third - (best_.x - second_.x) * to_second;
    double denominator = 2.0 * (to_third - to_second);
    if (denominator > 0.0) {
      numerator = -numerator;
    }
    denominator = std::abs(denominator);
    const double bound = step_before_last_;
    step_before_last_ = last_step_;
    if (!(std::abs(numerator) < std::abs(0.5 * denominator * bound)) ||
        !(numerator > denominator * (low_ - best_.x)) ||
        !(numerator < denominator * (high_ - best_.x))) {
      return std::nullopt;
    }
    const double step = numerator / denominator;
    const double x = best_.x + step;
    if (x - low_ < 2.0 * reach_ || high_ - x < 2.0 * reach_) {
      return reach_ * direction(middle_ - best_.x);  // never that close to an end of the bracket
    }
    return step;
  }

  double low_;
  double high_;
  double tolerance_;
  Point best_;
  Point second_;
  Point third_;
  double last_step_ = 0.0;
  double step_before_last_ = 0.0;
  double middle_ = 0.0;
  double reach_ = 0.0;  ///< tolerance at the best point
};

}  // namespace

BoundedMinimum bounded_minimum(const std::function<double(double)>& function, double low,
                               double high, double tolerance, int most_evaluations) {
  require(std::isfinite(low) && std::isfinite(high) && low <= high,
          "bounded_minimum: finite bounds in order");
  const double start = low + BrentSearch::kGolden * (high - low);
  BrentSearch search(low, high, tolerance, Point{start, function(start)});
  int evaluations = 1;
  while (!search.converged() && evaluations < most_evaluations) {
    const double x = search.propose();
    search.learn(Point{x, function(x)});
    ++evaluations;
  }
  return {search.best().x, search.best().f, evaluations};
}

}  // namespace probedarts::probe
