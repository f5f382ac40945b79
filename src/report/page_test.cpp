#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "report/page_files.hpp"
#include "report/report.hpp"
#include "support/sample_run.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::report {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::sample_epoch;
using testing::sample_head;
using testing::write_run;

/// The JSON that the page carries for its charts.
json data_of(const std::string& page) {
  const std::string open = R"(<script type="application/json" id="data">)";
  const std::size_t begin = page.find(open) + open.size();
  return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

class RenderReport : public ::testing::Test {
 protected:
  std::filesystem::path run(const std::string& name, const json& head = sample_head()) const {
    write_run(temp_.path() / name, head, {sample_epoch(0), sample_epoch(1)});
    return temp_.path() / name;
  }
  std::filesystem::path folder() const { return temp_.path(); }

 private:
  testing::ScratchFolder temp_;
};

TEST_F(RenderReport, CarriesTheNumbersOfTheRun) {
  const json data = data_of(render_report({run("a")}));
  ASSERT_EQ(data["runs"].size(), 1U);
  const json& shown = data["runs"][0];
  EXPECT_EQ(shown["name"], "sample");
  EXPECT_EQ(shown["epochs"], 2);
  EXPECT_EQ(shown["optimizer"], "Adas");
  EXPECT_EQ(shown["valid"]["error"], json({0.375, 0.375}));
  EXPECT_EQ(shown["lr_layers"][1], json({0.175, 0.125}));
  EXPECT_EQ(shown["alpha"]["reduce"][1][6], json({0.2, 0.2}));
  EXPECT_EQ(shown["genes"]["normal"][1], json({{1, 0}, {6, 1}}));
  EXPECT_EQ(shown["collapse"]["normal"][0], json({0.5, 0.5}));
}

TEST_F(RenderReport, CarriesTheProbesOfTheEpochsThatMeasuredThem) {
  json measured = sample_epoch(1);
  measured["eigenvalue"] = {{"largest", 0.25}};
  measured["gap"] = {{"gap", -0.125}};
  write_run(folder() / "p", sample_head(), {sample_epoch(0), measured, sample_epoch(2)});
  const json shown = data_of(render_report({folder() / "p"}))["runs"][0];
  EXPECT_EQ(shown["extra"], json({{{1, 0.25}}, {{1, -0.125}}, json::array()}));
}

TEST_F(RenderReport, SaysWhatTheProbesThatWereMeasuredCost) {
  json measured = sample_epoch(1);
  measured["gap"] = {{"gap", -0.125}};
  measured["seconds"]["gap"] = 6.0;
  measured["seconds"]["total"] = sample_epoch(0)["seconds"]["total"];
  write_run(folder() / "p", sample_head(), {sample_epoch(0), measured});
  const std::string page = render_report({folder() / "p", run("plain")});
  const double total = measured["seconds"]["total"].get<double>();
  EXPECT_THAT(page, HasSubstr(fmt::format("3 s ({:.1f} %)", 100 * 3.0 / total)))
      << "the mean of 0 and 6 seconds";
  EXPECT_THAT(page, HasSubstr("probe: discretisation gap"));
  EXPECT_THAT(page, HasSubstr("not measured"));
  EXPECT_THAT(page, Not(HasSubstr("probe: eigenvalue")));
}

TEST_F(RenderReport, ShowsATrainingWithoutArchitecture) {
  write_run(folder() / "t", testing::sample_train_head(),
            {testing::sample_train_epoch(0), testing::sample_train_epoch(1)});
  const std::string page = render_report({folder() / "t"});
  EXPECT_THAT(page, HasSubstr("data-kinds=\"train\""));
  EXPECT_THAT(page, HasSubstr("probedarts train --resume"));
  EXPECT_THAT(page, HasSubstr("normal=[(&#39;max_pool_3x3&#39;, 0)"));
  const json shown = data_of(page)["runs"][0];
  EXPECT_EQ(shown["valid"]["error"], json({0.375, 0.375}));
  EXPECT_EQ(shown["nodes"], 1);
  EXPECT_EQ(shown["layers"].size(), 3U);
  for (const char* key : {"alpha", "collapse", "genes"}) {
    EXPECT_TRUE(shown[key].is_null()) << key;
  }
}

TEST_F(RenderReport, ShowsATrainingOfANetworkWithoutCells) {
  json head = testing::sample_train_head();
  head["model"]["network"] = {{"name", "resnet18"}};
  write_run(folder() / "t", head, {testing::sample_train_epoch(0)});
  const std::string page = render_report({folder() / "t"});
  EXPECT_THAT(page, HasSubstr("resnet18 is not made of cells."));
  EXPECT_EQ(data_of(page)["runs"][0]["nodes"], 0);
}

TEST_F(RenderReport, TellsSearchesAndTrainingsApart) {
  write_run(folder() / "t", testing::sample_train_head(), {testing::sample_train_epoch(0)});
  EXPECT_THAT(render_report({run("a"), folder() / "t"}), HasSubstr("data-kinds=\"both\""));
  EXPECT_THAT(render_report({run("a")}), HasSubstr("data-kinds=\"search\""));
}

TEST_F(RenderReport, RoundsToFiveDigitsAndLeavesDepthwiseLayersOut) {
  const json shown = data_of(render_report({run("a")}))["runs"][0];
  ASSERT_EQ(shown["layers"].size(), 3U);
  EXPECT_EQ(shown["layers"][2]["primitive"], 7);
  EXPECT_EQ(shown["layers"][0]["cell"], nullptr);
  EXPECT_EQ(shown["probe"]["stable_rank_in"], json({{0.25, 0.25}, {0.0, 0.0}, {0.12346, 0.12346}}));
}

TEST_F(RenderReport, IsTheSameEveryTime) {
  const auto first = run("a");
  const auto second = run("b");
  EXPECT_EQ(render_report({first, second}), render_report({first, second}));
}

TEST_F(RenderReport, TellsRunsOfOneNameApart) {
  const json data = data_of(render_report({run("a"), run("b")}));
  EXPECT_EQ(data["runs"][0]["name"], "sample");
  EXPECT_EQ(data["runs"][1]["name"], "sample (2)");
}

TEST_F(RenderReport, EscapesWhatTheFolderSays) {
  json head = sample_head();
  head["name"] = "</script><script>alert(1)</script>{{data}}<!--";
  head["config"]["note"] = "<img src=x onerror=alert(2)>";
  const std::string page = render_report({run("a", head)});
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page,
              HasSubstr("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{data}}&lt;!--"));
  EXPECT_EQ(data_of(page)["runs"][0]["name"], head["name"]);
}

TEST_F(RenderReport, NeedsNoNetwork) {
  const std::string page = render_report({run("a")});
  EXPECT_FALSE(std::regex_search(page, std::regex(R"((src|href)="?(https?:)?//)")));
  EXPECT_THAT(page, Not(HasSubstr("@import")));
  EXPECT_EQ(count_of(page, "</script>"), 4U);
}

TEST_F(RenderReport, ShowsTheGenotypeAndTheConfiguration) {
  const std::string page = render_report({run("a")});
  EXPECT_THAT(page, HasSubstr("Genotype(normal=[(&#39;max_pool_3x3&#39;, 0)"));
  EXPECT_THAT(page, HasSubstr("<th scope=\"row\">--preset</th><td>pathology</td>"));
  EXPECT_THAT(page, HasSubstr("00112233445566778899aabbccddeeff"));
  EXPECT_THAT(page, HasSubstr("2 of 50"));
}

TEST_F(RenderReport, MarksOptionsThatDiffer) {
  json other = sample_head();
  other["config"]["lr"] = 0.05;
  const std::string page = render_report({run("a"), run("b", other)});
  EXPECT_THAT(
      page,
      HasSubstr("<tr class=\"differs\"><th scope=\"row\">--lr</th><td>0.175</td><td>0.05</td>"));
  EXPECT_THAT(page, HasSubstr("<tr><th scope=\"row\">--epochs</th><td>50</td><td>50</td>"));
}

TEST_F(RenderReport, RefusesAnEmptyList) {
  try {
    render_report({});
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "report: no run folder given; name at least one that `probedarts search` or "
                 "`probedarts train` wrote");
  }
}

TEST(PageFiles, HoldTheFilesByteByByte) {
  EXPECT_EQ(page_files::kTemplate.substr(0, 15), "<!DOCTYPE html>");
  EXPECT_EQ(page_files::kTemplate.substr(page_files::kTemplate.size() - 8), "</html>\n");
  EXPECT_THAT(std::string(page_files::kChartLibrary.substr(0, 80)), HasSubstr("Chart.js v3"));
}

TEST(PageFiles, CannotEndTheElementTheyStandIn) {
  EXPECT_EQ(page_files::kChartLibrary.find("</script"), std::string_view::npos);
  EXPECT_EQ(page_files::kScript.find("</script"), std::string_view::npos);
  EXPECT_EQ(page_files::kStyle.find("</style"), std::string_view::npos);
}

}  // namespace
}  // namespace probedarts::report
