#include "space/genotype.hpp"

#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts::space {
namespace {

using enum Primitive;

Genotype two_node_genotype() {
  return {{{{kSepConv3x3, 1}, {kSkipConnect, 0}, {kDilConv5x5, 2}, {kMaxPool3x3, 1}}, {2, 3}},
          {{{kMaxPool3x3, 0}, {kAvgPool3x3, 1}, {kSepConv5x5, 2}, {kDilConv3x3, 0}}, {2, 3}}};
}

std::string refusal(const Genotype& genotype) {
  try {
    validate(genotype);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Genotype, PrintsThePythonTextOfTheOriginal) {
  EXPECT_EQ(to_python(two_node_genotype()),
            "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_5x5', 2), "
            "('max_pool_3x3', 1)], normal_concat=range(2, 4), reduce=[('max_pool_3x3', 0), "
            "('avg_pool_3x3', 1), ('sep_conv_5x5', 2), ('dil_conv_3x3', 0)], "
            "reduce_concat=range(2, 4))");
}

TEST(Genotype, PrintsAConcatWithAGapAsAList) {
  Genotype genotype = two_node_genotype();
  for (CellGenotype* cell : {&genotype.normal, &genotype.reduce}) {
    cell->genes.insert(cell->genes.end(), {{kSkipConnect, 0}, {kSkipConnect, 1}});
  }
  genotype.normal.concat = {2, 4};
  genotype.reduce.concat = {3};
  validate(genotype);
  const std::string text = to_python(genotype);
  EXPECT_NE(text.find("normal_concat=[2, 4],"), std::string::npos) << text;
  EXPECT_NE(text.find("reduce_concat=range(3, 4))"), std::string::npos) << text;
  EXPECT_EQ(parse_genotype(text), genotype);
}

TEST(Genotype, PrintsItsJson) {
  EXPECT_EQ(to_json(two_node_genotype()),
            R"({"normal": {"genes": [["sep_conv_3x3", 1], ["skip_connect", 0], )"
            R"(["dil_conv_5x5", 2], ["max_pool_3x3", 1]], "concat": [2, 3]}, )"
            R"("reduce": {"genes": [["max_pool_3x3", 0], ["avg_pool_3x3", 1], )"
            R"(["sep_conv_5x5", 2], ["dil_conv_3x3", 0]], "concat": [2, 3]}})");
}

TEST(Genotype, NamesItsCells) {
  EXPECT_EQ(name_of(CellKind::kNormal), "normal");
  EXPECT_EQ(name_of(CellKind::kReduce), "reduce");
  EXPECT_EQ(two_node_genotype().of(CellKind::kReduce), two_node_genotype().reduce);
}

TEST(Genotype, HasAsManySearchEdgesAsThePaperSays) {
  EXPECT_EQ(edge_count(2), 5);  // docs/method.md: 5, 9, 14, 20, 27 for N = 2..6
  EXPECT_EQ(edge_count(3), 9);
  EXPECT_EQ(edge_count(4), 14);
  EXPECT_EQ(edge_count(5), 20);
  EXPECT_EQ(edge_count(6), 27);
}

TEST(ValidateGenotype, AcceptsALegalGenotype) {
  EXPECT_EQ(refusal(two_node_genotype()), "accepted");
}

TEST(ValidateGenotype, RefusesAGeneFromANodeNotYetBuilt) {
  Genotype genotype = two_node_genotype();
  genotype.normal.genes[1].from = 2;
  EXPECT_EQ(refusal(genotype),
            "genotype: normal gene 1 ('skip_connect<-2') must come from a state in 0..1");
}

TEST(ValidateGenotype, RefusesAGeneFromANegativeState) {
  Genotype genotype = two_node_genotype();
  genotype.reduce.genes[3].from = -1;
  EXPECT_EQ(refusal(genotype),
            "genotype: reduce gene 3 ('dil_conv_3x3<--1') must come from a state in 0..2");
}

TEST(ValidateGenotype, RefusesNone) {
  Genotype genotype = two_node_genotype();
  genotype.reduce.genes[0].primitive = kNone;
  EXPECT_EQ(refusal(genotype),
            "genotype: reduce gene 0 ('none<-0') must not be none; choose another primitive");
}

TEST(ValidateGenotype, RefusesAnOddNumberOfGenes) {
  Genotype genotype = two_node_genotype();
  genotype.normal.genes.pop_back();
  EXPECT_EQ(refusal(genotype),
            "genotype: normal has 3 genes; give two for each of its 1 to 8 nodes");
}

TEST(ValidateGenotype, RefusesACellWithoutNodes) {
  Genotype genotype = two_node_genotype();
  genotype.reduce.genes.clear();
  EXPECT_EQ(refusal(genotype),
            "genotype: reduce has 0 genes; give two for each of its 1 to 8 nodes");
}

TEST(ValidateGenotype, RefusesNineNodes) {
  Genotype genotype = two_node_genotype();
  genotype.normal.genes.resize(18, {kSkipConnect, 0});
  EXPECT_EQ(refusal(genotype),
            "genotype: normal has 18 genes; give two for each of its 1 to 8 nodes");
}

TEST(ValidateGenotype, RefusesCellsOfDifferentSize) {
  Genotype genotype = two_node_genotype();
  genotype.reduce.genes.resize(2);
  EXPECT_EQ(refusal(genotype),
            "genotype: normal has 4 genes and reduce has 2; give both cells the same number");
}

TEST(ValidateGenotype, RefusesAnEmptyConcat) {
  Genotype genotype = two_node_genotype();
  genotype.normal.concat.clear();
  EXPECT_EQ(refusal(genotype), "genotype: normal concat is empty; name at least one state in 2..3");
}

TEST(ValidateGenotype, RefusesAConcatOfAnInput) {
  Genotype genotype = two_node_genotype();
  genotype.normal.concat = {1, 2};
  EXPECT_EQ(refusal(genotype), "genotype: normal concat names state 1; name states in 2..3");
}

TEST(ValidateGenotype, RefusesAConcatBeyondTheLastNode) {
  Genotype genotype = two_node_genotype();
  genotype.reduce.concat = {2, 4};
  EXPECT_EQ(refusal(genotype), "genotype: reduce concat names state 4; name states in 2..3");
}

TEST(ValidateGenotype, RefusesARepeatedStateInConcat) {
  Genotype genotype = two_node_genotype();
  genotype.reduce.concat = {3, 3};
  EXPECT_EQ(refusal(genotype),
            "genotype: reduce concat names state 3 after state 3; list each state once, ascending");
}

TEST(ValidateGenotype, RefusesADescendingConcat) {
  Genotype genotype = two_node_genotype();
  genotype.normal.concat = {3, 2};
  EXPECT_EQ(refusal(genotype),
            "genotype: normal concat names state 2 after state 3; list each state once, ascending");
}

TEST(Primitive, IsFoundByItsName) {
  for (const PrimitiveInfo& info : kPrimitives) {
    EXPECT_EQ(primitive_named(info.name), info.primitive);
    EXPECT_EQ(info_of(info.primitive).name, info.name);
  }
  EXPECT_EQ(primitive_named("sep_conv_7x7"), std::nullopt);
}

}  // namespace
}  // namespace probedarts::space
