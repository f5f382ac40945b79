#include "study/chart_data.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/base64.hpp"
#include "core/escape.hpp"
#include "report/page_data.hpp"
#include "report/palette.hpp"

namespace probedarts::study {
namespace {

constexpr std::size_t kMostSearchBytes = 8'000'000;  // a page that opens at once

std::string numbers(const std::vector<double>& values) {
  return json_list(values.size(), [&](std::size_t i) { return json_number(values[i]); });
}

std::string line_json(const Series& line) {
  const std::vector<std::string> tags = tags_of(line);
  return fmt::format(
      R"({{"label":{},"x":{},"y":{},"spread":{},"style":{},"dashed":{},"all":{},"tag":{},"tags":{}}})",
      json_text(line.label), numbers(line.x), numbers(line.y), numbers(line.spread), line.style,
      line.dashed, line.markers == Markers::kAll, json_text(line.tag),
      json_list(tags.size(), [&](std::size_t i) { return json_text(tags[i]); }));
}

std::string plot_json(const Plot& plot) {
  return fmt::format(R"({{"x":{},"y":{},"zero":{},"log":{},"panels":{}}})", json_text(plot.x_label),
                     json_text(plot.y_label), plot.from_zero, plot.log_x,
                     json_list(plot.panels.size(), [&](std::size_t p) {
                       const Panel& panel = plot.panels[p];
                       return fmt::format(R"({{"title":{},"bars":{},"lines":{}}})",
                                          json_text(panel.title), panel.bars,
                                          json_list(panel.lines.size(), [&](std::size_t i) {
                                            return line_json(panel.lines[i]);
                                          }));
                     }));
}

/// 16 bits a number, in base 64.
class Packer {
 public:
  explicit Packer(std::size_t count) { bytes_.reserve(2 * count); }

  void add(double value) {
    const auto bits = static_cast<unsigned>(
        std::isfinite(value) ? std::lround(65534.0 * std::clamp(value, 0.0, 1.0)) : 65535);
    bytes_ += static_cast<char>(bits & 0xFFU);
    bytes_ += static_cast<char>(bits >> 8U);
  }

  std::string text() const { return base64(bytes_); }

 private:
  std::string bytes_;
};

std::vector<std::size_t> drawn_layers(const std::vector<report::Layer>& layers) {
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].role != "depthwise") {
      drawn.push_back(i);
    }
  }
  return drawn;
}

std::string packed_ranks(const SearchTrace& trace, const std::vector<std::size_t>& drawn) {
  Packer packer(drawn.size() * trace.epochs());
  for (const std::size_t layer : drawn) {
    for (std::size_t epoch = 0; epoch < trace.epochs(); ++epoch) {
      packer.add(trace.rank(epoch, layer));
    }
  }
  return packer.text();
}

std::string packed_weights(const SearchTrace& trace) {
  Packer packer(trace.softmax.size());
  for (std::size_t kind = 0; kind < 2; ++kind) {
    for (std::size_t edge = 0; edge < trace.edges; ++edge) {
      for (std::size_t primitive = 0; primitive < space::kPrimitiveCount; ++primitive) {
        for (std::size_t epoch = 0; epoch < trace.epochs(); ++epoch) {
          packer.add(trace.weight(epoch, kind, edge, primitive));
        }
      }
    }
  }
  return packer.text();
}

/// First searches of all rows, then the second ones, ...
std::vector<const DrawnSearch*> in_turns(const Searches& searches) {
  std::map<std::size_t, std::size_t> turn;  // of each row
  std::vector<std::pair<std::size_t, const DrawnSearch*>> ordered;
  for (const DrawnSearch& search : searches.runs) {
    if (search.trace.layers > 0 && search.trace.edges > 0 && !searches.layers[search.row].empty()) {
      ordered.emplace_back(turn[search.row]++, &search);
    }
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const DrawnSearch*> found;
  for (const auto& [place, search] : ordered) {
    found.push_back(search);
  }
  return found;
}

std::string layers_json(const std::vector<report::Layer>& layers) {
  const std::vector<std::size_t> drawn = drawn_layers(layers);
  return json_list(drawn.size(),
                   [&](std::size_t i) { return report::layer_json(layers[drawn[i]]); });
}

std::string searches_json(const Searches& searches, const Plan& plan) {
  std::string runs;
  std::size_t left_out = 0;
  for (const DrawnSearch* search : in_turns(searches)) {
    const SearchTrace& trace = search->trace;
    int nodes = 0;
    for (const report::Layer& layer : searches.layers[search->row]) {
      nodes = std::max(nodes, layer.to.value_or(1) - 1);
    }
    const std::string run = fmt::format(
        R"({}{{"setting":{},"seed":"{}","nodes":{},"epochs":{},"rank":"{}","alpha":"{}"}})",
        runs.empty() ? "" : ",", search->row, search->seed, nodes, trace.epochs(),
        packed_ranks(trace, drawn_layers(searches.layers[search->row])), packed_weights(trace));
    if (runs.size() + run.size() > kMostSearchBytes) {
      ++left_out;
    } else {
      runs += run;
    }
  }
  return fmt::format(
      R"({{"settings":{},"layers":{},"runs":[{}],"left_out":{}}})",
      json_list(plan.rows.size(), [&](std::size_t i) { return json_text(plan.rows[i].name); }),
      json_list(searches.layers.size(),
                [&](std::size_t i) { return layers_json(searches.layers[i]); }),
      runs, left_out);
}

}  // namespace

std::string chart_data(const Figures& figures, const Plan& plan) {
  std::string plots;
  for (const Figure& figure : figures.drawn) {
    if (figure.live) {
      plots += fmt::format("{}{}:{}", plots.empty() ? "" : ",", json_text(figure.name),
                           plot_json(*figure.live));
    }
  }
  return fmt::format(R"({{"styles":{},"primitives":{},"plots":{{{}}},"search":{}}})",
                     report::styles_json(), report::primitives_json(), plots,
                     searches_json(figures.searches, plan));
}

}  // namespace probedarts::study
