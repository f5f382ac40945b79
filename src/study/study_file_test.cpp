#include "study/study_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

const KnownFlags kKnown = {{"data", "nodes", "channels", "batch", "epochs", "lr"},
                           {"data", "channels", "drop-path", "epochs", "size", "cells"},
                           {"resnet18", "senet18"}};

std::string complaint(const std::string& text) {
  try {
    parse_study(text, "s.toml", kKnown);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

const std::string kGrid = "[grid]\ndata = \"d\"\n";

TEST(StudyFile, SpreadsTheGridInTheOrderOfItsKeys) {
  const Study study = parse_study(
      "phases = [\"search\"]\n[grid]\ndata = \"d\"\nnodes = [2, 3]\nlr = [0.025, 0.1]\n", "s.toml",
      kKnown);
  ASSERT_EQ(study.points.size(), 4U);
  EXPECT_EQ(study.points[1].nodes, "2");
  EXPECT_EQ(study.points[1].lr, "0.1");
  EXPECT_EQ(study.points[2].nodes, "3");
  EXPECT_EQ(study.points[2].lr, "0.025");
  EXPECT_EQ(study.name, "s");
  EXPECT_THAT(study.seeds, ::testing::ElementsAre(1, 2, 3, 4));
}

TEST(StudyFile, AddsSeveralGrids) {
  const Study study = parse_study(
      "phases = \"search\"\n[[grid]]\ndata = \"d\"\noptimizer = \"sgd\"\nlr = [0.025, 0.05]\n"
      "[[grid]]\ndata = \"d\"\noptimizer = \"adas\"\n",
      "s.toml", kKnown);
  ASSERT_EQ(study.points.size(), 3U);
  EXPECT_EQ(study.points[2].optimizer, "adas");
  EXPECT_EQ(study.points[2].lr, "");
}

TEST(StudyFile, GivesOptionsToTheCommandsThatKnowThem) {
  const Study study = parse_study(
      "phases = [\"search\"]\n" + kGrid + "[options]\nchannels = 4\nbatch = 8\n", "s.toml", kKnown);
  EXPECT_THAT(study.search_flags, ::testing::ElementsAre(::testing::Pair("batch", "8"),
                                                         ::testing::Pair("channels", "4")));
  EXPECT_THAT(study.train_flags, ::testing::ElementsAre(::testing::Pair("channels", "4")));
}

TEST(StudyFile, RefusesUnknownKeys) {
  EXPECT_EQ(complaint("phases = [\"search\"]\nsede = 1\n" + kGrid),
            "study file 's.toml': unknown key 'sede'; known are name, phases, seeds, grid, rows, "
            "options, search, quick, select, final, transfer, resolution, explain");
  EXPECT_EQ(complaint("phases = [\"search\"]\n" + kGrid + "node = 3\n"),
            "study file 's.toml': unknown key 'node' in [grid]; known are data, nodes, cells, "
            "optimizer, lr, order, size, trained-cells, and the flags of probedarts search and "
            "train");
  EXPECT_EQ(complaint("phases = [\"search\"]\n" + kGrid + "[search]\nbatsch = 3\n"),
            "study file 's.toml': unknown key 'batsch' in [search]; see probedarts search --help");
  EXPECT_EQ(complaint("phases = [\"search\"]\n" + kGrid + "[search]\nnodes = 3\n"),
            "study file 's.toml': 'nodes' in [search] is for the study to decide; take it out");
}

TEST(StudyFile, VariesOtherFlagsOfTheCommands) {
  const Study study = parse_study("phases = [\"search\"]\n" + kGrid +
                                      "batch = [8, 16]\nchannels = 4\n[options]\ndrop-path = 0\n",
                                  "s.toml", kKnown);
  ASSERT_EQ(study.points.size(), 2U);
  EXPECT_THAT(
      study.points[1].search_flags,
      ::testing::ElementsAre(::testing::Pair("batch", "16"), ::testing::Pair("channels", "4")));
  EXPECT_THAT(study.points[1].train_flags,
              ::testing::ElementsAre(::testing::Pair("channels", "4")));
}

TEST(StudyFile, RefusesAFlagThatTheGridAndAnotherTableSet) {
  EXPECT_EQ(complaint("phases = [\"search\"]\n" + kGrid + "batch = 8\n[search]\nbatch = 4\n"),
            "study file 's.toml': 'batch' is set in [grid] and in [search]; keep one");
  EXPECT_EQ(
      complaint("phases = [\"search\"]\n" + kGrid + "channels = 8\n[options]\nchannels = 4\n"),
      "study file 's.toml': 'channels' is set in [grid] and in [options]; keep one");
  EXPECT_EQ(complaint("phases = [\"search\"]\n" + kGrid + "epochs = [3, 4]\n"),
            "study file 's.toml': 'epochs' in [grid] is for the study to decide; take it out");
}

TEST(StudyFile, HasPhasesAsLongAsThePapersWhereItSaysNothing) {
  const Study study =
      parse_study("phases = [\"search\", \"quick\", \"select\", \"final\", \"resolution\"]\n" +
                      kGrid + "[resolution]\nsizes = 34\nepochs = 7\n",
                  "s.toml", kKnown);
  std::vector<int> epochs;
  for (const PhaseSettings& phase : study.phases) {
    epochs.push_back(phase.epochs);
  }
  EXPECT_THAT(epochs, ::testing::ElementsAre(50, 100, 0, 600, 7));
}

TEST(StudyFile, RefusesCellsWithoutANameOrWithTheSame) {
  const auto said = [](const std::string& genotypes) {
    KnownFlags known = kKnown;
    known.read_cell = [](const std::string& source) { return source; };
    return probedarts::testing::sentence_of([&] {
      parse_study("phases = [\"quick\"]\n" + kGrid + "[rows]\ngenotypes = " + genotypes + "\n",
                  "s.toml", known);
    });
  };
  EXPECT_EQ(said("\"Genotype(x)\""),
            "study file 's.toml': a cell written out in [rows] has no name; write { name = "
            "\"mine\", genotype = \"Genotype(...)\" }");
  EXPECT_EQ(said("[\"a/x.txt\", \"b/x.txt\"]"),
            "study file 's.toml': two cells in [rows] are called 'x'; give one another name");
  EXPECT_EQ(said("{ name = \"mine\" }"),
            "study file 's.toml': a cell in 'genotypes' in [rows] lacks a key; write { name = "
            "\"mine\", genotype = \"cell.txt\" }");
  EXPECT_EQ(said("[]"),
            "study file 's.toml': 'genotypes' in [rows] is empty; give at least one value");
  EXPECT_THAT(complaint("phases = [\"quick\"]\n" + kGrid + "[rows]\ngenotypes = \"DARTS\"\n"),
              ::testing::StartsWith(
                  "study file 's.toml': genotype 'DARTS' in [rows] is unknown; use some of "));
}

TEST(StudyFile, RefusesAnEmptyGrid) {
  EXPECT_EQ(complaint("phases = [\"search\"]\n"),
            "study file 's.toml': no grid; add a table [grid] with data = [\"folder\"]");
  EXPECT_EQ(complaint("phases = [\"search\"]\n[grid]\nnodes = 3\n"),
            "study file 's.toml': [grid] names no data; add data = [\"folder\"]");
  EXPECT_EQ(complaint("phases = [\"search\"]\n[grid]\ndata = []\n"),
            "study file 's.toml': 'data' in [grid] is empty; give at least one value");
}

TEST(StudyFile, RefusesPhasesOutOfOrder) {
  EXPECT_EQ(complaint("phases = [\"quick\", \"search\"]\n" + kGrid),
            "study file 's.toml': phase 'search' stands after 'quick'; the order is search, quick, "
            "select, final, transfer, resolution, explain");
  EXPECT_EQ(complaint("phases = [\"search\", \"final\"]\n" + kGrid),
            "study file 's.toml': phase 'final' needs 'select' before it; add it to phases");
  EXPECT_EQ(complaint("phases = [\"search\", \"select\"]\n" + kGrid),
            "study file 's.toml': phase 'select' needs 'quick' before it; add it to phases");
  EXPECT_EQ(complaint("phases = [\"serach\"]\n" + kGrid),
            "study file 's.toml': phase 'serach' is unknown; use some of search, quick, select, "
            "final, transfer, resolution, explain");
}

TEST(StudyFile, RefusesATableOfAPhaseItDoesNotHave) {
  EXPECT_EQ(complaint("phases = [\"search\"]\n" + kGrid + "[quick]\nepochs = 3\n"),
            "study file 's.toml': [quick] is set but 'quick' is not among the phases; add it there "
            "or take the table out");
}

TEST(StudyFile, RefusesRowsItCannotTrain) {
  EXPECT_EQ(complaint("phases = [\"search\"]\n" + kGrid + "[rows]\nrandom = 3\n"),
            "study file 's.toml': [rows] has networks to train but no phase trains them; add "
            "\"quick\" to phases");
  EXPECT_EQ(
      complaint("phases = [\"quick\"]\n" + kGrid),
      "study file 's.toml': nothing to run: no phase 'search' and no [rows]; add one of them");
  EXPECT_EQ(complaint("phases = [\"quick\"]\n" + kGrid + "[rows]\nnetworks = \"resnet\"\n"),
            "study file 's.toml': network 'resnet' in [rows] is unknown; use some of resnet18, "
            "senet18");
}

TEST(StudyFile, RefusesValuesOfTheWrongKind) {
  EXPECT_EQ(complaint("phases = [\"search\"]\nseeds = [1, -2]\n" + kGrid),
            "study file 's.toml': 'seeds' must be whole numbers from 0 to 9223372036854775807");
  EXPECT_EQ(complaint("phases = [\"search\"]\nseeds = [1, 1]\n" + kGrid),
            "study file 's.toml': 'seeds' holds 1 twice; keep one");
  EXPECT_EQ(complaint("phases = [\"search\"]\n" + kGrid + "nodes = 9\n"),
            "study file 's.toml': 'nodes' in [grid] must be whole numbers from 1 to 8");
  EXPECT_EQ(complaint("phases = [\"search\"]\ngrid = 3\n"),
            "study file 's.toml': 'grid' must be a table; write [grid]");
}

TEST(StudyFile, ReadsWhatToExplain) {
  const std::string peers = "phases = [\"final\", \"explain\"]\n" + kGrid +
                            "[rows]\nnetworks = [\"resnet18\", \"senet18\"]\n";
  EXPECT_EQ(parse_study(peers, "s.toml", kKnown).phase(Phase::kExplain)->pick, 5);
  KnownFlags known = kKnown;
  known.explain = {"method"};
  const Study study = parse_study(
      peers + "[explain]\nrows = \"senet18\"\nimages = [\"a.png\"]\nmethod = \"hirescam\"\n",
      "s.toml", known);
  const PhaseSettings& explain = *study.phase(Phase::kExplain);
  EXPECT_THAT(explain.rows, ::testing::ElementsAre("senet18"));
  EXPECT_THAT(explain.images, ::testing::ElementsAre("a.png"));
  EXPECT_THAT(explain.flags, ::testing::ElementsAre(::testing::Pair("method", "hirescam")));
}

TEST(StudyFile, RefusesToExplainWhatItDoesNotTrain) {
  EXPECT_EQ(complaint("phases = [\"search\", \"explain\"]\n" + kGrid),
            "study file 's.toml': phase 'explain' needs 'final' before it; add it to phases");
  EXPECT_EQ(complaint("phases = [\"final\", \"explain\"]\n" + kGrid +
                      "[rows]\nnetworks = \"resnet18\"\n[explain]\npick = 2\nimages = \"a\"\n"),
            "study file 's.toml': 'pick' in [explain] goes without 'images'; keep one of them");
  EXPECT_EQ(complaint("phases = [\"final\", \"explain\"]\n" + kGrid +
                      "[rows]\nnetworks = \"resnet18\"\n[explain]\nseeds = 2\n"),
            "study file 's.toml': unknown key 'seeds' in [explain]; see probedarts explain --help");
}

TEST(StudyFile, SaysInWhichLineTomlEnds) {
  EXPECT_THAT(complaint("phases = [\"search\"]\n[grid\n"),
              ::testing::StartsWith("study file 's.toml': line 2: "));
}

TEST(StudyFile, RefusesDataThatAreMissing) {
  const Study study =
      parse_study("phases = [\"search\"]\n[grid]\ndata = \"/no/such\"\n", "s.toml", kKnown);
  try {
    require_data(study, "s.toml");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "study file 's.toml': data set '/no/such' is no folder; correct data in the file, "
                 "or say with --data-root where it lies");
  }
}

}  // namespace
}  // namespace probedarts::study
