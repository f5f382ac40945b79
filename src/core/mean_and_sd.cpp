#include "core/mean_and_sd.hpp"

#include <cmath>
#include <limits>
#include <numeric>

namespace probedarts {

MeanSd mean_and_sd(std::span<const double> values) {
  MeanSd result{values.size(), std::numeric_limits<double>::quiet_NaN(), std::nullopt};
  if (values.empty()) {
    return result;
  }
  const auto count = static_cast<double>(values.size());
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  if (values.size() > 1) {
    double squares = 0.0;
    for (const double value : values) {
      squares += (value - result.mean) * (value - result.mean);
    }
    result.sd = std::sqrt(squares / (count - 1.0));
  }
  return result;
}

}  // namespace probedarts
