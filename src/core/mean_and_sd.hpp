#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace probedarts {

/// Mean and spread of repeated runs.
struct MeanSd {
  std::size_t runs = 0;
  double mean = 0.0;  ///< NaN for no run
  std::optional<double>
      sd;  ///< of the sample (n - 1 below the sum); nothing for less than two runs
};

MeanSd mean_and_sd(std::span<const double> values);

}  // namespace probedarts
