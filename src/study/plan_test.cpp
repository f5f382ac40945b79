#include "study/plan.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

const KnownFlags kPlanFlags = {{"channels"}, {"channels", "cells", "size"}, {"resnet18"}};

Plan plan_of(const std::string& text) { return make_plan(parse_study(text, "s.toml", kPlanFlags)); }

const std::string kWhole = R"(
phases = ["search", "quick", "select", "final"]
seeds = [1, 2]
[grid]
data = "tiles"
nodes = [2, 3]
[rows]
networks = "resnet18"
genotypes = "DARTS_ADP_N2"
random = 3
[final]
runs = 2
cells = 20
)";

TEST(Plan, HasARowForEachSettingItsRandomCellsAndEachPeer) {
  std::vector<std::string> names;
  for (const Row& row : plan_of(kWhole).rows) {
    names.push_back(row.name);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("N=2", "N=3", "random N=2", "random N=3",
                                            "DARTS_ADP_N2", "resnet18"));
}

TEST(Plan, PutsEveryTaskAfterAllItNeeds) {
  const Plan plan = plan_of(kWhole);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    for (const std::size_t need : plan.tasks[i].needs) {
      EXPECT_LT(need, i);
    }
    EXPECT_TRUE(ids.insert(plan.tasks[i].id).second);
  }
  // 2 settings: 2 searches, 2 quick, 1 select, 2 final, 2 tests; 2 random rows: 3, 1, 2, 2;
  // 2 peers: 2 final, 2 tests.
  EXPECT_EQ(plan.tasks.size(), 2U * 9U + 2U * 8U + 2U * 4U);
}

TEST(Plan, TrainsWhatTheSelectionChose) {
  const Plan plan = plan_of(kWhole);
  const Row& row = plan.rows[0];
  const Task& final = plan.tasks[row.trained[0].trainings[0]];
  EXPECT_THAT(final.needs, ::testing::ElementsAre(*row.select));
  EXPECT_THAT(final.arguments,
              ::testing::ElementsAre("train", "--cells=20", "--data=tiles",
                                     "--genotype={selected:" + plan.tasks[*row.select].id + "}",
                                     "--epochs=600", "--seed=1"));
}

TEST(Plan, GivesRandomCellsTheSeedsOfTheSearchesFirst) {
  const Plan plan = plan_of(kWhole);
  std::vector<std::uint64_t> seeds;
  for (const std::size_t quick : plan.rows[2].quicks) {
    seeds.push_back(plan.tasks[quick].seed);
  }
  EXPECT_THAT(seeds, ::testing::ElementsAre(1, 2, 3));
}

TEST(Plan, KeepsTheNamesOfWhatItHasInCommonWithAnother) {
  const std::string small = "phases = [\"search\"]\nseeds = [1]\n[grid]\ndata = \"d\"\nnodes = 2\n";
  const std::string large =
      "name = \"x\"\nphases = [\"search\"]\nseeds = [1, 2]\n[grid]\ndata = \"d\"\nnodes = [2, 3]\n";
  EXPECT_EQ(plan_of(small).tasks[0].id, plan_of(large).tasks[0].id);
}

TEST(Plan, GivesAnotherNameToAnythingThatComputesSomethingElse) {
  const std::string base = "phases = [\"search\"]\nseeds = [1]\n[grid]\ndata = \"d\"\nnodes = 2\n";
  const std::string first = plan_of(base).tasks[0].id;
  EXPECT_NE(first, plan_of(base + "lr = 0.1\n").tasks[0].id);
  EXPECT_NE(first, plan_of(base + "[search]\nepochs = 3\n").tasks[0].id);
  EXPECT_NE(first, plan_of(base + "[options]\nchannels = 4\n").tasks[0].id);
}

TEST(Plan, TrainsPeersQuicklyWhenNothingIsFinal) {
  const Plan plan = plan_of(
      "phases = [\"quick\"]\nseeds = [5, 6]\n[grid]\ndata = \"d\"\n[rows]\nnetworks = "
      "\"resnet18\"\n");
  ASSERT_EQ(plan.rows.size(), 1U);
  EXPECT_EQ(plan.rows[0].quicks.size(), 2U);
  EXPECT_THAT(plan.tasks[0].arguments,
              ::testing::ElementsAre("train", "--data=d", "--network=resnet18", "--epochs=100",
                                     "--seed=5"));
}

TEST(Plan, RetrainsAtEachResolutionAndOnEachOtherDataSet) {
  const Plan plan = plan_of(
      "phases = [\"final\", \"transfer\", \"resolution\"]\n[grid]\ndata = \"d\"\nsize = 64\n"
      "[rows]\nnetworks = \"resnet18\"\n[transfer]\ndata = \"e/f\"\nruns = 1\n"
      "[resolution]\nsizes = [34, 68]\nruns = 1\n");
  const Row& row = plan.rows[0];
  ASSERT_EQ(row.trained.size(), 4U);
  EXPECT_EQ(row.trained[1].what, "f");
  EXPECT_EQ(row.trained[3].what, "68 px");
  EXPECT_THAT(plan.tasks[row.trained[1].trainings[0]].arguments, ::testing::Contains("--data=e/f"));
  EXPECT_THAT(plan.tasks[row.trained[3].trainings[0]].arguments, ::testing::Contains("--size=68"));
}

TEST(Plan, TrainsOnceWhatTwoPhasesTrainAlike) {
  const Plan plan = plan_of(
      "phases = [\"final\", \"resolution\"]\n[grid]\ndata = \"d\"\n[rows]\nnetworks = "
      "\"resnet18\"\n[final]\nsize = 68\n[resolution]\nsizes = [68, 34]\n");
  const Row& row = plan.rows[0];
  EXPECT_EQ(row.trained[0].trainings, row.trained[1].trainings);
  EXPECT_EQ(row.trained[0].evaluations, row.trained[1].evaluations);
  EXPECT_EQ(plan.tasks.size(), 2U * 3U * 2U);
}

TEST(Plan, TrainsDeeperThanItSearchesWhereTheGridSaysSo) {
  const Plan plan = plan_of(
      "phases = [\"search\", \"quick\"]\nseeds = [1]\n[grid]\ndata = \"d\"\ncells = 8\n"
      "trained-cells = 20\n");
  EXPECT_THAT(plan.tasks[0].arguments, ::testing::Contains("--cells=8"));
  EXPECT_THAT(plan.tasks[1].arguments, ::testing::Contains("--cells=20"));
}

TEST(Plan, GivesNetworksOfTheZooNoOptionsOfCells) {
  const KnownFlags known = {{}, {"channels", "stem", "preset", "auxiliary", "lr"}, {"resnet18"}};
  const Plan plan = make_plan(parse_study(
      "phases = [\"final\"]\n[grid]\ndata = \"d\"\n[options]\npreset = \"cifar\"\n"
      "channels = 8\nstem = \"cifar\"\n[rows]\nnetworks = \"resnet18\"\n[final]\nlr = 0.1\n",
      "s.toml", known));
  EXPECT_THAT(
      plan.tasks[0].arguments,
      ::testing::ElementsAre("train", "--auxiliary=false", "--data=d", "--lr=0.1", "--preset=cifar",
                             "--network=resnet18", "--epochs=600", "--seed=1"));
}

const std::string kExplained = R"(
phases = ["final", "transfer", "explain"]
[grid]
data = "d"
[rows]
networks = "resnet18"
genotypes = "DARTS_ADP_N2"
[final]
runs = 2
[transfer]
data = "e/f"
runs = 1
[explain]
)";

TEST(Plan, ExplainsTheFirstTrainingOfEachRowOnEachDataSet) {
  const Plan plan = plan_of(kExplained + "pick = 3\n");
  const Task& sheet = plan.tasks[plan.tasks.size() - 2];
  EXPECT_EQ(sheet.label, "explain, d");
  EXPECT_EQ(plan.tasks.back().label, "explain, f");
  const std::size_t cell = plan.rows[0].trained[0].trainings[0];
  const std::size_t peer = plan.rows[1].trained[0].trainings[0];
  EXPECT_THAT(sheet.needs, ::testing::ElementsAre(cell, peer));
  EXPECT_THAT(sheet.arguments, ::testing::ElementsAre("explain", "--data=d", "--target=label",
                                                      "--run={run:" + plan.tasks[cell].id + "}",
                                                      "--name=DARTS_ADP_N2",
                                                      "--run={run:" + plan.tasks[peer].id + "}",
                                                      "--name=resnet18", "--pick=3"));
}

TEST(Plan, ExplainsTheRowsAndImagesThatAreNamed) {
  const Plan plan = plan_of(kExplained + "rows = \"resnet18\"\nimages = [\"a.png\", \"b\"]\n");
  const std::vector<std::string>& arguments = plan.tasks.back().arguments;
  EXPECT_EQ(plan.tasks.back().needs.size(), 1U);
  EXPECT_THAT(std::vector<std::string>(arguments.end() - 4, arguments.end()),
              ::testing::ElementsAre("--name=resnet18", "--", "a.png", "b"));
}

std::vector<std::string> names_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const Row& row : plan.rows) {
    names.push_back(row.name);
  }
  return names;
}

TEST(Plan, TellsDataSetsOfOneNameApart) {
  const Plan plan = plan_of(
      "phases = [\"final\", \"transfer\"]\n[grid]\ndata = [\"x/p\", \"y/p/\", \"q\"]\n[rows]\n"
      "networks = \"resnet18\"\n[final]\nruns = 1\n[transfer]\ndata = [\"z/p\", \"r\"]\nruns = "
      "1\n");
  EXPECT_THAT(names_of(plan), ::testing::ElementsAre("resnet18 x/p", "resnet18 y/p", "resnet18 q"));
  EXPECT_EQ(plan.rows[1].trained[0].data, "y/p/");
  EXPECT_EQ(plan.rows[1].trained[1].what, "z/p");
  EXPECT_EQ(plan.rows[1].trained[2].what, "r");
}

const KnownFlags kResponses = {{"auxiliary-skip", "batch", "gumbel"}, {"batch"}, {"resnet18"}};

TEST(Plan, VariesAnyFlagOfASearch) {
  const Plan plan = make_plan(
      parse_study("phases = [\"search\", \"quick\"]\nseeds = [1]\n[grid]\ndata = \"d\"\nnodes = 2\n"
                  "auxiliary-skip = [0, 0.5]\n[rows]\nrandom = 1\n",
                  "s.toml", kResponses));
  EXPECT_THAT(names_of(plan),
              ::testing::ElementsAre("auxiliary-skip=0", "auxiliary-skip=0.5", "random"));
  const Row& row = plan.rows[1];
  EXPECT_THAT(plan.tasks[row.searches[0]].arguments,
              ::testing::ElementsAre("search", "--data=d", "--nodes=2", "--auxiliary-skip=0.5",
                                     "--epochs=50", "--seed=1"));
  // Only searches know it, so trainings are not given it.
  EXPECT_THAT(plan.tasks[row.quicks[0]].arguments,
              ::testing::ElementsAre("train", "--data=d", ::testing::StartsWith("--genotype={run:"),
                                     "--epochs=100", "--seed=1"));
  EXPECT_NE(plan.tasks[row.searches[0]].id, plan.tasks[plan.rows[0].searches[0]].id);
}

TEST(Plan, NamesTheSettingWithoutAFlagByWhatElseItHas) {
  const Plan plan = make_plan(parse_study(
      "phases = [\"search\"]\nseeds = [1]\n[[grid]]\ndata = \"d\"\n[[grid]]\ndata = \"d\"\n"
      "gumbel = 5\n[[grid]]\ndata = \"d\"\n",
      "s.toml", kResponses));
  EXPECT_THAT(names_of(plan), ::testing::ElementsAre("searched", "gumbel=5"));
}

TEST(Plan, VariesFlagsThatTrainingsKnowInBoth) {
  const Plan plan = make_plan(
      parse_study("phases = [\"search\", \"quick\"]\nseeds = [1]\n[grid]\ndata = \"d\"\nnodes = 2\n"
                  "batch = [8, 16]\n[rows]\nnetworks = \"resnet18\"\nrandom = 1\n",
                  "s.toml", kResponses));
  EXPECT_THAT(names_of(plan),
              ::testing::ElementsAre("batch=8", "batch=16", "random batch=8", "random batch=16",
                                     "resnet18 batch=8", "resnet18 batch=16"));
  EXPECT_THAT(plan.tasks[plan.rows[1].searches[0]].arguments, ::testing::Contains("--batch=16"));
  EXPECT_THAT(plan.tasks[plan.rows[5].quicks[0]].arguments, ::testing::Contains("--batch=16"));
}

TEST(Plan, TrainsCellsThatAreGivenAsTextOrFile) {
  KnownFlags known = kPlanFlags;
  known.read_cell = [](const std::string& source) { return "text of " + source; };
  const Plan plan = make_plan(parse_study(
      "phases = [\"final\"]\n[grid]\ndata = \"d\"\n[rows]\ngenotypes = [\"DARTS_ADP_N2\", "
      "\"cells/mine.txt\", {name = \"ours\", genotype = \"Genotype(x)\"}]\n[final]\nruns = 1\n",
      "s.toml", known));
  EXPECT_THAT(names_of(plan), ::testing::ElementsAre("DARTS_ADP_N2", "mine", "ours"));
  const auto trains = [&](std::size_t row) {
    return plan.tasks[plan.rows[row].trained[0].trainings[0]].arguments;
  };
  EXPECT_THAT(trains(0), ::testing::Contains("--genotype=DARTS_ADP_N2"));
  EXPECT_THAT(trains(1), ::testing::Contains("--genotype=text of cells/mine.txt"));
  EXPECT_THAT(trains(2), ::testing::Contains("--genotype=text of Genotype(x)"));
}

TEST(Plan, RefusesTwoRowsOfOneName) {
  EXPECT_EQ(probedarts::testing::sentence_of([] {
              plan_of(
                  "phases = [\"final\"]\n[grid]\ndata = \"d\"\n[rows]\nnetworks = "
                  "\"resnet18\"\ngenotypes = [{name = \"resnet18\", genotype = "
                  "\"DARTS_ADP_N2\"}]\n");
            }),
            "study: two rows would be called 'resnet18'; give the cell in [rows] another name");
}

TEST(Plan, DrawsOtherRandomCellsWithAnotherSeed) {
  const std::string text =
      "phases = [\"quick\"]\nseeds = [1]\n[grid]\ndata = \"d\"\nnodes = 3\n[rows]\nrandom = 2\n";
  const Plan usual = plan_of(text);
  const Plan other = plan_of(text + "random-seed = 7\n");
  for (std::size_t k = 0; k < 2; ++k) {
    const int number = static_cast<int>(k);
    EXPECT_THAT(usual.tasks[usual.rows[0].quicks[k]].arguments,
                ::testing::Contains("--genotype=" + random_cell(3, number)));
    EXPECT_THAT(other.tasks[other.rows[0].quicks[k]].arguments,
                ::testing::Contains("--genotype=" + random_cell(3, number, 7)));
    EXPECT_NE(random_cell(3, number), random_cell(3, number, 7));
  }
}

TEST(Plan, RefusesToExplainARowThatItDoesNotHave) {
  EXPECT_EQ(probedarts::testing::sentence_of([] { plan_of(kExplained + "rows = \"resnet\"\n"); }),
            "study: row 'resnet' in [explain] is unknown; use some of DARTS_ADP_N2, resnet18");
}

}  // namespace
}  // namespace probedarts::study
