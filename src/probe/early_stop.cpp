#include "probe/early_stop.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <numeric>

#include "core/errors.hpp"

namespace probedarts::probe {
namespace {

double mean(std::vector<double>::const_iterator begin, std::vector<double>::const_iterator end) {
  return std::accumulate(begin, end, 0.0) / static_cast<double>(std::distance(begin, end));
}

bool has(const std::vector<double>& values, int count) {
  return values.size() >= static_cast<std::size_t>(count);
}

}  // namespace

bool has_grown(const std::vector<double>& values, int window, double ratio) {
  require(window >= 1, "has_grown: a window holds a value");
  if (!has(values, 2 * window)) {
    return false;
  }
  const double now = mean(values.end() - window, values.end());
  const double before = mean(values.end() - 2 * window, values.end() - window);
  return before > 0.0 && now >= ratio * before;
}

bool has_taken_over(const std::vector<double>& shares, int window, double limit) {
  require(window >= 1, "has_taken_over: a window holds a value");
  return has(shares, window) && std::all_of(shares.end() - window, shares.end(),
                                            [&](double share) { return share >= limit; });
}

bool is_flat(const std::vector<double>& values, int window, double tolerance) {
  require(window >= 2, "is_flat: a window holds two values");
  if (!has(values, window) || std::any_of(values.end() - window, values.end(),
                                          [](double value) { return std::isnan(value); })) {
    return false;
  }
  const auto [least, most] = std::minmax_element(values.end() - window, values.end());
  return *most > 0.0 && *most - *least < tolerance * *most;
}

bool is_flat_everywhere(const std::vector<std::vector<double>>& layers, int window,
                        double tolerance) {
  require(window >= 2, "is_flat_everywhere: a window holds two values");
  if (layers.size() < static_cast<std::size_t>(window)) {
    return false;
  }
  std::size_t begun = 0;
  std::size_t flat = 0;
  for (std::size_t layer = 0; layer < layers.back().size(); ++layer) {
    std::vector<double> own;
    for (auto epoch = layers.end() - window; epoch != layers.end(); ++epoch) {
      own.push_back(epoch->at(layer));
    }
    const bool zero = std::all_of(own.begin(), own.end(), [](double v) { return v == 0.0; });
    begun += zero ? 0U : 1U;
    flat += !zero && is_flat(own, window, tolerance) ? 1U : 0U;
  }
  return begun > 0 && static_cast<double>(flat) >= kFlatLayers * static_cast<double>(begun);
}

}  // namespace probedarts::probe
