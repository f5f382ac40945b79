#include "explain/heat_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts::explain {
namespace {

using ::testing::ElementsAre;

TEST(PositivePart, CutsWhatSpeaksAgainstTheClassAndScalesToOne) {
  EXPECT_THAT(positive_part({1, 4, {-2.0F, 0.0F, 1.0F, 4.0F}}).values,
              ElementsAre(0.0F, 0.0F, 0.25F, 1.0F));
}

TEST(PositivePart, BeginsAtItsOwnMinimumWhereAllIsPositive) {
  EXPECT_THAT(positive_part({1, 3, {2.0F, 3.0F, 4.0F}}).values, ElementsAre(0.0F, 0.5F, 1.0F));
}

TEST(PositivePart, IsEmptyWhereNothingSpeaksForTheClass) {
  EXPECT_THAT(positive_part({2, 1, {-3.0F, -1.0F}}).values, ElementsAre(0.0F, 0.0F));
}

TEST(PositivePart, IsEmptyWhereAllPlacesAreAlike) {
  EXPECT_THAT(positive_part({2, 1, {3.0F, 3.0F}}).values, ElementsAre(0.0F, 0.0F));
}

TEST(Resized, KeepsAMapOfTheSameSize) {
  const HeatMap map{2, 3, {1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}};
  EXPECT_EQ(resized(map, 2, 3).values, map.values);
}

TEST(Resized, MixesByHalfPixelCentres) {
  // Centres of 4 pixels over 2: -0.25 (held at 0), 0.25, 0.75, 1.25 (held at 1).
  EXPECT_THAT(resized({1, 2, {0.0F, 8.0F}}, 1, 4).values, ElementsAre(0.0F, 2.0F, 6.0F, 8.0F));
}

TEST(Resized, KeepsAPlaneAPlaneInside) {
  HeatMap plane{8, 8, {}};
  for (int i = 0; i < 64; ++i) {
    plane.values.push_back(static_cast<float>(3 * (i / 8) + i % 8));
  }
  const HeatMap large = resized(plane, 16, 16);
  for (int y = 1; y < 15; ++y) {
    for (int x = 1; x < 15; ++x) {
      const double expected = 3 * ((y + 0.5) / 2 - 0.5) + (x + 0.5) / 2 - 0.5;
      EXPECT_NEAR(large.values[static_cast<std::size_t>(16 * y + x)], expected, 1e-5);
    }
  }
}

TEST(Resized, SpreadsASinglePlace) {
  EXPECT_THAT(resized({1, 1, {5.0F}}, 2, 2).values, ElementsAre(5.0F, 5.0F, 5.0F, 5.0F));
}

TEST(Resized, RefusesAnEmptyMap) { EXPECT_THROW(resized({}, 2, 2), Bug); }

TEST(SpeaksFor, LooksForAPositivePlace) {
  EXPECT_TRUE(speaks_for({1, 2, {-1.0F, 0.1F}}));
  EXPECT_FALSE(speaks_for({1, 2, {-1.0F, 0.0F}}));
}

}  // namespace
}  // namespace probedarts::explain
