#pragma once

// Inside of the room: the arithmetic of the synthetic tissue. Only + - * / sqrt and whole numbers,
// so that every machine gets the same pixels (libm's functions differ in their last bits).
#include <cmath>
#include <cstdint>

namespace probedarts::data {

/// A point or a direction; lengths in micrometres.
struct Vec2 {
  double x = 0.0;
  double y = 0.0;
};

inline double length_of(Vec2 v) { return std::sqrt(v.x * v.x + v.y * v.y); }

inline double clamp_unit(double t) { return t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t; }

inline double mix(double a, double b, double share) { return a + (b - a) * share; }

/// 0 below `low`, 1 above `high`, a cubic in between.
inline double smooth_step(double low, double high, double value) {
  const double t = clamp_unit((value - low) / (high - low));
  return t * t * (3.0 - 2.0 * t);
}

inline double floor_of(double value) {  // exact and quicker than a call of libm
  const double whole = static_cast<double>(static_cast<std::int64_t>(value));
  return whole > value ? whole - 1.0 : whole;
}

/// A hash of a lattice point, uniform in [0, 1).
inline double lattice(std::int64_t x, std::int64_t y, std::uint64_t seed) {
  std::uint64_t h = seed ^ (static_cast<std::uint64_t>(x) * 0x9E3779B97F4A7C15ULL) ^
                    (static_cast<std::uint64_t>(y) * 0xC2B2AE3D27D4EB4FULL);
  h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ULL;
  h = (h ^ (h >> 27)) * 0x94D049BB133111EBULL;
  h ^= h >> 31;
  return static_cast<double>(h >> 11) * 0x1.0p-53;
}

/// Smooth random field with features of size 1, in [0, 1).
inline double noise(double x, double y, std::uint64_t seed) {
  const double left = floor_of(x);
  const double top = floor_of(y);
  const auto ix = static_cast<std::int64_t>(left);
  const auto iy = static_cast<std::int64_t>(top);
  const double fx = x - left;
  const double fy = y - top;
  const double u = fx * fx * (3.0 - 2.0 * fx);
  const double v = fy * fy * (3.0 - 2.0 * fy);
  return mix(mix(lattice(ix, iy, seed), lattice(ix + 1, iy, seed), u),
             mix(lattice(ix, iy + 1, seed), lattice(ix + 1, iy + 1, seed), u), v);
}

/// Three octaves of `noise`, in [0, 1).
inline double rough_noise(double x, double y, std::uint64_t seed) {
  return (4.0 * noise(x, y, seed) + 2.0 * noise(2.0 * x, 2.0 * y, seed + 1) +
          noise(4.0 * x, 4.0 * y, seed + 2)) /
         7.0;
}

/// exp(-x) for x >= 0: a cubic at x / 256, squared eight times; relative error below 1e-6 for x
/// <= 8.
inline double exp_minus(double x) {
  const double t = x / 256.0;
  double value = 1.0 - t * (1.0 - t * (0.5 - t * (1.0 / 6.0 - t / 24.0)));
  for (int i = 0; i < 8; ++i) {
    value *= value;
  }
  return value;
}

/// The unit vector at an angle of `turn` (0..1) of a full turn, from the half-angle formula; the
/// spacing is even to a few per cent, which is all that tissue asks.
inline Vec2 direction_at(double turn) {
  const double quarter = turn * 4.0;
  const int quadrant = static_cast<int>(quarter) & 3;
  const double t = quarter - floor_of(quarter);
  const double half = t * (0.785398 + t * t * 0.214602);  // tan(t * 45 degrees), to 3 per cent
  const double norm = 1.0 + half * half;
  const double c = (1.0 - half * half) / norm;
  const double s = 2.0 * half / norm;
  switch (quadrant) {
    case 0:
      return {c, s};
    case 1:
      return {-s, c};
    case 2:
      return {-c, -s};
    default:
      return {s, -c};
  }
}

}  // namespace probedarts::data
