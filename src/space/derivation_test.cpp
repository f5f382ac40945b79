#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "space/genotype.hpp"

namespace probedarts::space {
namespace {

using enum Primitive;

EdgeWeights uniform_weights(int nodes) {
  return EdgeWeights(static_cast<std::size_t>(edge_count(nodes)),
                     std::vector<double>(kPrimitiveCount, 1.0 / kPrimitiveCount));
}

EdgeWeights random_alpha(int nodes, Stream& stream) {
  EdgeWeights alpha = uniform_weights(nodes);
  for (std::vector<double>& row : alpha) {
    for (double& value : row) {
      value = stream.normal();
    }
  }
  return alpha;
}

void set(EdgeWeights& weights, std::size_t edge, Primitive primitive, double value) {
  weights[edge][static_cast<std::size_t>(primitive)] = value;
}

TEST(SoftmaxRows, OfLogarithmsAreTheirShares) {
  EdgeWeights alpha(1);
  for (const double share : {1.0, 2.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0}) {
    alpha[0].push_back(std::log(share / 40.0));
  }
  const EdgeWeights weights = softmax_rows(alpha);
  EXPECT_NEAR(weights[0][0], 1.0 / 40.0, 1e-7);  // a few roundings of float32, of values below 0.25
  EXPECT_NEAR(weights[0][4], 6.0 / 40.0, 1e-7);
  EXPECT_NEAR(weights[0][7], 9.0 / 40.0, 1e-7);
}

TEST(SoftmaxRows, DoNotOverflow) {
  const EdgeWeights weights = softmax_rows({{1e308, -1e308, 1e308, 0.0, 0.0, 0.0, 0.0, 0.0}});
  EXPECT_EQ(weights, (EdgeWeights{{0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0}}));
}

TEST(SoftmaxRows, RefuseARowOfAnotherLength) { EXPECT_THROW(softmax_rows({{0.0, 1.0}}), Bug); }

TEST(SoftmaxRows, ReportAValueThatIsNotFiniteAsDivergence) {
  EdgeWeights alpha = uniform_weights(1);
  alpha[1][7] = std::numeric_limits<double>::quiet_NaN();
  try {
    softmax_rows(alpha);
    FAIL() << "accepted";
  } catch (const Diverged& error) {
    EXPECT_STREQ(error.what(), "alpha of edge 1 holds the value nan");
  }
}

TEST(DeriveCell, GivesTiesToTheLowerIndex) {
  const CellGenotype cell = derive_cell(uniform_weights(3), 3);
  const CellGenotype expected = {{{kMaxPool3x3, 0},
                                  {kMaxPool3x3, 1},
                                  {kMaxPool3x3, 0},
                                  {kMaxPool3x3, 1},
                                  {kMaxPool3x3, 0},
                                  {kMaxPool3x3, 1}},
                                 {2, 3, 4}};
  EXPECT_EQ(cell, expected);
}

TEST(DeriveCell, ListsTheStrongestEdgeFirst) {
  EdgeWeights weights = uniform_weights(2);
  set(weights, 1, kSepConv3x3, 0.5);   // node 0 from state 1
  set(weights, 4, kDilConv5x5, 0.75);  // node 1 from state 2
  set(weights, 3, kSkipConnect, 0.5);  // node 1 from state 1
  const CellGenotype expected = {
      {{kSepConv3x3, 1}, {kMaxPool3x3, 0}, {kDilConv5x5, 2}, {kSkipConnect, 1}}, {2, 3}};
  EXPECT_EQ(derive_cell(weights, 2), expected);
}

TEST(DeriveCell, NeverChoosesNone) {
  EdgeWeights weights = uniform_weights(1);
  set(weights, 0, kNone, 0.9);
  set(weights, 0, kDilConv3x3, 0.2);
  EXPECT_EQ(derive_cell(weights, 1).genes[0], (Gene{kDilConv3x3, 0}));
}

TEST(DeriveCell, LetsNoneWeakenAnEdge) {
  EdgeWeights alpha = uniform_weights(1);
  set(alpha, 0, kNone, 3.0);
  const CellGenotype cell = derive_cell(softmax_rows(alpha), 1);
  EXPECT_EQ(cell.genes[0].from, 1);  // equal alphas otherwise, so state 0 would lead
}

TEST(DeriveCell, DoesNotSeeAConstantAddedToARowOfAlpha) {
  Stream stream(3, "shift");
  for (int nodes = 1; nodes <= kMaxNodes; ++nodes) {
    const EdgeWeights alpha = random_alpha(nodes, stream);
    EdgeWeights shifted = alpha;
    for (std::vector<double>& row : shifted) {
      const double shift = stream.uniform(-5.0, 5.0);
      for (double& value : row) {
        value += shift;
      }
    }
    EXPECT_EQ(derive_cell(softmax_rows(alpha), nodes), derive_cell(softmax_rows(shifted), nodes));
  }
}

TEST(DeriveCell, GivesAValidGenotypeWithDistinctEdgesForAnyAlpha) {
  Stream stream(4, "valid");
  for (int draw = 0; draw < 400; ++draw) {
    const int nodes = 1 + draw % kMaxNodes;
    const Genotype genotype = derive_genotype(softmax_rows(random_alpha(nodes, stream)),
                                              softmax_rows(random_alpha(nodes, stream)), nodes);
    EXPECT_NO_THROW(validate(genotype)) << to_python(genotype);
    for (std::size_t g = 0; g < genotype.normal.genes.size(); g += 2) {
      EXPECT_NE(genotype.normal.genes[g].from, genotype.normal.genes[g + 1].from);
    }
  }
}

TEST(KeptEdges, AreTheEdgesOfTheDerivedGenes) {
  Stream stream(5, "kept");
  for (int nodes = 1; nodes <= kMaxNodes; ++nodes) {
    const EdgeWeights weights = softmax_rows(random_alpha(nodes, stream));
    const std::vector<int> kept = kept_edges(weights, nodes);
    const CellGenotype cell = derive_cell(weights, nodes);
    ASSERT_EQ(kept.size(), cell.genes.size());
    for (std::size_t g = 0; g < kept.size(); ++g) {
      const int node = static_cast<int>(g / 2);
      EXPECT_EQ(kept[g], node * (node + 3) / 2 + cell.genes[g].from);
    }
  }
}

TEST(DeriveCell, RefusesWeightsOfAnotherShape) {
  EXPECT_THROW(derive_cell(uniform_weights(3), 2), Bug);
  EXPECT_THROW(derive_cell({{1.0}, {1.0}}, 1), Bug);
  EXPECT_THROW(derive_cell({}, 0), Bug);
}

}  // namespace
}  // namespace probedarts::space
