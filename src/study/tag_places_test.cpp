#include "study/tag_places.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace probedarts::study {
namespace {

constexpr Box kArea = {0, 0, 400, 200};

bool are_apart(const TagPlace& a, const TagPlace& b, double width) {
  return std::abs(a.x - b.x) >= width - 1e-9 || std::abs(a.y - b.y) >= 12.0 - 1e-9;
}

TEST(PlaceTags, PutsATagAloneRightOfItsPoint) {
  const auto places = place_tags({{100, 100, "1"}}, kArea);
  EXPECT_DOUBLE_EQ(places.at(0).x, 107.0);
  EXPECT_DOUBLE_EQ(places.at(0).y, 104.0);
  EXPECT_FALSE(places.at(0).is_far);
}

TEST(PlaceTags, KeepsTagsOfNeighboursApart) {
  const auto places =
      place_tags({{100, 100, "1"}, {101, 101, "2"}, {102, 99, "3"}, {100, 102, "4"}}, kArea);
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t j = i + 1; j < places.size(); ++j) {
      EXPECT_TRUE(are_apart(places[i], places[j], text_width("1"))) << i << " and " << j;
    }
  }
}

TEST(PlaceTags, StaysOffOtherPointsAndInsideTheArea) {
  // A point where the tag would be: left of it is free. Then the edge of the area.
  EXPECT_DOUBLE_EQ(place_tags({{100, 100, "1"}, {110, 100, ""}}, kArea).at(0).x, 86.0);
  const TagPlace at_edge = place_tags({{399, 100, "12"}}, kArea).at(0);
  EXPECT_LE(at_edge.x + text_width("12"), 400.0);
}

}  // namespace
}  // namespace probedarts::study
