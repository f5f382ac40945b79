#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "space/genotype.hpp"
#include "support/shared_files.hpp"

namespace probedarts::space {
namespace {

using nlohmann::json;

/// The concat of a row whose multiplier is below its nodes: the original concatenates the last
/// `multiplier` states. We always concatenate all nodes (docs/method.md, "Search space"), so only
/// this field is set from the row's multiplier.
std::vector<int> last_states(int nodes, int multiplier) {
  std::vector<int> states;
  for (int state = 2 + nodes - multiplier; state < 2 + nodes; ++state) {
    states.push_back(state);
  }
  return states;
}

void check_row(const json& row) {
  const int nodes = row.at("nodes").get<int>();
  Genotype genotype =
      derive_genotype(softmax_rows(row.at("alpha_normal").get<EdgeWeights>()),
                      softmax_rows(row.at("alpha_reduce").get<EdgeWeights>()), nodes);
  EXPECT_EQ(genotype.normal.concat, last_states(nodes, nodes));
  const int multiplier = row.value("multiplier", nodes);
  genotype.normal.concat = last_states(nodes, multiplier);
  genotype.reduce.concat = last_states(nodes, multiplier);
  // Exact, as the golden README asks.
  EXPECT_EQ(to_python(genotype), row.at("genotype").get<std::string>());
  EXPECT_EQ(parse_genotype(row.at("genotype").get<std::string>()), genotype);
  EXPECT_EQ(parse_genotype(to_json(genotype)), genotype);
}

TEST(DerivationGolden, AgreesWithEveryRow) {
  PROBEDARTS_NEEDS_GROUP("05_genotype");
  std::size_t rows = 0;
  for (const std::filesystem::path& path : testing::golden_cases("05_genotype")) {
    std::ifstream file(path);
    const json content = json::parse(file);
    for (const json& row : content.at("rows")) {
      SCOPED_TRACE(path.filename().string() + " row " + std::to_string(rows));
      check_row(row);
      ++rows;
    }
  }
  EXPECT_GT(rows, 0U);
}

}  // namespace
}  // namespace probedarts::space
