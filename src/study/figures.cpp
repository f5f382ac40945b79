#include "study/figures.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "space/draw_cell.hpp"
#include "study/statistics.hpp"
#include "study/task_results.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMostPictureBytes = 4'000'000;
constexpr std::size_t kMostBands = 6;  // more hide each other
constexpr double kFarApart = 8.0;      // largest over smallest network: the small ones crowd then

json result_of(const Progress& progress, std::size_t task) {
  return progress.states[task] == TaskState::kDone
             ? json::parse(progress.records[task].result, nullptr, false)
             : json();
}

class Artist {
 public:
  Artist(const Plan& plan, const Progress& progress, const StudyFolder& folder,
         const CountNetwork& count, const EmbedPicture& embed)
      : plan_(plan), progress_(progress), folder_(folder), count_(count), embed_(embed) {}

  Figures draw() {
    draw_searches();
    draw_errors();
    draw_accuracies();
    draw_cells();
    draw_resolutions();
    find_sheets();
    return std::move(figures_);
  }

 private:
  /// \param live  what the page draws with a script; nothing: what is drawn here.
  void add(const char* name, const std::string& caption, const Plot& plot,
           const std::optional<Plot>& live) {
    if (!plot.panels.empty()) {
      figures_.drawn.push_back({name, caption, draw_plot_svg(plot), live});
    }
  }

  void draw_searches() {
    figures_.searches = read_searches(plan_, progress_, folder_);
    add("figure-3-stable-rank",
        "Stable rank of the convolutions of the first cell while searching: a thin line each, and "
        "a thick one for the mean of those that feed a node. One search of each setting, six at "
        "most.",
        plot_stable_ranks(plan_, figures_.searches), std::nullopt);
    add("figure-3-weights",
        "Architecture weights of two edges of normal cells in the same searches: from the first "
        "input to the first node, and from that to the second. Dashed: primitives without "
        "parameters.",
        plot_weights(plan_, figures_.searches), std::nullopt);
  }

  void draw_errors() {
    const Plot plot = plot_errors(plan_, figures_.searches);
    add("figure-4",
        "Training and validation error while searching: mean over seeds, band one "
        "standard deviation to each side.",
        plot, plot);
  }

  std::optional<double> parameters_of(std::size_t training) const {
    const fs::path file = folder_.run(plan_.tasks[training].id) / "run.json";
    if (!fs::is_regular_file(file)) {
      return std::nullopt;
    }
    const json run = json::parse(read_file(file), nullptr, false);
    return run.is_object() && run.contains("parameters") && run["parameters"].is_number()
               ? std::optional(run["parameters"].get<double>() / 1e6)
               : std::nullopt;
  }

  void draw_accuracies() {
    Panel panel{"Each network a point", {}};
    for (std::size_t r = 0; r < plan_.rows.size(); ++r) {
      for (const Row::Trained& trained : plan_.rows[r].trained) {
        std::vector<double> scores;
        for (const std::size_t task : trained.evaluations) {
          if (const auto accuracy = test_accuracy(progress_, task)) {
            scores.push_back(100.0 * *accuracy);
          }
        }
        if (trained.phase != Phase::kFinal || scores.empty()) {
          continue;
        }
        if (const auto parameters = parameters_of(trained.trainings.front())) {
          const MeanSd seen = mean_and_sd(scores);
          Series point{plan_.rows[r].name,      {*parameters},       {seen.mean},
                       {seen.sd.value_or(0.0)}, static_cast<int>(r), false};
          point.markers = Markers::kAll;
          point.tag = fmt::format("{}", r + 1);
          panel.lines.push_back(std::move(point));
        }
      }
    }
    Plot plot{
        "Test accuracy against parameters", "parameters, millions", "test accuracy, %", {}, false};
    if (!panel.lines.empty()) {
      plot.panels.push_back(std::move(panel));
    }
    choose_axis_and_spreads(plot);
    add("figure-5",
        "Test accuracy of the final trainings (mean over runs, bar one standard deviation to each "
        "side) against parameters as trained. Numbers are those of the rows.",
        plot, plot);
  }

  /// Networks of very different sizes on a logarithmic axis; of many rows bars instead of bands.
  static void choose_axis_and_spreads(Plot& plot) {
    double least = std::numeric_limits<double>::infinity();
    double most = 0.0;
    for (const Panel& panel : plot.panels) {
      plot.bars = plot.bars || panel.lines.size() > kMostBands;
      for (const Series& line : panel.lines) {
        for (const double x : line.x) {
          least = std::min(least, x);
          most = std::max(most, x);
        }
      }
    }
    plot.log_x = least > 0.0 && most >= kFarApart * least;
  }

  struct Tested {
    MeanSd accuracy;
    RowSize size;
  };

  /// Nothing where there is no test yet, or no folder that tells the network.
  std::optional<Tested> tested(const Row::Trained& trained) const {
    std::vector<double> scores;
    for (const std::size_t task : trained.evaluations) {
      if (const auto accuracy = test_accuracy(progress_, task)) {
        scores.push_back(100.0 * *accuracy);
      }
    }
    const auto size =
        scores.empty() ? std::nullopt : size_of(trained, plan_, progress_, folder_, count_);
    return size ? std::optional(Tested{mean_and_sd(scores), *size}) : std::nullopt;
  }

  void draw_resolutions() {
    Plot plot{"Test accuracy against multiply-accumulates",
              "multiply-accumulates for one image, 10^9",
              "test accuracy, %",
              {},
              false};
    Panel panel{"Each image size a point", {}};
    for (std::size_t r = 0; r < plan_.rows.size(); ++r) {
      std::vector<Tested> points;
      figures_.sizes.emplace_back();
      for (const Row::Trained& trained : plan_.rows[r].trained) {
        if (trained.phase != Phase::kFinal && trained.phase != Phase::kResolution) {
          continue;
        }
        if (const auto seen = tested(trained)) {
          if (trained.phase == Phase::kResolution) {
            points.push_back(*seen);
          } else if (!figures_.sizes.back()) {
            figures_.sizes.back() = seen->size;
          }
        }
      }
      std::sort(points.begin(), points.end(), [](const Tested& a, const Tested& b) {
        return a.size.network.macs < b.size.network.macs;
      });
      Series line{plan_.rows[r].name, {}, {}, {}, static_cast<int>(r), false};
      line.markers = Markers::kAll;
      line.tag = fmt::format("{}", r + 1);
      for (const Tested& point : points) {
        line.x.push_back(static_cast<double>(point.size.network.macs) / 1e9);
        line.y.push_back(point.accuracy.mean);
        line.spread.push_back(point.accuracy.sd.value_or(0.0));
      }
      if (!points.empty()) {
        panel.lines.push_back(std::move(line));
      }
    }
    if (!panel.lines.empty()) {
      plot.panels.push_back(std::move(panel));
    }
    choose_axis_and_spreads(plot);
    add("figure-7",
        "Test accuracy at the image sizes of phase resolution against multiply-accumulates: mean "
        "over runs, band (or bars, of many rows) one standard deviation to each side (none for a "
        "single run). Numbers are those of the rows.",
        plot, plot);
  }

  void find_sheets() {
    std::size_t room = kMostPictureBytes;
    for (std::size_t task = 0; task < plan_.tasks.size(); ++task) {
      const fs::path page = folder_.run(plan_.tasks[task].id) / "index.html";
      if (plan_.tasks[task].kind == TaskKind::kExplain &&
          progress_.states[task] == TaskState::kDone && fs::is_regular_file(page)) {
        figures_.sheets.push_back(
            read_sheet(plan_.tasks[task].label, page.parent_path(), embed_, room));
      }
    }
  }

  struct FoundCell {
    std::string genotype;
    std::string how;  ///< it was found, for the caption
  };

  /// The cell that `select` chose; before that the one of the search with the least error.
  std::optional<FoundCell> cell_of(const Row& row) const {
    if (row.select) {
      const json choice = result_of(progress_, *row.select);
      if (choice.is_object()) {
        return FoundCell{choice.at("genotype").get<std::string>(),
                         fmt::format("that phase select chose (seed {})",
                                     choice.at("seed").get<std::uint64_t>())};
      }
    }
    std::optional<double> least;
    FoundCell found;
    for (const std::size_t task : row.searches) {
      const json result = result_of(progress_, task);
      if (result.is_object() && result.contains("genotype_text") &&
          result.contains("valid_error") && result["valid_error"].is_number() &&
          (!least || result["valid_error"].get<double>() < *least)) {
        least = result["valid_error"].get<double>();
        found = {result["genotype_text"].get<std::string>(),
                 fmt::format("of the search with the least validation error (seed {}){}",
                             plan_.tasks[task].seed, row.select ? "; none is chosen yet" : "")};
      }
    }
    return least ? std::optional(found) : std::nullopt;
  }

  void draw_cells() {
    for (std::size_t r = 0; r < plan_.rows.size(); ++r) {
      const auto cell = cell_of(plan_.rows[r]);
      if (!cell) {
        continue;
      }
      const space::Genotype genotype = space::parse_genotype(cell->genotype);
      for (const auto kind : {space::CellKind::kNormal, space::CellKind::kReduce}) {
        const std::string word = kind == space::CellKind::kNormal ? "normal" : "reduction";
        figures_.drawn.push_back(
            {fmt::format("figure-6-row{}-{}", r + 1, word),
             fmt::format("{}: {} cell {}.", plan_.rows[r].name, word, cell->how),
             space::draw_cell_svg(genotype.of(kind), kind, {}), std::nullopt});
      }
    }
  }

  const Plan& plan_;
  const Progress& progress_;
  const StudyFolder& folder_;
  const CountNetwork& count_;
  const EmbedPicture& embed_;
  Figures figures_;
};

}  // namespace

Figures draw_figures(const Plan& plan, const Progress& progress, const StudyFolder& folder,
                     const CountNetwork& count, const EmbedPicture& embed) {
  return Artist(plan, progress, folder, count, embed).draw();
}

}  // namespace probedarts::study
