#pragma once

#include <cstdint>
#include <vector>

namespace probedarts::data {

/// Amounts of haematoxylin and eosin at one point, 1 being a well stained fibre or a pale nucleus.
struct Stain {
  double haematoxylin = 0.0;
  double eosin = 0.0;
};

/// A square of tissue before it is coloured.
struct StainMap {
  int side = 0;  ///< points
  double um_per_point = 1.0;
  std::vector<Stain> points;  ///< side * side
  Stain& at(int y, int x) {
    return points[static_cast<std::size_t>(y) * static_cast<std::size_t>(side) +
                  static_cast<std::size_t>(x)];
  }
};

/// Side of the field of view of every synthetic patch: as a 224 px patch at 20x, about.
inline constexpr double kFieldUm = 128.0;

/// Tissues, in the order of their names.
enum class Tissue { kAdipose, kDebris, kGland, kLymphocytes, kMuscle, kStroma, kTumour };
inline constexpr int kTissueCount = 7;
const char* name_of(Tissue tissue);

/// Draws one tissue over the whole field. Equal arguments give equal bits on every machine.
/// Cost: about 0.3 us per point.
StainMap draw_tissue(Tissue tissue, int side, std::uint64_t seed, std::uint64_t index);

}  // namespace probedarts::data
