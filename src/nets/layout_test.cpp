#include "nets/layout.hpp"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "space/published.hpp"

namespace probedarts::nets {
namespace {

space::NetworkSpec supernet(space::Stem stem, int channels, int cells, int nodes) {
  space::NetworkSpec spec;
  spec.stem = stem;
  spec.channels = channels;
  spec.cells = cells;
  spec.nodes = nodes;
  return spec;
}

space::NetworkSpec derived(const char* genotype, int channels, int cells, int classes) {
  space::NetworkSpec spec;
  spec.stem = space::Stem::kPathology;
  spec.channels = channels;
  spec.cells = cells;
  spec.classes = classes;
  spec.genotype = space::published_genotype(genotype).value();
  spec.nodes = spec.genotype->nodes();
  return spec;
}

/// What holds of every layout, whatever the network.
void expect_sound(const NetworkLayout& layout) {
  std::set<std::string> names;
  std::int64_t next = 0;
  for (const ParameterInfo& parameter : layout.parameters) {
    EXPECT_TRUE(names.insert(parameter.name).second) << parameter.name << " occurs twice";
    EXPECT_EQ(parameter.offset, next) << parameter.name;
    std::int64_t numel = 1;
    for (const std::int64_t extent : parameter.shape) {
      numel *= extent;
    }
    EXPECT_EQ(parameter.numel, numel) << parameter.name;
    next += numel;
  }
  EXPECT_EQ(layout.weight_count, next);
  std::int64_t next_statistic = 0;
  for (const NormInfo& norm : layout.norms) {
    EXPECT_TRUE(names.insert(norm.name).second) << norm.name << " occurs twice";
    EXPECT_EQ(norm.offset, next_statistic) << norm.name;
    EXPECT_EQ(norm.scale.has_value(), norm.shift.has_value()) << norm.name;
    next_statistic += 2 * norm.channels;
  }
  EXPECT_EQ(layout.statistic_count, next_statistic);
}

std::int64_t convolutions(const NetworkLayout& layout) {
  return std::count_if(layout.parameters.begin(), layout.parameters.end(),
                       [](const ParameterInfo& p) { return is_convolution(p.role); });
}

TEST(Layout, OfTheCifarSupernetHas1395Convolutions) {
  // Stem 1; preprocessing 2 a cell, and one more where a factorised reduce has two (cells 3 and 6):
  // 18. Each of 14 edges: sep 4 + 4, dil 2 + 2 = 12 in 8 cells: 1344. Skips of stride 2: two
  // convolutions on 8 edges of 2 reduction cells: 32.
  EXPECT_EQ(convolutions(lay_out(supernet(space::Stem::kCifar, 16, 8, 4))), 1 + 18 + 1344 + 32);
}

TEST(Layout, OfThePathologySupernetHasThePublishedNumberOfParameters) {
  EXPECT_EQ(lay_out(supernet(space::Stem::kPathology, 16, 4, 4)).weight_count, 1131858);
}

TEST(Layout, OfASupernetIsSoundForEveryDepthAndNumberOfNodes) {
  for (int cells = 1; cells <= 9; ++cells) {
    for (int nodes = 1; nodes <= space::kMaxNodes; ++nodes) {
      SCOPED_TRACE(std::to_string(cells) + " cells of " + std::to_string(nodes) + " nodes");
      const NetworkLayout layout = lay_out(supernet(space::Stem::kPathology, 4, cells, nodes));
      expect_sound(layout);
      EXPECT_EQ(layout.alpha_edges, nodes * (nodes + 3) / 2);
      EXPECT_EQ(layout.cells.size(), static_cast<std::size_t>(cells));
    }
  }
}

TEST(Layout, OfADerivedNetworkIsSound) {
  for (const auto name : space::published_names()) {
    SCOPED_TRACE(std::string(name));
    const NetworkLayout layout = lay_out(derived(std::string(name).c_str(), 36, 4, 33));
    expect_sound(layout);
    EXPECT_EQ(layout.alpha_edges, 0);
  }
}

TEST(Layout, GivesAffineNormsToTheStemOnlyOfASupernet) {
  const NetworkLayout layout = lay_out(supernet(space::Stem::kPathology, 4, 3, 2));
  for (const NormInfo& norm : layout.norms) {
    EXPECT_EQ(norm.scale.has_value(), norm.name.starts_with("stem.")) << norm.name;
  }
}

TEST(Layout, GivesAffineNormsToAllOfADerivedNetworkAndNoneToItsPools) {
  const NetworkLayout layout = lay_out(derived("DARTS_ADP_N4", 4, 4, 33));
  for (const NormInfo& norm : layout.norms) {
    EXPECT_TRUE(norm.scale.has_value()) << norm.name;
  }
  for (const CellUnit& cell : layout.cells) {
    for (const EdgeUnit& edge : cell.edges) {
      ASSERT_EQ(edge.candidates.size(), 1U);
      EXPECT_FALSE(edge.candidates.front().pool_norm.has_value());
    }
  }
}

TEST(Layout, PlacesEveryParameterOfAnEdge) {
  const NetworkLayout layout = lay_out(supernet(space::Stem::kCifar, 4, 3, 1));
  const auto index = parameter_named(layout, "cells.0._ops.1._ops.5.op.6.weight");
  ASSERT_TRUE(index.has_value());
  const ParameterInfo& parameter = layout.parameters[*index];
  EXPECT_EQ(parameter.role, Role::kPointwise);
  EXPECT_EQ(parameter.place.cell, 0);
  EXPECT_EQ(parameter.place.edge, 1);
  EXPECT_EQ(parameter.place.primitive, space::Primitive::kSepConv5x5);
  EXPECT_EQ(parameter.place.position, 1);
}

TEST(Layout, KeepsTheParametersOfThePublishedCellsUnderTheirFigure) {
  // Paper, table 7: 0.38M; with the auxiliary head, which is not counted there, it is more.
  space::NetworkSpec spec = derived("DARTS_ADP_N4", 36, 4, 33);
  EXPECT_EQ(lay_out(spec).weight_count, 376791);
  spec.auxiliary = true;
  EXPECT_GT(lay_out(spec).weight_count, 376791);
}

TEST(Layout, RefusesADescriptionOutOfRange) {
  EXPECT_THROW(lay_out(supernet(space::Stem::kCifar, 15, 8, 4)), UserError);
}

}  // namespace
}  // namespace probedarts::nets
