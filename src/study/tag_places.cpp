#include "study/tag_places.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace probedarts::study {
namespace {

constexpr double kHeight = 12.0, kMarker = 5.0;  // px; of a marker half its side
constexpr std::array kDistances = {7.0, 13.0, 20.0, 28.0};
constexpr double kFar = 20.0;

struct Direction {
  double x, y;  ///< -1, 0, 1
};
constexpr std::array<Direction, 8> kDirections = {
    {{1, 0}, {1, -1}, {1, 1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -1}, {0, 1}}};

double area_of(const Box& box) {
  return std::max(0.0, box.right - box.left) * std::max(0.0, box.bottom - box.top);
}

double overlap(const Box& a, const Box& b) {
  return area_of({std::max(a.left, b.left), std::max(a.top, b.top), std::min(a.right, b.right),
                  std::min(a.bottom, b.bottom)});
}

/// The box of a tag whose nearest side or corner is so far from its point.
Box box_at(const TaggedPoint& point, Direction direction, double distance) {
  const double width = text_width(point.tag);
  const double x = point.x + direction.x * (distance + width / 2.0);
  const double y = point.y + direction.y * (direction.x == 0.0 ? distance + kHeight / 2.0
                                                               : distance * 0.5 + kHeight / 2.0);
  return {x - width / 2.0, y - kHeight / 2.0, x + width / 2.0, y + kHeight / 2.0};
}

double cost_of(const Box& box, std::size_t own, const std::vector<TaggedPoint>& points,
               const std::vector<Box>& placed, const Box& area) {
  double cost = area_of(box) - overlap(box, area);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const TaggedPoint& other = points[i];
    cost += i == own ? 0.0
                     : overlap(box, {other.x - kMarker, other.y - kMarker, other.x + kMarker,
                                     other.y + kMarker});
  }
  for (const Box& other : placed) {
    cost += overlap(box, other);
  }
  return cost;
}

}  // namespace

double text_width(const std::string& text) { return 7.0 * static_cast<double>(text.size()); }

std::vector<TagPlace> place_tags(const std::vector<TaggedPoint>& points, const Box& area) {
  std::vector<TagPlace> places(points.size());
  std::vector<Box> placed;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].tag.empty()) {
      continue;
    }
    double least = std::numeric_limits<double>::infinity();
    Box best;
    for (const double distance : kDistances) {
      for (const Direction direction : kDirections) {
        const Box box = box_at(points[i], direction, distance);
        const double cost = cost_of(box, i, points, placed, area);
        if (cost < least - 1e-9) {
          least = cost;
          best = box;
          places[i] = {box.left, box.bottom - 2.0, distance >= kFar};
        }
      }
    }
    placed.push_back(best);
  }
  return places;
}

}  // namespace probedarts::study
