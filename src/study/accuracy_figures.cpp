#include "study/accuracy_figures.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/mean_and_sd.hpp"
#include "study/task_results.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBands = 6;  // more hide each other
constexpr double kFarApart = 8.0;      // largest over smallest network: the small ones crowd then

/// A network tested: where in the chart it lies.
struct Point {
  std::size_t row = 0;
  double cost = 0.0;  ///< parameters, or multiply-accumulates
  MeanSd accuracy;    ///< percent
};

/// Points of each data set, in the order in which rows first name them.
using PointsOfData = std::vector<std::pair<std::string, std::vector<Point>>>;

std::vector<Point>& points_on(PointsOfData& all, const std::string& data) {
  for (auto& [name, points] : all) {
    if (name == data) {
      return points;
    }
  }
  return all.emplace_back(data, std::vector<Point>{}).second;
}

/// Over the runs tested; none before the first is.
MeanSd accuracy_of(const Row::Trained& trained, const Progress& progress) {
  std::vector<double> scores;
  for (const std::size_t task : trained.evaluations) {
    if (const auto accuracy = test_accuracy(progress, task)) {
      scores.push_back(100.0 * *accuracy);
    }
  }
  return mean_and_sd(scores);
}

std::optional<double> parameters_of(const fs::path& run) {
  const fs::path file = run / "run.json";
  if (!fs::is_regular_file(file)) {
    return std::nullopt;
  }
  const auto record = nlohmann::json::parse(read_file(file), nullptr, false);
  return record.is_object() && record.contains("parameters") && record["parameters"].is_number()
             ? std::optional(record["parameters"].get<double>())
             : std::nullopt;
}

/// Thousands, millions or 10^9, as the largest asks for.
struct Unit {
  double one;
  const char* name;
};

Unit unit_of(const PointsOfData& all) {
  double largest = 0.0;
  for (const auto& [data, points] : all) {
    for (const Point& point : points) {
      largest = std::max(largest, point.cost);
    }
  }
  return largest >= 2e8   ? Unit{1e9, "10^9"}
         : largest >= 2e5 ? Unit{1e6, "millions"}
                          : Unit{1e3, "thousands"};
}

Series line_of(const Plan& plan, const std::vector<Point>& points, double one) {
  Series line{plan.rows[points.front().row].name,   {},   {}, {},
              static_cast<int>(points.front().row), false};
  line.markers = Markers::kAll;
  for (const Point& point : points) {
    line.x.push_back(point.cost / one);
    line.y.push_back(point.accuracy.mean);
    line.spread.push_back(point.accuracy.sd.value_or(0.0));
  }
  return line;
}

/// Networks of very different sizes on a logarithmic axis.
void choose_axis(Plot& plot) {
  double least = std::numeric_limits<double>::infinity();
  double most = 0.0;
  for (const Panel& panel : plot.panels) {
    for (const Series& line : panel.lines) {
      for (const double x : line.x) {
        least = std::min(least, x);
        most = std::max(most, x);
      }
    }
  }
  plot.log_x = least > 0.0 && most >= kFarApart * least;
}

std::vector<std::string> words_of(const std::string& name) {
  std::istringstream stream(name);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  return words;
}

/// What the names of several rows have in common, and then what each has of its own: "sgd lr=0.025:
/// N=2, N=3".
std::string common_name(const std::vector<std::string>& names) {
  std::string common, own;
  for (const std::string& name : names) {
    std::string rest;
    for (const std::string& word : words_of(name)) {
      const bool all_have = std::all_of(names.begin(), names.end(), [&](const std::string& other) {
        const std::vector<std::string> words = words_of(other);
        return std::find(words.begin(), words.end(), word) != words.end();
      });
      std::string& to = all_have ? common : rest;
      if (!all_have || &name == &names.front()) {
        to += (to.empty() ? "" : " ") + word;
      }
    }
    own += (own.empty() ? "" : ", ") + rest;
  }
  return common.empty() ? own : common + ": " + own;
}

/// Points of one panel of figure 5 by what they have in common but nodes, or cells; in the order of
/// their first row.
std::vector<std::vector<Point>> joined(const Plan& plan, const std::vector<Point>& points) {
  std::set<std::string> nodes;
  for (const Point& point : points) {
    if (plan.rows[point.row].kind == Row::Kind::kSearched) {
      nodes.insert(plan.rows[point.row].point.nodes);
    }
  }
  std::vector<std::vector<Point>> lines;
  std::map<std::vector<std::string>, std::size_t> place;
  for (const Point& point : points) {
    const Row& row = plan.rows[point.row];
    const GridPoint& grid = row.point;
    std::vector<std::string> key = {fmt::format("row {}", point.row)};
    if (row.kind == Row::Kind::kSearched) {
      key = {grid.optimizer, grid.lr, grid.order, grid.size,
             nodes.size() > 1 ? grid.cells : grid.nodes};
    }
    const auto [found, is_new] = place.try_emplace(key, lines.size());
    if (is_new) {
      lines.emplace_back();
    }
    lines[found->second].push_back(point);
  }
  for (std::vector<Point>& line : lines) {
    std::stable_sort(line.begin(), line.end(), [&](const Point& a, const Point& b) {
      const auto number = [](const std::string& text) { return std::atoi(text.c_str()); };
      const GridPoint& p = plan.rows[a.row].point;
      const GridPoint& q = plan.rows[b.row].point;
      return std::pair(number(p.nodes), number(p.cells)) <
             std::pair(number(q.nodes), number(q.cells));
    });
  }
  return lines;
}

}  // namespace

Plot plot_accuracies(const Plan& plan, const Progress& progress, const StudyFolder& folder) {
  PointsOfData all;
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    for (const Row::Trained& trained : plan.rows[r].trained) {
      const MeanSd accuracy = accuracy_of(trained, progress);
      if (trained.phase != Phase::kFinal || accuracy.runs == 0) {
        continue;
      }
      const fs::path run = folder.run(plan.tasks[trained.trainings.front()].id);
      if (const auto parameters = parameters_of(run)) {
        points_on(all, trained.data).push_back({r, *parameters, accuracy});
      }
    }
  }
  const Unit unit = unit_of(all);
  Plot plot{"Test accuracy against parameters",
            fmt::format("parameters, {}", unit.name),
            "test accuracy, %",
            {},
            false};
  for (const auto& [data, points] : all) {
    Panel panel{plan.data_names.at(data), {}, true};
    for (const std::vector<Point>& group : joined(plan, points)) {
      Series line = line_of(plan, group, unit.one);
      std::vector<std::string> names;
      for (const Point& point : group) {
        line.tags.push_back(fmt::format("{}", point.row + 1));
        line.tag += (line.tag.empty() ? "" : ", ") + line.tags.back();
        names.push_back(plan.rows[point.row].name);
      }
      line.label = names.size() > 1 ? common_name(names) : names.front();
      panel.lines.push_back(std::move(line));
    }
    plot.panels.push_back(std::move(panel));
  }
  choose_axis(plot);
  return plot;
}

Plot plot_resolutions(const Plan& plan, const Progress& progress, const StudyFolder& folder,
                      const CountNetwork& count) {
  PointsOfData all;
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    for (const Row::Trained& trained : plan.rows[r].trained) {
      const MeanSd accuracy = accuracy_of(trained, progress);
      if (trained.phase != Phase::kResolution || accuracy.runs == 0) {
        continue;
      }
      if (const auto size = size_of(trained, plan, progress, folder, count)) {
        points_on(all, trained.data)
            .push_back({r, static_cast<double>(size->network.macs_paper), accuracy});
      }
    }
  }
  const Unit unit = unit_of(all);
  Plot plot{"Test accuracy against multiply-accumulates",
            fmt::format("multiply-accumulates for one image, paper's count, {}", unit.name),
            "test accuracy, %",
            {},
            false};
  for (auto& [data, points] : all) {
    std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
      return std::pair(a.row, a.cost) < std::pair(b.row, b.cost);
    });
    Panel panel{plan.data_names.at(data), {}};
    for (auto begin = points.begin(); begin != points.end();) {
      const auto end = std::find_if(begin, points.end(),
                                    [&](const Point& point) { return point.row != begin->row; });
      panel.lines.push_back(line_of(plan, {begin, end}, unit.one));
      panel.lines.back().tag = fmt::format("{}", begin->row + 1);
      begin = end;
    }
    panel.bars = panel.lines.size() > kMostBands;
    plot.panels.push_back(std::move(panel));
  }
  choose_axis(plot);
  return plot;
}

}  // namespace probedarts::study
