#include <map>

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "space/genotype.hpp"

namespace probedarts::space {
namespace {

TEST(RandomGenotype, IsValidForEveryNumberOfNodes) {
  for (int nodes = 1; nodes <= kMaxNodes; ++nodes) {
    for (std::uint64_t draw = 0; draw < 200; ++draw) {
      Stream stream(1, "valid", static_cast<std::uint64_t>(nodes), draw);
      const Genotype genotype = random_genotype(nodes, stream);
      EXPECT_NO_THROW(validate(genotype)) << to_python(genotype);
      EXPECT_EQ(genotype.nodes(), nodes);
      EXPECT_EQ(genotype.normal.concat.size(), static_cast<std::size_t>(nodes));
      for (std::size_t g = 0; g < genotype.reduce.genes.size(); g += 2) {
        EXPECT_LT(genotype.reduce.genes[g].from, genotype.reduce.genes[g + 1].from);
      }
    }
  }
}

TEST(RandomGenotype, IsAFunctionOfTheStream) {
  Stream first(2, "same");
  Stream second(2, "same");
  EXPECT_EQ(random_genotype(5, first), random_genotype(5, second));
  EXPECT_FALSE(random_genotype(5, first) == random_genotype(5, first));
}

/// Pearson's chi-square of these counts against the uniform distribution over `kinds` outcomes.
double chi_square(const std::map<std::string, int>& counts, int kinds, int draws) {
  const double expected = static_cast<double>(draws) / kinds;
  double sum = (kinds - static_cast<double>(counts.size())) * expected;  // outcomes never seen
  for (const auto& [outcome, count] : counts) {
    sum += (count - expected) * (count - expected) / expected;
  }
  return sum;
}

TEST(RandomGenotype, IsUniformOverTheWaysToFeedANode) {
  constexpr int kDraws = 60'000;
  std::map<std::string, int> normal;
  std::map<std::string, int> reduce;
  Stream stream(3, "uniform");
  for (int draw = 0; draw < kDraws; ++draw) {
    const Genotype genotype = random_genotype(2, stream);
    const auto outcome = [](const CellGenotype& cell) {
      return std::to_string(static_cast<int>(cell.genes[2].primitive)) + "/" +
             std::to_string(cell.genes[2].from) + " " +
             std::to_string(static_cast<int>(cell.genes[3].primitive)) + "/" +
             std::to_string(cell.genes[3].from);
    };
    ++normal[outcome(genotype.normal)];
    ++reduce[outcome(genotype.reduce)];
  }
  // Node 1: 3 pairs of states x 7 x 7 primitives. Chi-square with 146 degrees of freedom exceeds
  // 203 with probability 0.001; the seed is fixed.
  EXPECT_EQ(normal.size(), 147U);
  EXPECT_EQ(reduce.size(), 147U);
  EXPECT_LT(chi_square(normal, 147, kDraws), 203.0);
  EXPECT_LT(chi_square(reduce, 147, kDraws), 203.0);
}

TEST(RandomGenotype, RefusesNineNodes) {
  Stream stream(4, "nine");
  EXPECT_THROW(random_genotype(9, stream), Bug);
  EXPECT_THROW(random_genotype(0, stream), Bug);
}

}  // namespace
}  // namespace probedarts::space
