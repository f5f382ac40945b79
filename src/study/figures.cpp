#include "study/figures.hpp"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "space/draw_cell.hpp"
#include "study/accuracy_figures.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMostPictureBytes = 4'000'000;

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
    find_sizes();
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

  void draw_accuracies() {
    const Plot plot = plot_accuracies(plan_, progress_, folder_);
    add("figure-5",
        "Test accuracy of the final trainings (mean over runs, bar one standard deviation to each "
        "side) against parameters as trained. Numbers are those of the rows; a line joins cells "
        "searched alike but for their number of nodes, or of cells.",
        plot, plot);
  }

  void draw_resolutions() {
    const Plot plot = plot_resolutions(plan_, progress_, folder_, count_);
    add("figure-7",
        "Test accuracy at the image sizes of phase resolution against multiply-accumulates by the "
        "paper's count: mean over runs, band (or bars, of more than six rows) one standard "
        "deviation to each side (none for a single run). Numbers are those of the rows.",
        plot, plot);
  }

  void find_sizes() {
    for (const Row& row : plan_.rows) {
      figures_.sizes.emplace_back();
      for (const Row::Trained& trained : row.trained) {
        if (trained.phase == Phase::kFinal && !figures_.sizes.back()) {
          figures_.sizes.back() = size_of(trained, plan_, progress_, folder_, count_);
        }
      }
    }
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
