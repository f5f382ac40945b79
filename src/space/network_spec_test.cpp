#include "space/network_spec.hpp"

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "space/published.hpp"

namespace probedarts::space {
namespace {

template <typename Check>
std::string refusal(Check check) {
  try {
    check();
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

std::string spec_refusal(const NetworkSpec& spec) {
  return refusal([&] { validate(spec); });
}

std::string size_refusal(Stem stem, int height, int width) {
  NetworkSpec spec;
  spec.stem = stem;
  return refusal([&] { validate_image_size(spec, height, width); });
}

std::vector<int> reductions(int cells) {
  NetworkSpec spec;
  spec.cells = cells;
  std::vector<int> found;
  for (const CellPlan& cell : plan_cells(spec)) {
    if (cell.kind == CellKind::kReduce) {
      found.push_back(cell.index);
    }
  }
  return found;
}

TEST(Stem, IsFoundByItsName) {
  EXPECT_EQ(stem_named("cifar"), Stem::kCifar);
  EXPECT_EQ(stem_named("pathology"), Stem::kPathology);
  EXPECT_EQ(stem_named("imagenet"), std::nullopt);
  EXPECT_EQ(name_of(Stem::kCifar), "cifar");
  EXPECT_EQ(name_of(Stem::kPathology), "pathology");
}

TEST(NetworkSpec, AcceptsTheReferenceDefaults) { EXPECT_EQ(spec_refusal({}), "accepted"); }

TEST(NetworkSpec, AcceptsTheBoundsOfEveryRange) {
  NetworkSpec spec;
  spec.channels = 2;
  spec.cells = 1;
  spec.nodes = 1;
  spec.classes = 1;
  EXPECT_EQ(spec_refusal(spec), "accepted");
  spec.channels = kMaxChannels;
  spec.cells = kMaxCells;
  spec.nodes = kMaxNodes;
  EXPECT_EQ(spec_refusal(spec), "accepted");
}

TEST(NetworkSpec, RefusesOddChannels) {
  NetworkSpec spec;
  spec.channels = 15;
  EXPECT_EQ(spec_refusal(spec), "--channels: 15 is odd; use 16");
}

TEST(NetworkSpec, RefusesChannelsOutsideTheRange) {
  NetworkSpec spec;
  spec.channels = 0;
  EXPECT_EQ(spec_refusal(spec), "--channels: 0 is out of range; use 2 to 65536");
  spec.channels = 65538;
  EXPECT_EQ(spec_refusal(spec), "--channels: 65538 is out of range; use 2 to 65536");
}

TEST(NetworkSpec, RefusesCellsOutsideTheRange) {
  NetworkSpec spec;
  spec.cells = 0;
  EXPECT_EQ(spec_refusal(spec), "--cells: 0 is out of range; use 1 to 40");
  spec.cells = 41;
  EXPECT_EQ(spec_refusal(spec), "--cells: 41 is out of range; use 1 to 40");
}

TEST(NetworkSpec, RefusesNodesOutsideTheRange) {
  NetworkSpec spec;
  spec.nodes = 0;
  EXPECT_EQ(spec_refusal(spec), "--nodes: 0 is out of range; use 1 to 8");
  spec.nodes = 9;
  EXPECT_EQ(spec_refusal(spec), "--nodes: 9 is out of range; use 1 to 8");
}

TEST(NetworkSpec, RefusesNoClasses) {
  NetworkSpec spec;
  spec.classes = 0;
  EXPECT_EQ(spec_refusal(spec), "classes 0 is below 1: check the labels of the data set");
}

TEST(NetworkSpec, RefusesAGenotypeOfAnotherSize) {
  NetworkSpec spec;
  spec.nodes = 4;
  spec.genotype = published_genotype("DARTS_ADP_N3");
  EXPECT_EQ(spec_refusal(spec), "--nodes: 4 is not the number of the genotype's nodes; use 3");
}

TEST(NetworkSpec, RefusesAnInvalidGenotype) {
  NetworkSpec spec;
  spec.nodes = 2;
  spec.genotype = published_genotype("DARTS_ADP_N2");
  spec.genotype->normal.concat = {5};
  EXPECT_EQ(spec_refusal(spec), "genotype: normal concat names state 5; name states in 2..3");
}

TEST(PlanCells, PutsReductionsAtOneAndTwoThirds) {
  EXPECT_EQ(reductions(8), (std::vector<int>{2, 5}));
  EXPECT_EQ(reductions(20), (std::vector<int>{6, 13}));
  EXPECT_EQ(reductions(4), (std::vector<int>{1, 2}));
  EXPECT_EQ(reductions(3), (std::vector<int>{1, 2}));
  EXPECT_EQ(reductions(2), (std::vector<int>{0, 1}));
  EXPECT_EQ(reductions(1), (std::vector<int>{0}));
}

TEST(PlanCells, FollowsTheChannelsOfTheCifarSupernet) {
  const std::vector<CellPlan> plan = plan_cells({});  // C 16, L 8, N 4, cifar stem
  ASSERT_EQ(plan.size(), 8U);
  const std::vector<int> channels = {16, 16, 32, 32, 32, 64, 64, 64};
  const std::vector<int> in0 = {48, 48, 64, 64, 128, 128, 128, 256};
  const std::vector<int> in1 = {48, 64, 64, 128, 128, 128, 256, 256};
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(plan[i].index, static_cast<int>(i));
    EXPECT_EQ(plan[i].channels, channels[i]) << i;
    EXPECT_EQ(plan[i].channels_in0, in0[i]) << i;
    EXPECT_EQ(plan[i].channels_in1, in1[i]) << i;
    EXPECT_EQ(plan[i].channels_out, 4 * channels[i]) << i;
    EXPECT_EQ(plan[i].reduction_before, i == 3 || i == 6) << i;
  }
}

TEST(PlanCells, CountsOnlyTheConcatenatedNodesOfAGenotype) {
  NetworkSpec spec;
  spec.stem = Stem::kPathology;
  spec.cells = 3;
  spec.nodes = 4;
  spec.genotype = published_genotype("DARTS_V2");
  spec.genotype->normal.concat = {4, 5};
  const std::vector<CellPlan> plan = plan_cells(spec);
  EXPECT_EQ(plan[0].channels_in0, 16);
  EXPECT_EQ(plan[0].channels_out, 2 * 16);
  EXPECT_EQ(plan[1].channels_out, 4 * 32);
  EXPECT_EQ(plan[2].channels_in0, 2 * 16);
  EXPECT_EQ(plan[2].channels_in1, 4 * 32);
  EXPECT_EQ(plan[2].channels_out, 4 * 64);
}

TEST(PlanCells, ChainsEachCellToTheTwoBefore) {
  NetworkSpec spec;
  spec.cells = 40;
  spec.nodes = 5;
  const std::vector<CellPlan> plan = plan_cells(spec);
  for (std::size_t i = 2; i < plan.size(); ++i) {
    EXPECT_EQ(plan[i].channels_in0, plan[i - 2].channels_out);
    EXPECT_EQ(plan[i].channels_in1, plan[i - 1].channels_out);
    EXPECT_EQ(plan[i].reduction_before, plan[i - 1].kind == CellKind::kReduce);
  }
}

TEST(StemChannels, AreThreeTimesCOrC) {
  NetworkSpec spec;
  EXPECT_EQ(stem_channels(spec), 48);
  spec.stem = Stem::kPathology;
  EXPECT_EQ(stem_channels(spec), 16);
}

TEST(GraphOf, IsTheSearchCellWithoutAGenotype) {
  NetworkSpec spec;
  EXPECT_TRUE(spec.relaxed());
  EXPECT_TRUE(graph_of(spec, CellKind::kNormal).relaxed);
  EXPECT_EQ(graph_of(spec, CellKind::kNormal).edges.size(), 14U);
}

TEST(GraphOf, IsTheDerivedCellOfAGenotype) {
  NetworkSpec spec;
  spec.genotype = published_genotype("DARTS_V1");
  EXPECT_FALSE(spec.relaxed());
  const CellGraph graph = graph_of(spec, CellKind::kReduce);
  EXPECT_FALSE(graph.relaxed);
  EXPECT_EQ(graph.kind, CellKind::kReduce);
  EXPECT_EQ(graph.edges.back().candidates[0].primitive, Primitive::kAvgPool3x3);
}

TEST(PartialChannels, CutTheChannelsIntoPartsOfAnEvenNumber) {
  NetworkSpec spec;
  spec.channels = 16;
  const auto refusal = [&](int parts) -> std::string {
    spec.partial_channels = parts;
    try {
      validate(spec);
    } catch (const UserError& error) {
      return error.what();
    }
    return "accepted";
  };
  for (const int parts : {1, 2, 4, 8}) {
    EXPECT_EQ(refusal(parts), "accepted") << parts;
  }
  EXPECT_EQ(refusal(3),
            "--partial-channels: 3 does not cut 16 channels into parts of an even number; use a "
            "divisor of 8");
  EXPECT_EQ(refusal(0), "--partial-channels: 0 is out of range; use 1 to 8");
  EXPECT_EQ(refusal(16), "--partial-channels: 16 is out of range; use 1 to 8");
}

TEST(ImageSize, NeedsEightPixelsAfterTheStem) {
  EXPECT_EQ(size_refusal(Stem::kCifar, 8, 8), "accepted");
  EXPECT_EQ(size_refusal(Stem::kPathology, 29, 29), "accepted");  // 29 -> 15 -> 8
  EXPECT_EQ(size_refusal(Stem::kCifar, 7, 7),
            "image size 7 px leaves 7 px after the cifar stem; at least 8 px are needed: "
            "use --size 8 or more");
  EXPECT_EQ(size_refusal(Stem::kPathology, 16, 16),
            "image size 16 px leaves 4 px after the pathology stem; at least 8 px are needed: "
            "use --size 32 or more");
}

TEST(ImageSize, CountsHeightAndWidthEachOnItsOwn) {
  EXPECT_EQ(size_refusal(Stem::kPathology, 64, 28),
            "image size 64x28 px leaves 16x7 px after the pathology stem; at least 8 px are "
            "needed: use --size 32 or more");
}

TEST(ImageSize, RefusesNoPixels) {
  EXPECT_EQ(size_refusal(Stem::kCifar, 0, 0),
            "image size 0 px leaves 0 px after the cifar stem; at least 8 px are needed: "
            "use --size 8 or more");
}

}  // namespace
}  // namespace probedarts::space
