#include "study/figures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "report/read_run.hpp"
#include "space/draw_cell.hpp"
#include "space/primitive.hpp"
#include "study/plot.hpp"
#include "study/statistics.hpp"
#include "study/tables.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMostSearchesDrawn = 6;

/// Takes train.error and valid.error from a line and stops there.
class ErrorReader : public nlohmann::json_sax<json> {
 public:
  std::optional<double> train, valid;

  bool key(string_t& name) override {
    if (depth_ == 1) {
      outer_ = name;
    }
    inner_ = name;
    return true;
  }
  bool start_object(std::size_t) override { return ++depth_ > 0; }
  bool end_object() override { return --depth_ >= 0; }
  bool start_array(std::size_t) override { return ++depth_ > 0; }
  bool end_array() override { return --depth_ >= 0; }
  bool number_float(double value, const string_t&) override { return take(value); }
  bool number_integer(std::int64_t value) override { return take(static_cast<double>(value)); }
  bool number_unsigned(std::uint64_t value) override { return take(static_cast<double>(value)); }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool take(double value) {
    if (depth_ == 2 && inner_ == "error") {
      (outer_ == "train" ? train : outer_ == "valid" ? valid : nothing_) = value;
    }
    return !(train && valid);
  }

  int depth_ = 0;
  std::string outer_, inner_;
  std::optional<double> nothing_;
};

json result_of(const Progress& progress, std::size_t task) {
  return progress.states[task] == TaskState::kDone
             ? json::parse(progress.records[task].result, nullptr, false)
             : json();
}

std::vector<double> epochs_of(std::size_t count) {
  std::vector<double> epochs(count);
  for (std::size_t i = 0; i < count; ++i) {
    epochs[i] = static_cast<double>(i);
  }
  return epochs;
}

/// Mean and sd over runs, epoch by epoch; where some runs are shorter, over those that go so far.
Series mean_line(const std::vector<std::vector<double>>& runs, const char* label, int style) {
  Series line{label, {}, {}, {}, style, style == 1, false};
  std::size_t longest = 0;
  for (const auto& run : runs) {
    longest = std::max(longest, run.size());
  }
  line.x = epochs_of(longest);
  for (std::size_t epoch = 0; epoch < longest; ++epoch) {
    std::vector<double> values;
    for (const auto& run : runs) {
      if (epoch < run.size()) {
        values.push_back(100.0 * run[epoch]);
      }
    }
    const MeanSd seen = mean_and_sd(values);
    line.y.push_back(seen.mean);
    line.spread.push_back(seen.sd.value_or(0.0));
  }
  return line;
}

class Artist {
 public:
  Artist(const Plan& plan, const Progress& progress, const StudyFolder& folder,
         const CountNetwork& count)
      : plan_(plan), progress_(progress), folder_(folder), count_(count) {}

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
  bool has_run(std::size_t task) const {
    return progress_.states[task] == TaskState::kDone &&
           fs::is_regular_file(folder_.run(plan_.tasks[task].id) / "epochs.jsonl");
  }

  void add(const char* name, const std::string& caption, const Plot& plot) {
    if (!plot.panels.empty()) {
      figures_.drawn.push_back({name, caption, draw_plot_svg(plot)});
    }
  }

  static Panel ranks_panel(const report::Run& run, const std::string& title) {
    Panel panel{title, {}};
    std::set<std::pair<int, std::string>> in_legend;  // many lines share a node: one entry each
    for (std::size_t i = 0; i < run.layers.size(); ++i) {
      const report::Layer& layer = run.layers[i];
      if (layer.cell != 0 || layer.role == "depthwise") {
        continue;
      }
      const int style = layer.to.value_or(0);
      const std::string label =
          layer.to ? fmt::format("into node {}", *layer.to - 1) : std::string("before the nodes");
      const bool is_new = in_legend.emplace(style, label).second;
      Series line{is_new ? label : "", epochs_of(run.epochs.size()), {}, {}, style, false, false};
      for (const report::Epoch& epoch : run.epochs) {
        line.y.push_back(epoch.stable_rank[i]);
      }
      panel.lines.push_back(std::move(line));
    }
    return panel;
  }

  static Panel weights_panel(const report::Run& run, const std::string& title) {
    Panel panel{title, {}};
    for (std::size_t p = 0; p < space::kPrimitiveCount; ++p) {
      const space::PrimitiveInfo& info = space::kPrimitives[p];
      Series line{std::string(info.short_name), epochs_of(run.epochs.size()), {},   {},
                  static_cast<int>(p),          info.parameter_free,          false};
      for (const report::Epoch& epoch : run.epochs) {
        line.y.push_back(epoch.architecture->softmax[0][0][p]);
      }
      panel.lines.push_back(std::move(line));
    }
    return panel;
  }

  void draw_searches() {
    Plot ranks{"Stable rank of the layers of the first cell", "epoch", "stable rank", {}};
    Plot weights{"Architecture weights of the first edge", "epoch", "softmax(alpha)", {}};
    for (const Row& row : plan_.rows) {
      const auto search = std::find_if(row.searches.begin(), row.searches.end(),
                                       [&](std::size_t task) { return has_run(task); });
      if (search != row.searches.end() && ranks.panels.size() < kMostSearchesDrawn) {
        const report::Run run = report::read_run(folder_.run(plan_.tasks[*search].id));
        const std::string title = fmt::format("{}, seed {}", row.name, plan_.tasks[*search].seed);
        ranks.panels.push_back(ranks_panel(run, title));
        weights.panels.push_back(weights_panel(run, title));
      }
    }
    add("figure-3-stable-rank",
        "Stable rank of the convolutions of the first cell while searching, a line each; the "
        "colour is the node that a convolution feeds. One search of each setting, six at most.",
        ranks);
    add("figure-3-weights",
        "Architecture weights of the first edge of normal cells in the same searches. Dashed: "
        "primitives without parameters.",
        weights);
  }

  void draw_errors() {
    Plot plot{"Training and validation error while searching", "epoch", "error, %", {}};
    for (const Row& row : plan_.rows) {
      std::vector<std::vector<double>> train, valid;
      for (const std::size_t task : row.searches) {
        if (has_run(task)) {
          ErrorCurves curves =
              read_error_curves(folder_.run(plan_.tasks[task].id) / "epochs.jsonl");
          train.push_back(std::move(curves.train));
          valid.push_back(std::move(curves.valid));
        } else {
          figures_.folders_left_out += progress_.states[task] == TaskState::kDone;
        }
      }
      if (!train.empty()) {
        plot.panels.push_back(
            {fmt::format("{} ({} seeds)", row.name, train.size()),
             {mean_line(valid, "validation", 0), mean_line(train, "training", 1)}});
      }
    }
    add("figure-4",
        "Training and validation error while searching: mean over seeds, band one "
        "standard deviation to each side.",
        plot);
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
          panel.lines.push_back({plan_.rows[r].name,
                                 {*parameters},
                                 {mean_and_sd(scores).mean},
                                 {},
                                 static_cast<int>(r),
                                 false,
                                 true});
        }
      }
    }
    Plot plot{
        "Test accuracy against parameters", "parameters, millions", "test accuracy, %", {}, false};
    if (!panel.lines.empty()) {
      plot.panels.push_back(std::move(panel));
    }
    add("figure-5",
        "Test accuracy of the final trainings (mean over runs) against parameters as "
        "trained.",
        plot);
  }

  struct Tested {
    int size_px = 0;
    MeanSd accuracy;
    NetworkSize network;
  };

  /// Nothing where there is no test yet, or no folder that tells the network.
  std::optional<Tested> tested(const Row::Trained& trained) const {
    const json::json_pointer size("/evaluations/0/size");
    Tested seen;
    std::vector<double> scores;
    for (const std::size_t task : trained.evaluations) {
      const json result = result_of(progress_, task);
      const auto accuracy = test_accuracy(progress_, task);
      if (accuracy && result.contains(size) && result[size].is_number_integer()) {
        scores.push_back(100.0 * *accuracy);
        seen.size_px = result[size].get<int>();
      }
    }
    if (scores.empty() || !count_) {
      return std::nullopt;
    }
    seen.accuracy = mean_and_sd(scores);
    for (const std::size_t task : trained.trainings) {  // all of one network
      if (const auto network = count_(folder_.run(plan_.tasks[task].id), seen.size_px)) {
        seen.network = *network;
        return seen;
      }
    }
    return std::nullopt;
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
            figures_.sizes.back() = RowSize{seen->network, seen->size_px};
          }
        }
      }
      std::sort(points.begin(), points.end(),
                [](const Tested& a, const Tested& b) { return a.network.macs < b.network.macs; });
      Series line{plan_.rows[r].name, {}, {}, {}, static_cast<int>(r), false, true};
      for (const Tested& point : points) {
        line.x.push_back(static_cast<double>(point.network.macs) / 1e9);
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
    add("figure-7",
        "Test accuracy at the image sizes of phase resolution against multiply-accumulates: mean "
        "over runs, band one standard deviation to each side (none for a single run).",
        plot);
  }

  void find_sheets() {
    for (std::size_t task = 0; task < plan_.tasks.size(); ++task) {
      const fs::path page = folder_.run(plan_.tasks[task].id) / "index.html";
      if (plan_.tasks[task].kind == TaskKind::kExplain &&
          progress_.states[task] == TaskState::kDone && fs::is_regular_file(page)) {
        figures_.sheets.push_back({plan_.tasks[task].label, page});
      }
    }
  }

  void draw_cells() {
    for (std::size_t r = 0; r < plan_.rows.size(); ++r) {
      std::optional<double> least;
      std::string text;
      std::vector<std::size_t> tasks = plan_.rows[r].searches;
      for (const std::size_t task : tasks) {
        const json result = result_of(progress_, task);
        if (result.is_object() && result.contains("genotype_text") &&
            result.contains("valid_error") && result["valid_error"].is_number() &&
            (!least || result["valid_error"].get<double>() < *least)) {
          least = result["valid_error"].get<double>();
          text = result["genotype_text"].get<std::string>();
        }
      }
      if (!least) {
        continue;
      }
      const space::Genotype genotype = space::parse_genotype(text);
      for (const auto kind : {space::CellKind::kNormal, space::CellKind::kReduce}) {
        const std::string word = kind == space::CellKind::kNormal ? "normal" : "reduction";
        figures_.drawn.push_back(
            {fmt::format("figure-6-row{}-{}", r + 1, word),
             fmt::format("{}: {} cell of the search with the least validation error.",
                         plan_.rows[r].name, word),
             space::draw_cell_svg(genotype.of(kind), kind, {})});
      }
    }
  }

  const Plan& plan_;
  const Progress& progress_;
  const StudyFolder& folder_;
  const CountNetwork& count_;
  Figures figures_;
};

}  // namespace

ErrorCurves read_error_curves(const fs::path& epochs_jsonl) {
  const std::string text = read_file(epochs_jsonl);
  ErrorCurves curves;
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    ErrorReader reader;
    json::sax_parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                    text.begin() + static_cast<std::ptrdiff_t>(end), &reader);
    if (!reader.train || !reader.valid) {
      throw UserError(fmt::format(
          "run folder: line {} of '{}' has no training and validation error; restore the file or "
          "repeat the run",
          curves.train.size() + 1, epochs_jsonl.string()));
    }
    curves.train.push_back(*reader.train);
    curves.valid.push_back(*reader.valid);
    begin = end + 1;
  }
  return curves;
}

Figures draw_figures(const Plan& plan, const Progress& progress, const StudyFolder& folder,
                     const CountNetwork& count) {
  return Artist(plan, progress, folder, count).draw();
}

}  // namespace probedarts::study
