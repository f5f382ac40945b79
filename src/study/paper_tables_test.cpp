#include "study/paper_tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probedarts::study {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const KnownFlags kPaperFlags = {{}, {}, {"resnet18", "mobilenet_v2_035", "senet18"}};

/// A study whose finals of row r and run i reach `score(r, trained, i)`, at 32 px.
struct Scene {
  Plan plan;
  Progress progress;

  Scene(const std::string& toml, const auto& score)
      : plan(make_plan(parse_study(toml, "s", kPaperFlags))) {
    progress.states.assign(plan.tasks.size(), TaskState::kDone);
    progress.records.resize(plan.tasks.size());
    for (std::size_t r = 0; r < plan.rows.size(); ++r) {
      for (std::size_t t = 0; t < plan.rows[r].trained.size(); ++t) {
        const auto& tests = plan.rows[r].trained[t].evaluations;
        for (std::size_t i = 0; i < tests.size(); ++i) {
          progress.records[tests[i]].result =
              "{\"evaluations\": [{\"size\": 32, \"measures\": {\"accuracy\": {\"value\": " +
              std::to_string(score(r, t, i)) + "}}}]}";
        }
      }
    }
  }

  std::vector<PaperTable> tables() const {
    const CountNetwork count = [](const std::filesystem::path&, int size_px) {
      return std::optional(NetworkSize{3'304'000, 1, size_px * 17'187'500});  // 0.55 G at 32 px
    };
    return paper_tables(plan, progress, {}, count);
  }
};

const std::string kPhases =
    "phases = [\"search\", \"quick\", \"select\", \"final\"]\nseeds = [1]\n";
const std::string kCifar10 = kPhases +
                             "[grid]\ndata = \"sets/CIFAR-10\"\nnodes = [4, 5]\ncells = 8\n"
                             "optimizer = [\"sgd\", \"adas\"]\n[final]\nruns = 3\n";

/// 97.24 with 0.09 in the first row, as the paper's Table 3 begins; 0.1 less in each further one.
double like_table_3(std::size_t row, std::size_t, std::size_t run) {
  constexpr double kRuns[] = {0.9715, 0.9724, 0.9733};  // sd 0.0009 exactly
  return kRuns[run] - 0.001 * static_cast<double>(row);
}

TEST(PaperTables, AreAsThePaperPrintsThem) {
  const Scene scene(kCifar10, like_table_3);
  EXPECT_EQ(render(scene.tables(), TableFormat::kMarkdown),
            "Performance of architectures searched with different number of intermediate nodes on "
            "CIFAR-10 (32x32 image resolution).\n\n"
            "| Number of nodes | DARTS+SGD: Acc (%) | Prm (M) | MAC (G) | DARTS+Adas: Acc (%) | "
            "Prm (M) | MAC (G) |\n"
            "|---|---:|---:|---:|---:|---:|---:|\n"
            "| 4 | 97.24<sub>0.09</sub> | 3.30 | 0.55 | 97.14<sub>0.09</sub> | 3.30 | 0.55 |\n"
            "| 5 | 97.04<sub>0.09</sub> | 3.30 | 0.55 | 96.94<sub>0.09</sub> | 3.30 | 0.55 |\n");
}

TEST(PaperTables, TellDataSetsOfOneNameApart) {
  const Scene scene(kPhases +
                        "[grid]\ndata = [\"x/p\", \"y/p\"]\nnodes = [4, 5]\noptimizer = "
                        "\"sgd\"\n[final]\nruns = 3\n",
                    like_table_3);
  const std::string text = render(scene.tables(), TableFormat::kMarkdown);
  EXPECT_THAT(text, HasSubstr("on x/p (32x32 image resolution)."));
  EXPECT_THAT(text, HasSubstr("on y/p (32x32 image resolution)."));
}

TEST(PaperTables, HaveAGroupOfColumnsForEachOptimizerInLatex) {
  const std::string text = render(Scene(kCifar10, like_table_3).tables(), TableFormat::kLatex);
  EXPECT_THAT(text, HasSubstr("\\begin{tabular}{l rrr rrr}\n\\hline\nNumber of nodes & "
                              "\\multicolumn{3}{c}{DARTS+SGD} & \\multicolumn{3}{c}{DARTS+Adas} "
                              "\\\\\n\\cline{2-4}\\cline{5-7}\n & Acc (\\%) & Prm (M) & MAC (G) & "
                              "Acc (\\%) & Prm (M) & MAC (G) \\\\\n\\hline\n"));
  EXPECT_THAT(text, HasSubstr("4 & 97.24$_{0.09}$ & 3.30 & 0.55 & 97.14$_{0.09}$ & 3.30 & 0.55 "
                              "\\\\\n"));
}

TEST(PaperTables, GiveNumbersAsCsv) {
  EXPECT_THAT(render(Scene(kCifar10, like_table_3).tables(), TableFormat::kCsv),
              HasSubstr("\nNumber of nodes,DARTS+SGD: Acc (%),DARTS+SGD: sd,DARTS+SGD: Prm (M),"
                        "DARTS+SGD: MAC (G),DARTS+Adas: Acc (%),DARTS+Adas: sd,DARTS+Adas: Prm (M),"
                        "DARTS+Adas: MAC (G)\n4,97.24,0.09,3.30,0.55,97.14,0.09,3.30,0.55\n"));
}

TEST(PaperTables, CountCellsWhereThoseWereSearchedFor) {
  const Scene scene(kPhases +
                        "[[grid]]\ndata = \"ADP\"\nnodes = 4\ncells = [4, 5]\noptimizer = \"sgd\"\n"
                        "lr = [0.025, 0.05]\n[[grid]]\ndata = \"ADP\"\nnodes = 4\ncells = 4\n"
                        "optimizer = \"adas\"\nlr = 0.175\n[final]\nruns = 1\n",
                    like_table_3);
  const std::vector<PaperTable> tables = scene.tables();
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_EQ(tables[0].caption,
            "Performance of architectures searched with different optimization strategies and "
            "different number of cells on ADP (32x32 image resolution).");
  EXPECT_EQ(tables[0].rows_are, "Number of cells");
  EXPECT_THAT(tables[0].groups,
              ElementsAre("DARTS+SGD, lr 0.025", "DARTS+SGD, lr 0.05", "DARTS+Adas"));
  ASSERT_EQ(tables[0].lines.size(), 2U);
  EXPECT_EQ(tables[0].lines[1].name, "5");
  EXPECT_TRUE(tables[0].lines[1].cells[1].has_value());
  EXPECT_FALSE(tables[0].lines[1].cells[2].has_value());  // Adas has no 5 cells
  EXPECT_THAT(render(tables, TableFormat::kMarkdown), HasSubstr("| - | - | - |\n"));
}

TEST(PaperTables, PutNetworksInThePapersOrderAndMarkTheBestOfEachDataSet) {
  // Means 97, 96.96, 96 and 90 in the order of the rows below; sd of the best 0.1.
  const Scene scene(
      "phases = [\"final\", \"transfer\"]\n[grid]\ndata = \"ADP\"\n[rows]\ngenotypes = "
      "[\"DARTS_ADP_N2\", \"DARTS_ADP_N4\"]\nnetworks = [\"mobilenet_v2_035\", \"resnet18\"]\n"
      "[final]\nruns = 3\n[transfer]\ndata = [\"BCSS\", \"BACH\"]\nruns = 3\n",
      [](std::size_t row, std::size_t, std::size_t run) {
        constexpr double kMeans[] = {0.97, 0.9696, 0.96, 0.90};
        return kMeans[row] + 0.001 * (static_cast<double>(run) - 1.0);
      });
  const std::vector<PaperTable> tables = scene.tables();
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_THAT(tables[0].groups, ElementsAre("ADP", "BCSS", "BACH"));
  std::vector<std::string> names;
  for (const PaperTable::Line& line : tables[0].lines) {
    names.push_back(line.name);
  }
  const std::vector<std::string> papers = {"ResNet18", "MobileNetV2 0.35", "DARTS-ADP-N4",
                                           "DARTS-ADP-N2"};
  EXPECT_EQ(names, papers);
  const std::string text = render(tables, TableFormat::kMarkdown);
  EXPECT_THAT(text, HasSubstr("Performance of different networks on different datasets. Note that "
                              "**bold** indicates the best, and *italic* indicates within standard "
                              "deviation from the best.\n"));
  std::size_t best = 0, near = 0;
  for (const PaperTable::Line& line : tables[0].lines) {
    best += line.cells[1]->best;
    near += line.cells[1]->near_best;
  }
  EXPECT_EQ(best, 1U);
  EXPECT_EQ(near, 1U);
  EXPECT_THAT(text, HasSubstr("**97.00<sub>0.10</sub>**"));
  EXPECT_THAT(text, HasSubstr("*96.96<sub>0.10</sub>*"));
  EXPECT_THAT(render(tables, TableFormat::kLatex), HasSubstr("\\textbf{97.00$_{0.10}$}"));
  EXPECT_THAT(render(tables, TableFormat::kCsv), HasSubstr(",97.00,0.10,3.30,0.55,best"));
}

TEST(PaperTables, AreMissingWithoutAFinalTest) {
  Scene scene(kCifar10, like_table_3);
  scene.progress.states.assign(scene.plan.tasks.size(), TaskState::kWaiting);
  EXPECT_TRUE(scene.tables().empty());
  EXPECT_EQ(render(scene.tables(), TableFormat::kLatex), "");
}

TEST(PaperTables, KeepTwoDigitsOfSmallNetworksAndSayWhatIsNotKnown) {
  PaperTable table{"c",
                   "n",
                   {"g"},
                   {{"1", {PaperCell{{1, 0.5, {}}, NetworkSize{11'400, 0, 4'560'000}}}},
                    {"2", {PaperCell{{1, 0.5, {}}, std::nullopt}}}}};
  EXPECT_THAT(render({table}, TableFormat::kMarkdown),
              HasSubstr("| 1 | 50.00 | 0.011 | 0.0046 |\n| 2 | 50.00 | - | - |\n"));
}

}  // namespace
}  // namespace probedarts::study
