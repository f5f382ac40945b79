#include "study/accuracy_figures.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

using ::testing::ElementsAre;

const KnownFlags kAccuracyFlags = {{}, {}, {"resnet18"}};

/// Accuracy of row r: 0.9 - r / 100; parameters of row r: (r + 1) times `parameters`.
struct Made {
  Made(const std::string& toml, double parameters)
      : plan(make_plan(parse_study(toml, "s.toml", kAccuracyFlags))),
        progress{std::vector<TaskState>(plan.tasks.size(), TaskState::kDone),
                 std::vector<Record>(plan.tasks.size())},
        folder{scratch.path(), {}} {
    for (std::size_t r = 0; r < plan.rows.size(); ++r) {
      for (const Row::Trained& trained : plan.rows[r].trained) {
        for (const std::size_t test : trained.evaluations) {
          progress.records[test].result = fmt::format(
              "{{\"evaluations\": [{{\"size\": {}, \"measures\": {{\"accuracy\": {{\"value\": "
              "{}}}}}}}]}}",
              trained.what == "32 px" ? 32 : 64, 0.9 - 0.01 * static_cast<double>(r));
        }
        for (const std::size_t training : trained.trainings) {
          scratch.write(
              "runs/" + plan.tasks[training].id + "/run.json",
              fmt::format("{{\"parameters\": {}}}", parameters * static_cast<double>(r + 1)));
        }
      }
    }
  }

  testing::ScratchFolder scratch;
  Plan plan;
  Progress progress;
  StudyFolder folder;
};

std::vector<std::string> labels_of(const Panel& panel) {
  std::vector<std::string> labels;
  for (const Series& line : panel.lines) {
    labels.push_back(line.label);
  }
  return labels;
}

TEST(PlotAccuracies, JoinsTheNodesOfAnOptimizerAndHasAPanelForEachDataSet) {
  const Made made(
      "phases = [\"search\", \"quick\", \"select\", \"final\"]\nseeds = [1]\n[grid]\ndata = "
      "[\"a\", \"b\"]\nnodes = [2, 8]\noptimizer = [\"sgd\", \"adas\"]\n[rows]\nnetworks = "
      "\"resnet18\"\n[final]\nruns = 1\n",
      1e6);
  const Plot plot = plot_accuracies(made.plan, made.progress, made.folder);
  ASSERT_EQ(plot.panels.size(), 2U);
  EXPECT_EQ(plot.panels[0].title, "a");
  EXPECT_EQ(plot.panels[1].title, "b");
  EXPECT_THAT(labels_of(plot.panels[0]),
              ElementsAre("a sgd: N=2, N=8", "a adas: N=2, N=8", "resnet18 a"));
  const Series& sgd = plot.panels[0].lines[0];
  EXPECT_EQ(plot.x_label, "parameters, millions");
  EXPECT_EQ(sgd.x.size(), 2U);
  EXPECT_EQ(sgd.tags.size(), 2U);
  EXPECT_EQ(sgd.tag, sgd.tags[0] + ", " + sgd.tags[1]);
  EXPECT_TRUE(plot.panels[0].bars);
}

TEST(PlotAccuracies, TellsDataSetsOfOneNameApart) {
  const Made made(
      "phases = [\"final\"]\n[grid]\ndata = [\"x/p\", \"y/p\"]\n[rows]\nnetworks = "
      "\"resnet18\"\n[final]\nruns = 1\n",
      1e6);
  const Plot plot = plot_accuracies(made.plan, made.progress, made.folder);
  ASSERT_EQ(plot.panels.size(), 2U);
  EXPECT_EQ(plot.panels[0].title, "x/p");
  EXPECT_EQ(plot.panels[1].title, "y/p");
}

TEST(PlotAccuracies, TakesTheUnitThatTheLargestNetworkAsksFor) {
  const Made made(
      "phases = \"final\"\n[grid]\ndata = \"d\"\n[rows]\nnetworks = \"resnet18\"\n[final]\nruns = "
      "1\n",
      2500);
  const Plot plot = plot_accuracies(made.plan, made.progress, made.folder);
  EXPECT_EQ(plot.x_label, "parameters, thousands");
  EXPECT_THAT(plot.panels.at(0).lines.at(0).x, ElementsAre(2.5));
}

TEST(PlotResolutions, CountsAsThePaperDoesAndDrawsBandsOfFewRows) {
  const Made made(
      "phases = \"resolution\"\n[grid]\ndata = [\"a\", \"b\"]\n[rows]\nnetworks = \"resnet18\"\n"
      "[resolution]\nsizes = [64, 32]\nruns = 1\n",
      1e6);
  const auto count = [](const std::filesystem::path&, int size_px) {
    return std::optional(NetworkSize{1, 7, std::int64_t{1000} * size_px * size_px});
  };
  const Plot plot = plot_resolutions(made.plan, made.progress, made.folder, count);
  EXPECT_EQ(plot.x_label, "multiply-accumulates for one image, paper's count, millions");
  ASSERT_EQ(plot.panels.size(), 2U);
  EXPECT_EQ(plot.panels[1].title, "b");
  EXPECT_FALSE(plot.panels[0].bars);
  EXPECT_THAT(plot.panels[0].lines.at(0).x, ElementsAre(1.024, 4.096));  // sorted
  EXPECT_EQ(plot.panels[0].lines[0].tag, "1");
  EXPECT_EQ(plot.panels[1].lines[0].tag, "2");
}

}  // namespace
}  // namespace probedarts::study
