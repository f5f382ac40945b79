#include "space/cell_graph.hpp"

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "space/published.hpp"

namespace probedarts::space {
namespace {

TEST(SearchCell, HasEveryEdgeInTheOrderOfAlphasRows) {
  for (int nodes = 1; nodes <= kMaxNodes; ++nodes) {
    const CellGraph graph = search_cell(CellKind::kNormal, nodes);
    ASSERT_EQ(graph.edges.size(), static_cast<std::size_t>(edge_count(nodes)));
    std::size_t row = 0;
    for (int node = 0; node < nodes; ++node) {
      for (int from = 0; from < 2 + node; ++from, ++row) {
        EXPECT_EQ(graph.edges[row].to, 2 + node);
        EXPECT_EQ(graph.edges[row].from, from);
      }
    }
    EXPECT_EQ(graph.concat.size(), static_cast<std::size_t>(nodes));
    EXPECT_EQ(graph.concat.front(), 2);
    EXPECT_EQ(graph.concat.back(), nodes + 1);
    EXPECT_EQ(graph.nodes, nodes);
    EXPECT_TRUE(graph.relaxed);
  }
}

TEST(SearchCell, HasAllPrimitivesWithTheirColumns) {
  for (const Edge& edge : search_cell(CellKind::kReduce, 4).edges) {
    ASSERT_EQ(edge.candidates.size(), kPrimitiveCount);
    for (std::size_t column = 0; column < kPrimitiveCount; ++column) {
      EXPECT_EQ(edge.candidates[column].primitive, kPrimitives[column].primitive);
      EXPECT_EQ(edge.candidates[column].slot, static_cast<int>(column));
    }
  }
}

TEST(SearchCell, HalvesOnlyItsInputsAndOnlyInReductionCells) {
  for (const Edge& edge : search_cell(CellKind::kReduce, 5).edges) {
    EXPECT_EQ(edge.stride, edge.from < 2 ? 2 : 1);
  }
  for (const Edge& edge : search_cell(CellKind::kNormal, 5).edges) {
    EXPECT_EQ(edge.stride, 1);
  }
}

TEST(SearchCell, RefusesNineNodes) {
  EXPECT_THROW(search_cell(CellKind::kNormal, 9), Bug);
  EXPECT_THROW(search_cell(CellKind::kNormal, 0), Bug);
}

TEST(DerivedCell, HasOneEdgeAGeneInTheirOrder) {
  const CellGenotype genotype = published_genotype("DARTS_ADP_N4")->reduce;
  const CellGraph graph = derived_cell(CellKind::kReduce, genotype);
  ASSERT_EQ(graph.edges.size(), genotype.genes.size());
  for (std::size_t g = 0; g < graph.edges.size(); ++g) {
    const Edge& edge = graph.edges[g];
    EXPECT_EQ(edge.from, genotype.genes[g].from);
    EXPECT_EQ(edge.to, 2 + static_cast<int>(g / 2));
    EXPECT_EQ(edge.stride, edge.from < 2 ? 2 : 1);
    ASSERT_EQ(edge.candidates.size(), 1U);
    EXPECT_EQ(edge.candidates[0].primitive, genotype.genes[g].primitive);
    EXPECT_EQ(edge.candidates[0].slot, std::nullopt);
  }
  EXPECT_EQ(graph.concat, genotype.concat);
  EXPECT_EQ(graph.nodes, 4);
  EXPECT_FALSE(graph.relaxed);
}

TEST(DerivedCell, RefusesAGenotypeThatWasNotValidated) {
  EXPECT_THROW(derived_cell(CellKind::kNormal, {{{Primitive::kSkipConnect, 0}}, {2}}), Bug);
  EXPECT_THROW(derived_cell(CellKind::kNormal,
                            {{{Primitive::kSkipConnect, 0}, {Primitive::kSkipConnect, 2}}, {2}}),
               Bug);
}

}  // namespace
}  // namespace probedarts::space
