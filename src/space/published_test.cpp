#include "space/published.hpp"

#include <gtest/gtest.h>

namespace probedarts::space {
namespace {

using enum Primitive;

TEST(PublishedGenotype, IsKnownByEachOfItsNames) {
  const std::vector<std::string_view> names = published_names();
  ASSERT_EQ(names, (std::vector<std::string_view>{"DARTS_ADP_N2", "DARTS_ADP_N3", "DARTS_ADP_N4",
                                                  "DARTS_V1", "DARTS_V2"}));
  for (const std::string_view name : names) {
    const std::optional<Genotype> genotype = published_genotype(name);
    ASSERT_TRUE(genotype.has_value()) << name;
    EXPECT_EQ(genotype->normal.concat.size(), static_cast<std::size_t>(genotype->nodes())) << name;
  }
}

TEST(PublishedGenotype, IsNothingForAnotherName) {
  EXPECT_EQ(published_genotype("darts_v2"), std::nullopt);
}

TEST(PublishedGenotype, OfThePaperWithTwoNodesIsItsFigure6) {
  const Genotype figure = {
      {{{kMaxPool3x3, 1}, {kMaxPool3x3, 0}, {kDilConv5x5, 2}, {kMaxPool3x3, 1}}, {2, 3}},
      {{{kSepConv5x5, 0}, {kMaxPool3x3, 1}, {kMaxPool3x3, 2}, {kDilConv5x5, 0}}, {2, 3}}};
  EXPECT_EQ(published_genotype("DARTS_ADP_N2"), figure);
}

}  // namespace
}  // namespace probedarts::space
