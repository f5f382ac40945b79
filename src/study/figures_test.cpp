#include "study/figures.hpp"

#include <cmath>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "study/plot.hpp"
#include "study/study_page.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;

const KnownFlags kFigureFlags = {{}, {}, {"resnet18"}};

class StudyFigures : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "probedarts_figures_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST(RoundTicks, CoverTheRangeInRoundSteps) {
  EXPECT_THAT(round_ticks(0.0, 10.0), ::testing::ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(round_ticks(3.0, 3.0), ::testing::SizeIs(::testing::Ge(2)));
  EXPECT_LE(round_ticks(0.13, 0.87).front(), 0.13);
  EXPECT_GE(round_ticks(0.13, 0.87).back(), 0.87);
}

TEST(LogTicks, CoverTheRangeInOnesTwosAndFives) {
  using ::testing::DoubleEq;
  using ::testing::ElementsAre;
  EXPECT_THAT(log_ticks(0.05, 1.5), ElementsAre(DoubleEq(0.05), DoubleEq(0.1), DoubleEq(0.2),
                                                DoubleEq(0.5), DoubleEq(1.0), DoubleEq(2.0)));
  EXPECT_THAT(log_ticks(0.2, 0.2), ElementsAre(DoubleEq(0.2), DoubleEq(0.5)));
  EXPECT_THAT(log_ticks(3.0, 4e4), ElementsAre(1, 10, 100, 1000, 10000, 100000));
}

TEST(DrawPlot, PutsPowersOfTenAtEqualDistancesOnALogarithmicAxis) {
  Plot plot{"t", "x", "y", {{"p", {{"l", {0.1, 1, 10}, {1, 1, 1}, {}, 0}}}}};
  plot.log_x = true;
  // The area of the lines is 380 px wide, from 68 px on.
  EXPECT_THAT(draw_plot_svg(plot), ::testing::HasSubstr("d=\"M68.0 30.0L258.0 30.0L448.0 30.0\""));
}

TEST(DrawPlot, DrawsBarsInPlaceOfABandWhereItShould) {
  Plot plot{"t", "x", "y", {{"p", {{"l", {0, 1}, {1, 2}, {0.5, 0.5}, 0}}}}};
  EXPECT_THAT(draw_plot_svg(plot), ::testing::HasSubstr("<polygon"));
  plot.panels[0].bars = true;
  EXPECT_THAT(draw_plot_svg(plot), ::testing::Not(::testing::HasSubstr("<polygon")));
}

TEST(DrawPlot, LeavesTicksBareWhoseNumbersWouldOverlap) {
  Plot plot{"t", "x", "y", {{"p", {{"l", {0.00021, 0.19}, {1, 2}, {}, 0}}}}};
  plot.log_x = true;
  const std::string svg = draw_plot_svg(plot);
  EXPECT_THAT(svg, ::testing::HasSubstr(">0.0005</text>"));
  EXPECT_THAT(svg, ::testing::Not(::testing::HasSubstr(">0.001</text>")));
  EXPECT_THAT(svg, ::testing::HasSubstr(">0.002</text>"));
}

TEST(DrawPlot, WritesATagBesideEachPointThatHasOne) {
  Series line{"l", {0, 1}, {1, 2}, {}, 0};
  line.tag = "1, 2";
  line.tags = {"one", "two"};
  const std::string svg = draw_plot_svg({"t", "x", "y", {{"p", {line}}}});
  EXPECT_THAT(svg, ::testing::HasSubstr(">one</text>"));
  EXPECT_THAT(svg, ::testing::HasSubstr(">two</text>"));
  EXPECT_THAT(svg, ::testing::HasSubstr(">1, 2  l</text>"));
  EXPECT_THAT(tags_of({"l", {0, 1}, {1, 2}, {}, 0}), ::testing::ElementsAre("", ""));
}

TEST(DrawPlot, EscapesNamesAndInterruptsLinesWhereThereIsNoNumber) {
  const double nan = std::nan("");
  const std::string svg =
      draw_plot_svg({"t", "x", "y", {{"a<b", {{"l", {0, 1, 2, 3}, {1, nan, 2, 3}, {}, 0}}}}});
  EXPECT_THAT(svg, ::testing::HasSubstr("a&lt;b"));
  EXPECT_THAT(svg, ::testing::Not(::testing::HasSubstr("nan")));
  EXPECT_THAT(svg, ::testing::ContainsRegex("d=\"M[0-9. ]+M[0-9. ]+L[0-9. ]+\" fill=\"none\""));
}

TEST(DrawPlot, DrawsAnEmptyFrameWithoutNumbers) {
  EXPECT_THAT(draw_plot_svg({"t", "x", "y", {{"p", {}}}}),
              ::testing::Not(::testing::HasSubstr("nan")));
}

TEST(DrawPlot, HoldsZeroUnlessToldNotTo) {
  Plot plot{"t", "x", "y", {{"p", {{"l", {0, 1}, {90, 91}, {}, 0}}}}};
  EXPECT_THAT(draw_plot_svg(plot), ::testing::HasSubstr(">80</text>"));
  plot.from_zero = false;
  EXPECT_THAT(draw_plot_svg(plot), ::testing::HasSubstr(">90.2</text>"));
  EXPECT_THAT(draw_plot_svg(plot), ::testing::Not(::testing::HasSubstr(">80</text>")));
}

TEST_F(StudyFigures, DrawCellsFromRecordsAndCountFoldersThatAreGone) {
  const Plan plan = make_plan(parse_study(
      "phases = \"search\"\nseeds = [1, 2]\n[grid]\ndata = \"d\"\n", "s.toml", kFigureFlags));
  Progress progress{{TaskState::kDone, TaskState::kFailed}, std::vector<Record>(2)};
  progress.records[0].result =
      "{\"valid_error\": 0.25, \"genotype_text\": \"Genotype(normal=[('sep_conv_3x3', 0), "
      "('skip_connect', 1)], normal_concat=range(2, 3), reduce=[('max_pool_3x3', 0), "
      "('skip_connect', 1)], reduce_concat=range(2, 3))\"}";
  progress.records[1].reason = "loss < is > nan";
  const Figures figures = draw_figures(plan, progress, {folder_, {}});
  ASSERT_EQ(figures.drawn.size(), 2U);
  EXPECT_EQ(figures.drawn[0].name, "figure-6-row1-normal");
  EXPECT_EQ(figures.searches.folders_left_out, 1U);
  const std::string page =
      render_study_page(read_findings("a<b", plan, progress, {}), figures, plan, progress, folder_);
  EXPECT_THAT(page, ::testing::HasSubstr("<h1>a&lt;b</h1>"));
  EXPECT_THAT(page, ::testing::HasSubstr("1 done, 1 failed, 0 blocked of 2 runs."));
  EXPECT_THAT(page, ::testing::HasSubstr("loss &lt; is &gt; nan"));
  EXPECT_THAT(page, ::testing::HasSubstr("<td>75.00<br><span class=\"soft\">1 run</span></td>"));
  EXPECT_THAT(page,
              ::testing::HasSubstr("1 finished search is not drawn: the run folder is gone."));
}

TEST_F(StudyFigures, DrawTheCellThatSelectChoseNotTheOneOfTheLeastSearchError) {
  const auto cell = [](const char* primitive) {
    return fmt::format(
        "Genotype(normal=[('{0}', 0), ('skip_connect', 1)], normal_concat=range(2, 3), "
        "reduce=[('{0}', 0), ('skip_connect', 1)], reduce_concat=range(2, 3))",
        primitive);
  };
  const Plan plan = make_plan(parse_study(
      "phases = [\"search\", \"quick\", \"select\"]\nseeds = [1, 2]\n[grid]\ndata = \"d\"\n",
      "s.toml", kFigureFlags));
  Progress progress{std::vector<TaskState>(5, TaskState::kDone), std::vector<Record>(5)};
  const Row& row = plan.rows.front();
  progress.records[row.searches[0]].result =
      fmt::format("{{\"valid_error\": 0.1, \"genotype_text\": \"{}\"}}", cell("dil_conv_5x5"));
  progress.records[row.searches[1]].result =
      fmt::format("{{\"valid_error\": 0.2, \"genotype_text\": \"{}\"}}", cell("sep_conv_3x3"));
  progress.records[*row.select].result =
      fmt::format("{{\"genotype\": \"{}\", \"seed\": 2}}", cell("sep_conv_3x3"));
  const Figure chosen = draw_figures(plan, progress, {folder_, {}}).drawn.at(0);
  EXPECT_EQ(chosen.caption, row.name + ": normal cell that phase select chose (seed 2).");
  EXPECT_THAT(chosen.svg, ::testing::HasSubstr("sep 3"));
  EXPECT_THAT(chosen.svg, ::testing::Not(::testing::HasSubstr("dil 5")));

  progress.states[*row.select] = TaskState::kWaiting;
  const Figure least = draw_figures(plan, progress, {folder_, {}}).drawn.at(0);
  EXPECT_EQ(least.caption, row.name +
                               ": normal cell of the search with the least validation error (seed "
                               "1); none is chosen yet.");
  EXPECT_THAT(least.svg, ::testing::HasSubstr("dil 5"));
}

}  // namespace
}  // namespace probedarts::study
