#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/random.hpp"
#include "kernels/feature_map.hpp"
#include "kernels/memory.hpp"

/// For the tests of this room: maps in double precision without padding, and their padded float32
/// twins.
namespace probedarts::kernels {

/// [height][width][channels], row-major.
struct PlainMap {
  int height = 0, width = 0, channels = 0;
  std::vector<double> values;

  PlainMap() = default;
  PlainMap(int h, int w, int c) : height(h), width(w), channels(c) {
    values.assign(
        static_cast<std::size_t>(h) * static_cast<std::size_t>(w) * static_cast<std::size_t>(c),
        0.0);
  }
  std::size_t place(int y, int x, int c) const {
    return (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
            static_cast<std::size_t>(x)) *
               static_cast<std::size_t>(channels) +
           static_cast<std::size_t>(c);
  }
  double& at(int y, int x, int c) { return values[place(y, x, c)]; }
  double at(int y, int x, int c) const { return values[place(y, x, c)]; }
  bool holds(int y, int x) const { return y >= 0 && x >= 0 && y < height && x < width; }
};

/// Values that float32 holds exactly, so that both sides start from the same numbers.
inline std::vector<double> random_values(std::size_t count, const std::string& name,
                                         double mean = 0.0) {
  std::vector<double> values(count);
  Stream stream(11, name);
  for (double& value : values) {
    value = static_cast<double>(static_cast<float>(mean + stream.normal()));
  }
  return values;
}

inline PlainMap random_map(int height, int width, int channels, const std::string& name,
                           double mean = 0.0) {
  PlainMap map(height, width, channels);
  map.values = random_values(map.values.size(), name, mean);
  return map;
}

inline MapShape shape_of(const PlainMap& map) {
  return {map.height, map.width, padded_channels(map.channels)};
}

/// Rows of `columns` values, each padded to a multiple of the channel block.
inline FloatBuffer padded_rows(const std::vector<double>& values, int columns) {
  const auto wide = static_cast<std::size_t>(columns);
  const auto padded = static_cast<std::size_t>(padded_channels(columns));
  FloatBuffer buffer;
  buffer.reserve(values.size() / wide * padded);
  std::fill_n(buffer.data(), values.size() / wide * padded, 0.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    buffer.data()[i / wide * padded + i % wide] = static_cast<float>(values[i]);
  }
  return buffer;
}
inline FloatBuffer padded_map(const PlainMap& map) { return padded_rows(map.values, map.channels); }

inline FloatBuffer zeros(std::size_t floats) {
  FloatBuffer buffer;
  buffer.reserve(floats);
  std::fill_n(buffer.data(), floats, 0.0F);
  return buffer;
}

/// The largest distance between a padded result and its plain reference, relative to the largest
/// reference value; a padded channel that is not zero counts as infinitely far.
inline double distance(const float* padded, const std::vector<double>& reference, int columns) {
  const auto wide = static_cast<std::size_t>(columns);
  const auto step = static_cast<std::size_t>(padded_channels(columns));
  double largest = 1e-30;
  double apart = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const auto value = static_cast<double>(padded[i / wide * step + i % wide]);
    apart = std::isnan(value) ? INFINITY : std::max(apart, std::abs(value - reference[i]));
    largest = std::max(largest, std::abs(reference[i]));
  }
  for (std::size_t row = 0; row < reference.size() / wide; ++row) {
    for (std::size_t c = wide; c < step; ++c) {
      apart = padded[row * step + c] == 0.0F ? apart : INFINITY;
    }
  }
  return apart / largest;
}

/// Slope of `loss` in `variable` by a central difference. The losses of these tests are linear in
/// each variable between the kinks of ReLU and of maxima, so that only rounding is left: about
/// 1e-15 of the loss over the step.
template <typename Loss>
double slope_of(const Loss& loss, double& variable) {
  constexpr double kStep = 1e-6;
  const double kept = variable;
  variable = kept + kStep;
  const double above = loss();
  variable = kept - kStep;
  const double below = loss();
  variable = kept;
  return (above - below) / (2.0 * kStep);
}

}  // namespace probedarts::kernels
