#include "study/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "study/student.hpp"

namespace probedarts::study {
namespace {

/// Quantile of sorted values, linear between neighbours (Hyndman & Fan 1996, type 7).
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Interval middle_of(std::vector<double> means, double confidence) {
  std::sort(means.begin(), means.end());
  const double tail = (1.0 - confidence) / 2.0;
  return {quantile(means, tail), quantile(means, 1.0 - tail)};
}

/// Ranks from 1; equal values share the mean of their ranks.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) {
      ++last;
    }
    for (std::size_t i = first; i <= last; ++i) {
      result[order[i]] = 1.0 + static_cast<double>(first + last) / 2.0;
    }
    first = last + 1;
  }
  return result;
}

int sign(double value) { return value > 0.0 ? 1 : value < 0.0 ? -1 : 0; }

}  // namespace

std::optional<Interval> bootstrap_interval(std::span<const double> values, std::uint64_t seed,
                                           double confidence) {
  require(confidence > 0.0 && confidence < 1.0, "a confidence lies between 0 and 1");
  if (values.size() < 2) {
    return std::nullopt;
  }
  Stream stream(seed, "bootstrap");
  std::vector<double> means(kResamples);
  for (double& mean : means) {
    double sum = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum += values[stream.below(values.size())];
    }
    mean = sum / static_cast<double>(values.size());
  }
  return middle_of(std::move(means), confidence);
}

std::optional<Interval> bootstrap_interval_of_groups(std::span<const double> values,
                                                     std::span<const std::uint64_t> groups,
                                                     std::uint64_t seed, double confidence) {
  require(values.size() == groups.size(), "every value has its group");
  require(confidence > 0.0 && confidence < 1.0, "a confidence lies between 0 and 1");
  struct Group {
    double sum = 0.0;
    double count = 0.0;
  };
  std::map<std::uint64_t, Group> by_name;
  for (std::size_t i = 0; i < values.size(); ++i) {
    by_name[groups[i]].sum += values[i];
    by_name[groups[i]].count += 1.0;
  }
  if (by_name.size() < 2) {
    return std::nullopt;
  }
  std::vector<Group> list;
  for (const auto& [name, group] : by_name) {
    list.push_back(group);
  }
  Stream stream(seed, "bootstrap of groups");
  std::vector<double> means(kResamples);
  for (double& mean : means) {
    Group drawn;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Group& group = list[stream.below(list.size())];
      drawn.sum += group.sum;
      drawn.count += group.count;
    }
    mean = drawn.sum / drawn.count;
  }
  return middle_of(std::move(means), confidence);
}

std::optional<Interval> student_interval(std::span<const double> values, double confidence) {
  require(confidence > 0.0 && confidence < 1.0, "a confidence lies between 0 and 1");
  const MeanSd seen = mean_and_sd(values);
  if (!seen.sd) {
    return std::nullopt;
  }
  const double runs = static_cast<double>(seen.runs);
  const double half =
      student_quantile(0.5 + confidence / 2.0, runs - 1.0) * *seen.sd / std::sqrt(runs);
  return Interval{seen.mean - half, seen.mean + half};
}

std::optional<double> spearman(std::span<const double> x, std::span<const double> y) {
  require(x.size() == y.size(), "a correlation is of pairs");
  if (x.size() < 2) {
    return std::nullopt;
  }
  const std::vector<double> a = ranks(x);
  const std::vector<double> b = ranks(y);
  const double middle = static_cast<double>(x.size() + 1) / 2.0;
  double ab = 0.0;
  double aa = 0.0;
  double bb = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - middle) * (b[i] - middle);
    aa += (a[i] - middle) * (a[i] - middle);
    bb += (b[i] - middle) * (b[i] - middle);
  }
  if (aa == 0.0 || bb == 0.0) {
    return std::nullopt;
  }
  return ab / std::sqrt(aa * bb);
}

std::optional<double> kendall_tau_b(std::span<const double> x, std::span<const double> y) {
  require(x.size() == y.size(), "a correlation is of pairs");
  double agreement = 0.0;
  double untied_x = 0.0;
  double untied_y = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = i + 1; j < x.size(); ++j) {
      const int sign_x = sign(x[i] - x[j]);
      const int sign_y = sign(y[i] - y[j]);
      agreement += sign_x * sign_y;
      untied_x += sign_x != 0;
      untied_y += sign_y != 0;
    }
  }
  if (untied_x == 0.0 || untied_y == 0.0) {
    return std::nullopt;
  }
  return agreement / std::sqrt(untied_x * untied_y);
}

}  // namespace probedarts::study
