#include "explain/heat_map.hpp"

#include <algorithm>

#include "core/errors.hpp"

namespace probedarts::explain {
namespace {

/// Where an output pixel lies between two input pixels.
struct Between {
  std::size_t low, high;
  double share;  ///< of the high one
};

std::vector<Between> places(int from, int to) {
  std::vector<Between> found;
  const double scale = static_cast<double>(from) / to;
  for (int i = 0; i < to; ++i) {
    const double at = std::max((i + 0.5) * scale - 0.5, 0.0);
    const int low = std::min(static_cast<int>(at), from - 1);
    found.push_back({static_cast<std::size_t>(low),
                     static_cast<std::size_t>(std::min(low + 1, from - 1)), at - low});
  }
  return found;
}

}  // namespace

HeatMap positive_part(const HeatMap& raw) {
  HeatMap cam = raw;
  for (float& value : cam.values) {
    value = std::max(value, 0.0F);
  }
  require(!cam.values.empty(), "a heat map has a place");
  const auto [least, most] = std::minmax_element(cam.values.begin(), cam.values.end());
  const double low = *least;
  const double span = static_cast<double>(*most) - low;
  for (float& value : cam.values) {
    value = span > 0.0 ? static_cast<float>((static_cast<double>(value) - low) / span) : 0.0F;
  }
  return cam;
}

HeatMap resized(const HeatMap& map, int height, int width) {
  require(map.height > 0 && map.width > 0 && height > 0 && width > 0, "a heat map has a place");
  HeatMap out{height, width, {}};
  out.values.reserve(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  const std::vector<Between> columns = places(map.width, width);
  for (const Between& y : places(map.height, height)) {
    const float* upper = map.values.data() + y.low * static_cast<std::size_t>(map.width);
    const float* lower = map.values.data() + y.high * static_cast<std::size_t>(map.width);
    for (const Between& x : columns) {
      const double above = upper[x.low] + x.share * (upper[x.high] - upper[x.low]);
      const double below = lower[x.low] + x.share * (lower[x.high] - lower[x.low]);
      out.values.push_back(static_cast<float>(above + y.share * (below - above)));
    }
  }
  return out;
}

bool speaks_for(const HeatMap& raw) {
  return std::any_of(raw.values.begin(), raw.values.end(),
                     [](float value) { return value > 0.0F; });
}

}  // namespace probedarts::explain
