#include "study/search_figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "report/palette.hpp"
#include "space/primitive.hpp"
#include "study/statistics.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostSearchesDrawn = 6;

std::vector<double> epochs_of(std::size_t count) {
  std::vector<double> epochs(count);
  for (std::size_t i = 0; i < count; ++i) {
    epochs[i] = static_cast<double>(i);
  }
  return epochs;
}

/// Mean and sd over runs, epoch by epoch; where some runs are shorter, over those that go so far.
Series mean_line(const std::vector<const std::vector<double>*>& runs, const char* label,
                 std::size_t row, Series line) {
  line.label = label;
  line.style = static_cast<int>(row);
  std::size_t longest = 0;
  for (const auto* run : runs) {
    longest = std::max(longest, run->size());
  }
  line.x = epochs_of(longest);
  for (std::size_t epoch = 0; epoch < longest; ++epoch) {
    std::vector<double> values;
    for (const auto* run : runs) {
      if (epoch < run->size()) {
        values.push_back(100.0 * (*run)[epoch]);
      }
    }
    const MeanSd seen = mean_and_sd(values);
    line.y.push_back(seen.mean);
    line.spread.push_back(seen.sd.value_or(0.0));
  }
  return line;
}

/// The first search of each row that can be drawn, of the first six such rows.
std::vector<const DrawnSearch*> drawn_searches(const Searches& searches) {
  std::vector<const DrawnSearch*> drawn;
  for (const DrawnSearch& search : searches.runs) {
    if (search.trace.layers > 0 && search.trace.edges > 0 && !searches.layers[search.row].empty() &&
        (drawn.empty() || drawn.back()->row != search.row) && drawn.size() < kMostSearchesDrawn) {
      drawn.push_back(&search);
    }
  }
  return drawn;
}

std::string title_of(const Plan& plan, const DrawnSearch& search) {
  return fmt::format("{}, seed {}", plan.rows[search.row].name, search.seed);
}

Panel ranks_panel(const SearchTrace& trace, const std::vector<report::Layer>& layers,
                  const std::string& title) {
  Panel panel{title, {}};
  struct Sum {
    std::vector<double> sum, count;
  };
  std::map<int, Sum> by_node;  // 0: before the nodes
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].cell != 0 || layers[i].role == "depthwise") {
      continue;
    }
    const int node = layers[i].to ? *layers[i].to - 1 : 0;
    Sum& sum = by_node[node];
    sum.sum.resize(trace.epochs());
    sum.count.resize(trace.epochs());
    Series line{"", epochs_of(trace.epochs()), {}, {}, node};
    line.width = 0.7;
    line.opacity = 0.35;
    line.markers = Markers::kNone;
    for (std::size_t epoch = 0; epoch < trace.epochs(); ++epoch) {
      const double rank = trace.rank(epoch, i);
      line.y.push_back(rank);
      sum.sum[epoch] += std::isfinite(rank) ? rank : 0.0;
      sum.count[epoch] += std::isfinite(rank) ? 1.0 : 0.0;
    }
    panel.lines.push_back(std::move(line));
  }
  for (const auto& [node, sum] : by_node) {  // last, so that they lie above
    Series line{node > 0 ? fmt::format("into node {}", node) : std::string("before the nodes"),
                epochs_of(trace.epochs()),
                {},
                {},
                node};
    line.width = 2.4;
    for (std::size_t epoch = 0; epoch < trace.epochs(); ++epoch) {
      line.y.push_back(sum.sum[epoch] / sum.count[epoch]);  // NaN where all failed: a gap
    }
    panel.lines.push_back(std::move(line));
  }
  return panel;
}

/// From the first input to the first node, and from that node to the second; of cells with one
/// node both inputs. Edges are listed by the node they feed, then by where they start.
std::array<std::size_t, 2> edges_drawn(const SearchTrace& trace) {
  return {0, std::min<std::size_t>(4, trace.edges - 1)};
}

/// "0<-c_{k-2}", as on the page are drawn.
std::string name_of_edge(std::size_t edge) {
  return edge == 0 ? "0\u2190c_{k-2}" : edge == 1 ? "0\u2190c_{k-1}" : "1\u2190node 0";
}

Panel weights_panel(const SearchTrace& trace, std::size_t edge, const std::string& title) {
  Panel panel{title, {}};
  for (std::size_t p = 0; p < space::kPrimitiveCount; ++p) {
    const space::PrimitiveInfo& info = space::kPrimitives[p];
    Series line{std::string(info.short_name),
                epochs_of(trace.epochs()),
                {},
                {},
                static_cast<int>(report::kPrimitiveStyles[p].line)};
    line.dashed = info.parameter_free;
    for (std::size_t epoch = 0; epoch < trace.epochs(); ++epoch) {
      line.y.push_back(trace.weight(epoch, 0, edge, p));
    }
    panel.lines.push_back(std::move(line));
  }
  return panel;
}

/// Layers of a row, from the first of its searches whose run.json is there.
void require_layers_fit(const std::vector<report::Layer>& layers, const SearchTrace& trace,
                        const fs::path& run) {
  if (!layers.empty() && trace.layers > 0 && trace.layers != layers.size()) {
    throw UserError(
        fmt::format("run folder: '{}' has {} stable ranks an epoch for the {} layers of run.json; "
                    "restore the files or repeat the run",
                    (run / "epochs.jsonl").string(), trace.layers, layers.size()));
  }
}

}  // namespace

Searches read_searches(const Plan& plan, const Progress& progress, const StudyFolder& folder) {
  Searches searches;
  for (std::size_t row = 0; row < plan.rows.size(); ++row) {
    searches.layers.emplace_back();
    std::vector<report::Layer>& layers = searches.layers.back();
    for (const std::size_t task : plan.rows[row].searches) {
      if (progress.states[task] != TaskState::kDone) {
        continue;
      }
      const fs::path run = folder.run(plan.tasks[task].id);
      if (!fs::is_regular_file(run / "epochs.jsonl")) {
        ++searches.folders_left_out;
        continue;
      }
      SearchTrace trace = read_search_trace(run / "epochs.jsonl");
      if (layers.empty() && fs::is_regular_file(run / "run.json")) {
        layers = report::read_layers(run / "run.json");
      }
      require_layers_fit(layers, trace, run);
      searches.runs.push_back({row, plan.tasks[task].seed, std::move(trace)});
    }
  }
  return searches;
}

Plot plot_stable_ranks(const Plan& plan, const Searches& searches) {
  Plot plot{"Stable rank of the layers of the first cell", "epoch", "stable rank", {}};
  for (const DrawnSearch* search : drawn_searches(searches)) {
    plot.panels.push_back(
        ranks_panel(search->trace, searches.layers[search->row], title_of(plan, *search)));
  }
  return plot;
}

Plot plot_weights(const Plan& plan, const Searches& searches) {
  Plot plot{"Architecture weights of two edges", "epoch", "softmax(alpha)", {}};
  for (const DrawnSearch* search : drawn_searches(searches)) {
    for (const std::size_t edge : edges_drawn(search->trace)) {
      plot.panels.push_back(weights_panel(
          search->trace, edge, fmt::format("{}, {}", title_of(plan, *search), name_of_edge(edge))));
    }
  }
  return plot;
}

Plot plot_errors(const Plan& plan, const Searches& searches) {
  Plot plot{"Training and validation error while searching", "epoch", "error, %", {}};
  for (std::size_t row = 0; row < plan.rows.size(); ++row) {
    std::vector<const std::vector<double>*> train, valid;
    for (const DrawnSearch& search : searches.runs) {
      if (search.row == row) {
        train.push_back(&search.trace.train_error);
        valid.push_back(&search.trace.valid_error);
      }
    }
    if (!train.empty()) {
      Series dashed;
      dashed.dashed = true;
      plot.panels.push_back(
          {fmt::format("{} ({} seed{})", plan.rows[row].name, train.size(),
                       train.size() == 1 ? "" : "s"),
           {mean_line(valid, "validation", row, {}), mean_line(train, "training", row, dashed)}});
    }
  }
  return plot;
}

}  // namespace probedarts::study
