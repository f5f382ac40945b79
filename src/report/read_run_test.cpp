#include "report/read_run.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "support/sample_run.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::report {
namespace {

using nlohmann::json;
using testing::sample_epoch;
using testing::sample_head;
using testing::write_run;

class ReadRun : public ::testing::Test {
 protected:
  /// The sentence read_run throws, or "" when it does not.
  std::string complaint() const {
    try {
      read_run(folder());
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  }
  std::filesystem::path folder() const { return temp_.path() / "run"; }
  std::string head_file() const { return (folder() / "run.json").string(); }
  std::string epochs_file() const { return (folder() / "epochs.jsonl").string(); }

 private:
  testing::ScratchFolder temp_;
};

TEST_F(ReadRun, ReadsWhatTheFolderSays) {
  write_run(folder(), sample_head(), {sample_epoch(0), sample_epoch(1)});
  const auto run = read_run(folder());
  EXPECT_EQ(run.name, "sample");
  EXPECT_EQ(run.machine, "Example CPU, 2 cores, 23.5 GiB, Linux 6.1");
  EXPECT_EQ(run.option("lr"), "0.175");
  EXPECT_EQ(run.option("no such option"), "");
  ASSERT_EQ(run.layers.size(), 4U);
  EXPECT_EQ(run.layers[2].primitive, space::Primitive::kDilConv3x3);
  EXPECT_FALSE(run.layers[0].cell.has_value());
  ASSERT_EQ(run.epochs.size(), 2U);
  EXPECT_DOUBLE_EQ(run.epochs[1].valid.error, 0.375);
  EXPECT_DOUBLE_EQ(run.epochs[1].lr_layers[1], 0.125);
  EXPECT_DOUBLE_EQ(run.epochs[1].seconds_parts[0], 28.0);
  EXPECT_DOUBLE_EQ(run.epochs[1].seconds_parts[4], 0.0);
  EXPECT_TRUE(run.notes.empty());
}

TEST_F(ReadRun, SeesLayerRatesOnlyWhereTheyDiffer) {
  write_run(folder(), sample_head(), {sample_epoch(0)});
  EXPECT_FALSE(read_run(folder()).has_layer_rates());
  write_run(folder(), sample_head(), {sample_epoch(0), sample_epoch(1)});
  EXPECT_TRUE(read_run(folder()).has_layer_rates());
}

TEST_F(ReadRun, KeepsAFailedFactorisationAsNaN) {
  json epoch = sample_epoch(0);
  epoch["probe"]["rank_in"][3] = nullptr;
  epoch["probe"]["failed"] = {3};
  write_run(folder(), sample_head(), {epoch});
  const auto run = read_run(folder());
  EXPECT_TRUE(std::isnan(run.epochs[0].probe[2][3]));
  EXPECT_EQ(run.epochs[0].failed_layers, 1U);
}

TEST_F(ReadRun, DropsALastLineCutShortWithANote) {
  write_run(folder(), sample_head(), {sample_epoch(0)});
  std::ofstream(epochs_file(), std::ios::app) << sample_epoch(1).dump().substr(0, 100);
  const auto run = read_run(folder());
  EXPECT_EQ(run.epochs.size(), 1U);
  ASSERT_EQ(run.notes.size(), 1U);
  EXPECT_EQ(run.notes[0],
            "Line 2 of epochs.jsonl is cut short, as a killed run leaves it; it is not shown.");
}

TEST_F(ReadRun, RefusesAFolderThatIsNoRun) {
  std::filesystem::create_directories(folder());
  EXPECT_EQ(complaint(), fmt::format("run folder: '{}' holds no run.json; give a folder that "
                                     "`probedarts search` or `probedarts train` wrote",
                                     folder().string()));
}

TEST_F(ReadRun, RefusesAFolderThatDoesNotExist) {
  EXPECT_EQ(complaint(), fmt::format("run folder: '{}' does not exist; give a folder that "
                                     "`probedarts search` or `probedarts train` wrote",
                                     folder().string()));
}

TEST_F(ReadRun, RefusesARunWithoutAFinishedEpoch) {
  write_run(folder(), sample_head(), {});
  EXPECT_EQ(
      complaint(),
      fmt::format(
          "run folder: '{0}' has no finished epoch yet; wait for its first epoch, or go on with "
          "`probedarts search --resume {0}`",
          folder().string()));
}

TEST_F(ReadRun, NamesTheLineThatIsNoJson) {
  write_run(folder(), sample_head(), {sample_epoch(0)});
  std::ofstream(epochs_file(), std::ios::app) << "{\"epoch\": 1,\n"
                                              << sample_epoch(2).dump() << "\n";
  EXPECT_EQ(
      complaint(),
      fmt::format("run folder: line 2 of '{}' is no valid JSON; restore the file or repeat the run",
                  epochs_file()));
}

TEST_F(ReadRun, RefusesARunJsonThatIsNoJson) {
  write_run(folder(), sample_head(), {sample_epoch(0)});
  testing::write_text(head_file(), "{\"format\": ");
  EXPECT_EQ(complaint(),
            fmt::format("run folder: '{}' is no valid JSON; restore the file or repeat the run",
                        head_file()));
}

TEST_F(ReadRun, ReadsATraining) {
  write_run(folder(), testing::sample_train_head(), {testing::sample_train_epoch(0)});
  const report::Run run = read_run(folder());
  EXPECT_EQ(run.kind, "train");
  EXPECT_EQ(run.network, "cells");
  EXPECT_FALSE(run.epochs[0].architecture.has_value());
  ASSERT_NE(run.cell(), nullptr);
  EXPECT_EQ(run.cell()->nodes(), 1);
  EXPECT_EQ(run.epochs[0].seconds_parts[0], 28.5);
}

TEST_F(ReadRun, TakesTheCellThatAnEarlyStopKeeps) {
  json head = sample_head();
  head["stopped"] = {{"why", "it grew"}, {"genotype_epoch", 0}};
  json last = sample_epoch(1);
  last["genotype"]["normal"]["genes"][0][0] = "skip_connect";
  write_run(folder(), head, {sample_epoch(0), last});
  const report::Run run = read_run(folder());
  EXPECT_EQ(run.stopped, "it grew");
  EXPECT_EQ(run.cell()->normal.genes[0].primitive, space::Primitive::kMaxPool3x3);
}

TEST_F(ReadRun, RefusesAnEarlyStopThatKeepsAnEpochThereIsNot) {
  json head = sample_head();
  head["stopped"] = {{"why", "it grew"}, {"genotype_epoch", 1}};
  write_run(folder(), head, {sample_epoch(0)});
  EXPECT_THAT(complaint(), ::testing::HasSubstr("is 1 where epochs 0 to 0 are finished"));
}

TEST_F(ReadRun, RefusesAKindItDoesNotKnow) {
  json head = sample_head();
  head["kind"] = "dream";
  write_run(folder(), head, {sample_epoch(0)});
  EXPECT_EQ(complaint(),
            fmt::format("run folder: '{}': 'kind' is 'dream', the report shows runs of 'search' "
                        "and 'train'; restore the file or repeat the run",
                        head_file()));
}

TEST_F(ReadRun, RefusesAForeignFormat) {
  json head = sample_head();
  head["format"] = "other";
  write_run(folder(), head, {sample_epoch(0)});
  EXPECT_EQ(complaint(),
            fmt::format("run folder: '{}': 'format' is 'other', not 'probedarts-run'; restore the "
                        "file or repeat the run",
                        head_file()));
}

TEST_F(ReadRun, RefusesANewerFormat) {
  json head = sample_head();
  head["format_version"] = 2;
  write_run(folder(), head, {sample_epoch(0)});
  EXPECT_EQ(
      complaint(),
      fmt::format("run folder: '{}': 'format_version' is 2, this program reads 1; restore the "
                  "file or repeat the run",
                  head_file()));
}

TEST_F(ReadRun, NamesAMissingField) {
  json epoch = sample_epoch(0);
  epoch["valid"].erase("error");
  write_run(folder(), sample_head(), {epoch});
  EXPECT_EQ(complaint(), fmt::format("run folder: line 1 of '{}': 'valid.error' is missing; "
                                     "restore the file or repeat the run",
                                     epochs_file()));
}

TEST_F(ReadRun, NamesAFieldOfTheWrongType) {
  json epoch = sample_epoch(0);
  epoch["probe"]["rank_in"][2] = "high";
  write_run(folder(), sample_head(), {epoch});
  EXPECT_EQ(complaint(),
            fmt::format("run folder: line 1 of '{}': 'probe.rank_in[2]' must be a number or null; "
                        "restore the file or repeat the run",
                        epochs_file()));
}

TEST_F(ReadRun, RefusesASeriesThatMissesALayer) {
  json epoch = sample_epoch(0);
  epoch["probe"]["rank_in"].erase(0);
  write_run(folder(), sample_head(), {epoch});
  EXPECT_EQ(
      complaint(),
      fmt::format("run folder: line 1 of '{}': 'probe.rank_in' has 3 numbers for the 4 layers of "
                  "run.json; restore the file or repeat the run",
                  epochs_file()));
}

TEST_F(ReadRun, RefusesAnEpochOutOfOrder) {
  write_run(folder(), sample_head(), {sample_epoch(0), sample_epoch(2)});
  EXPECT_EQ(
      complaint(),
      fmt::format("run folder: line 2 of '{}': 'epoch' is 2 where 1 must follow; restore the file "
                  "or repeat the run",
                  epochs_file()));
}

TEST_F(ReadRun, RefusesSoftmaxThatDoesNotFitTheGenotype) {
  json epoch = sample_epoch(0);
  epoch["alpha_softmax"]["reduce"].erase(0);
  write_run(folder(), sample_head(), {epoch});
  EXPECT_EQ(
      complaint(),
      fmt::format("run folder: line 1 of '{}': 'alpha_softmax.reduce' has 1 rows for the 2 edges "
                  "of the genotype; restore the file or repeat the run",
                  epochs_file()));
}

TEST_F(ReadRun, RefusesAnUnknownPrimitiveOfALayer) {
  json head = sample_head();
  head["layers"][2]["primitive"] = "sep_conv_9x9";
  write_run(folder(), head, {sample_epoch(0)});
  EXPECT_EQ(
      complaint(),
      fmt::format("run folder: '{}': 'layers[2].primitive' names no primitive ('sep_conv_9x9'); "
                  "restore the file or repeat the run",
                  head_file()));
}

TEST_F(ReadRun, NamesTheLineOfAnIllegalGenotype) {
  json epoch = sample_epoch(0);
  epoch["genotype"]["normal"]["genes"][0][1] = 9;
  write_run(folder(), sample_head(), {epoch});
  const std::string sentence = complaint();
  EXPECT_EQ(sentence.find(fmt::format("run folder: line 1 of '{}': genotype: ", epochs_file())), 0U)
      << sentence;
}

}  // namespace
}  // namespace probedarts::report
