#include "study/paper_tables.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "core/escape.hpp"
#include "study/task_results.hpp"

namespace probedarts::study {
namespace {

/// The paper's names, in the order of its Table 7.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kNetworks = {
    {{"resnet18", "ResNet18"},
     {"mobilenet_v2", "MobileNetV2 1.0"},
     {"mobilenet_v2_035", "MobileNetV2 0.35"},
     {"mobilenet_v3_large", "MobileNetV3-large"},
     {"mobilenet_v3_small", "MobileNetV3-small"},
     {"shufflenet_v2_x1_0", "ShuffleNetV2 1.0"},
     {"senet18", "SENet18"},
     {"mnasnet_a1", "MNASNet-A1"},
     {"mnasnet_small", "MNASNet-small"},
     {"darts_4cell", "DARTS (4 cells)"},
     {"DARTS_ADP_N4", "DARTS-ADP-N4"},
     {"DARTS_ADP_N3", "DARTS-ADP-N3"},
     {"DARTS_ADP_N2", "DARTS-ADP-N2"}}};

void add_once(std::vector<std::string>& to, const std::string& text) {
  if (std::find(to.begin(), to.end(), text) == to.end()) {
    to.push_back(text);
  }
}

const Row::Trained* final_of(const Row& row) {
  for (const Row::Trained& trained : row.trained) {
    if (trained.phase == Phase::kFinal) {
      return &trained;
    }
  }
  return nullptr;
}

/// A row's place in Table 7 and its name there.
std::pair<std::size_t, std::string> place_of(const Row& row) {
  if (row.kind == Row::Kind::kFixed) {
    for (std::size_t i = 0; i < kNetworks.size(); ++i) {
      if (row.name == kNetworks[i].first) {
        return {i, std::string(kNetworks[i].second)};
      }
    }
  }
  const std::size_t behind = row.kind == Row::Kind::kFixed    ? 0
                             : row.kind == Row::Kind::kRandom ? 1
                                                              : 2;
  return {kNetworks.size() + behind, row.name};
}

class Maker {
 public:
  Maker(const Plan& plan, const Progress& progress, const StudyFolder& folder,
        const CountNetwork& count)
      : plan_(plan), progress_(progress), folder_(folder), count_(count) {}

  std::vector<PaperTable> make() {
    std::vector<const Row*> left;
    for (const Row& row : plan_.rows) {
      if (row.kind == Row::Kind::kSearched && final_of(row) != nullptr && cell_of(*final_of(row))) {
        left.push_back(&row);
      }
    }
    while (!left.empty()) {  // those on one data set, at one size
      const Row& first = *left.front();
      const auto others = std::stable_partition(left.begin(), left.end(), [&](const Row* row) {
        return final_of(*row)->data == final_of(first)->data && size_px(*row) == size_px(first);
      });
      add_searched({left.begin(), others});
      left.erase(left.begin(), others);
    }
    add_networks();
    return std::move(tables_);
  }

 private:
  std::optional<PaperCell> cell_of(const Row::Trained& trained) const {
    std::vector<double> scores;
    for (const std::size_t task : trained.evaluations) {
      if (const auto accuracy = test_accuracy(progress_, task)) {
        scores.push_back(*accuracy);
      }
    }
    if (scores.empty()) {
      return std::nullopt;
    }
    PaperCell cell;
    cell.accuracy = mean_and_sd(scores);
    if (const auto size = size_of(trained, plan_, progress_, folder_, count_)) {
      cell.size = size->network;
    }
    return cell;
  }

  std::optional<int> size_px(const Row& row) const {
    for (const std::size_t task : final_of(row)->evaluations) {
      if (const auto size = tested_size(progress_, task)) {
        return size;
      }
    }
    return std::nullopt;
  }

  /// "CIFAR-10 (32x32 image resolution)".
  std::string where(const Row& row) const {
    const auto size = size_px(row);
    return plan_.data_names.at(final_of(row)->data) +
           (size ? fmt::format(" ({0}x{0} image resolution)", *size) : "");
  }

  /// Tables 3 to 6 of some rows that differ in their search alone.
  void add_searched(const std::vector<const Row*>& rows) {
    std::vector<std::string> nodes, cells;
    for (const Row* row : rows) {
      add_once(nodes, row->point.nodes);
      add_once(cells, row->point.cells);
    }
    if (nodes.size() > 1 || cells.size() == 1) {
      for (const std::string& fixed : cells) {
        add_by(rows, "different number of intermediate nodes", "Number of nodes", &GridPoint::nodes,
               &GridPoint::cells, fixed, cells.size() > 1 ? fixed + " cells" : "");
      }
    }
    if (cells.size() > 1) {
      for (const std::string& fixed : nodes) {
        add_by(rows, "different optimization strategies and different number of cells",
               "Number of cells", &GridPoint::cells, &GridPoint::nodes, fixed,
               nodes.size() > 1 ? fixed + " nodes" : "");
      }
    }
  }

  void add_by(const std::vector<const Row*>& rows, const char* what, const char* head,
              std::string GridPoint::*line, std::string GridPoint::*held, const std::string& value,
              const std::string& with) {
    std::vector<const Row*> kept;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(kept),
                 [&](const Row* row) { return row->point.*held == value; });
    PaperTable table;
    table.caption = fmt::format("Performance of architectures searched with {} on {}{}.", what,
                                where(*kept.front()), with.empty() ? "" : ", " + with);
    table.rows_are = head;
    std::vector<std::string> lines;
    for (const Row* row : kept) {
      add_once(table.groups, group_of(*row, kept));
      add_once(lines, row->point.*line);
    }
    for (const std::string& name : lines) {
      PaperTable::Line made{name.empty() ? "default" : name, {}};
      for (const std::string& group : table.groups) {
        const auto row = std::find_if(kept.begin(), kept.end(), [&](const Row* one) {
          return one->point.*line == name && group_of(*one, kept) == group;
        });
        made.cells.push_back(row == kept.end() ? std::nullopt : cell_of(*final_of(**row)));
      }
      table.lines.push_back(std::move(made));
    }
    tables_.push_back(std::move(table));
  }

  /// "DARTS+SGD", and what else tells it from other rows with the same optimizer.
  static std::string group_of(const Row& row, const std::vector<const Row*>& among) {
    const std::string& optimizer = row.point.optimizer;
    std::string name = optimizer == "sgd"    ? "DARTS+SGD"
                       : optimizer == "adas" ? "DARTS+Adas"
                                             : "DARTS";
    const auto varies = [&](std::string GridPoint::*field) {
      return std::any_of(among.begin(), among.end(), [&](const Row* other) {
        return other->point.optimizer == optimizer && other->point.*field != row.point.*field;
      });
    };
    if (varies(&GridPoint::lr)) {
      name += fmt::format(", lr {}", row.point.lr.empty() ? "default" : row.point.lr);
    }
    if (varies(&GridPoint::order)) {
      name += fmt::format(", order {}", row.point.order.empty() ? "default" : row.point.order);
    }
    return name;
  }

  void add_networks() {
    PaperTable table;
    table.rows_are = "Network";
    std::vector<std::pair<std::size_t, PaperTable::Line>> placed;
    std::vector<std::string> data;
    bool is_wanted = false;
    for (const Row& row : plan_.rows) {
      is_wanted = is_wanted || row.kind == Row::Kind::kFixed;
      for (const Row::Trained& trained : row.trained) {
        if (trained.phase != Phase::kResolution) {
          add_once(data, trained.data);
        }
      }
    }
    if (!is_wanted && data.size() < 2) {
      return;  // nothing that tables 3 to 6 do not say
    }
    for (const Row& row : plan_.rows) {
      auto [place, name] = place_of(row);
      PaperTable::Line line{std::move(name), std::vector<std::optional<PaperCell>>(data.size())};
      for (const Row::Trained& trained : row.trained) {
        const auto column = std::find(data.begin(), data.end(), trained.data) - data.begin();
        if (trained.phase != Phase::kResolution) {
          line.cells[static_cast<std::size_t>(column)] = cell_of(trained);
        }
      }
      if (std::any_of(line.cells.begin(), line.cells.end(),
                      [](const auto& cell) { return cell.has_value(); })) {
        placed.emplace_back(place, std::move(line));
      }
    }
    std::stable_sort(placed.begin(), placed.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [place, line] : placed) {
      table.lines.push_back(std::move(line));
    }
    for (const std::string& folder : data) {
      table.groups.push_back(plan_.data_names.at(folder));
    }
    if (!table.lines.empty()) {
      mark_best(table);
      tables_.push_back(std::move(table));
    }
  }

  static void mark_best(PaperTable& table) {
    for (std::size_t group = 0; group < table.groups.size(); ++group) {
      PaperCell* best = nullptr;
      for (PaperTable::Line& line : table.lines) {
        auto& cell = line.cells[group];
        if (cell && (best == nullptr || cell->accuracy.mean > best->accuracy.mean)) {
          best = &*cell;
        }
      }
      for (PaperTable::Line& line : table.lines) {
        auto& cell = line.cells[group];
        if (cell && best != nullptr) {
          cell->best = cell->accuracy.mean == best->accuracy.mean;
          cell->near_best =
              !cell->best &&
              cell->accuracy.mean >= best->accuracy.mean - best->accuracy.sd.value_or(0.0);
        }
      }
    }
  }

  const Plan& plan_;
  const Progress& progress_;
  const StudyFolder& folder_;
  const CountNetwork& count_;
  std::vector<PaperTable> tables_;
};

/// Table 7 says it with green and orange; signs that survive grey print say it here.
std::string caption_of(const PaperTable& table, TableFormat format) {
  if (!table.caption.empty()) {
    return format == TableFormat::kCsv ? table.caption : escaped(table.caption, format);
  }
  const std::array<const char*, 2> marks =
      format == TableFormat::kMarkdown ? std::array{"**bold**", "*italic*"}
      : format == TableFormat::kLatex  ? std::array{"\\textbf{bold}", "\\textit{italic}"}
                                       : std::array{"best", "near"};
  return fmt::format(
      "Performance of different networks on different datasets. Note that {} indicates the best, "
      "and {} indicates within standard deviation from the best.",
      marks[0], marks[1]);
}

std::string amount(double value) {
  return value >= 0.095 || value == 0.0 ? fmt::format("{:.2f}", value)
                                        : fmt::format("{:.2g}", value);
}

std::string parameters(const std::optional<PaperCell>& cell) {
  return cell && cell->size ? amount(static_cast<double>(cell->size->parameters) / 1e6) : "-";
}

std::string macs(const std::optional<PaperCell>& cell) {
  return cell && cell->size ? amount(static_cast<double>(cell->size->macs_paper) / 1e9) : "-";
}

std::string accuracy(const std::optional<PaperCell>& cell, TableFormat format) {
  if (!cell) {
    return "-";
  }
  const bool latex = format == TableFormat::kLatex;
  const std::string mean = percent(cell->accuracy.mean);
  const std::string text = !cell->accuracy.sd ? mean
                           : latex
                               ? fmt::format("{}$_{{{}}}$", mean, percent(*cell->accuracy.sd))
                               : fmt::format("{}<sub>{}</sub>", mean, percent(*cell->accuracy.sd));
  if (cell->best) {
    return latex ? "\\textbf{" + text + "}" : "**" + text + "**";
  }
  return !cell->near_best ? text : latex ? "\\textit{" + text + "}" : "*" + text + "*";
}

std::string markdown(const PaperTable& table) {
  std::string head = "| " + table.rows_are + " |";
  std::string rule = "|---|";
  for (const std::string& group : table.groups) {
    const std::string name = escaped(group, TableFormat::kMarkdown);
    head += fmt::format(" {0}: Acc (%) | Prm (M) | MAC (G) |", name);
    rule += "---:|---:|---:|";
  }
  std::string text =
      fmt::format("{}\n\n{}\n{}\n", caption_of(table, TableFormat::kMarkdown), head, rule);
  for (const PaperTable::Line& line : table.lines) {
    text += fmt::format("| {} |", escaped(line.name, TableFormat::kMarkdown));
    for (const auto& cell : line.cells) {
      text += fmt::format(" {} | {} | {} |", accuracy(cell, TableFormat::kMarkdown),
                          parameters(cell), macs(cell));
    }
    text += "\n";
  }
  return text;
}

std::string latex(const PaperTable& table) {
  std::string columns, heads, rules, names;
  for (std::size_t g = 0; g < table.groups.size(); ++g) {
    columns += " rrr";
    heads += fmt::format(" & \\multicolumn{{3}}{{c}}{{{}}}",
                         escaped(table.groups[g], TableFormat::kLatex));
    rules += fmt::format("\\cline{{{}-{}}}", 3 * g + 2, 3 * g + 4);
    names += " & Acc (\\%) & Prm (M) & MAC (G)";
  }
  std::string text = fmt::format(
      "\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\begin{{tabular}}{{l{}}}\n\\hline\n"
      "{}{} \\\\\n{}\n{} \\\\\n\\hline\n",
      caption_of(table, TableFormat::kLatex), columns, table.rows_are, heads, rules, names);
  for (const PaperTable::Line& line : table.lines) {
    text += escaped(line.name, TableFormat::kLatex);
    for (const auto& cell : line.cells) {
      text += fmt::format(" & {} & {} & {}", accuracy(cell, TableFormat::kLatex), parameters(cell),
                          macs(cell));
    }
    text += " \\\\\n";
  }
  return text + "\\hline\n\\end{tabular}\n\\end{table}\n";
}

/// The caption stands alone in the first record; sd and mark have columns of their own.
std::string csv(const PaperTable& table) {
  const bool marked = table.caption.empty();
  std::string text =
      csv_field(caption_of(table, TableFormat::kCsv)) + "\n" + csv_field(table.rows_are);
  for (const std::string& group : table.groups) {
    for (const char* column : {"Acc (%)", "sd", "Prm (M)", "MAC (G)"}) {
      text += fmt::format(",{}", csv_field(fmt::format("{}: {}", group, column)));
    }
    text += marked ? fmt::format(",{}", csv_field(group + ": mark")) : "";
  }
  text += "\n";
  for (const PaperTable::Line& line : table.lines) {
    text += csv_field(line.name);
    for (const auto& cell : line.cells) {
      const auto or_nothing = [](const std::string& shown) { return shown == "-" ? "" : shown; };
      text += fmt::format(",{},{},{},{}", cell ? percent(cell->accuracy.mean) : "",
                          cell && cell->accuracy.sd ? percent(*cell->accuracy.sd) : "",
                          or_nothing(parameters(cell)), or_nothing(macs(cell)));
      if (marked) {
        text += !cell ? "," : cell->best ? ",best" : cell->near_best ? ",near" : ",";
      }
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::vector<PaperTable> paper_tables(const Plan& plan, const Progress& progress,
                                     const StudyFolder& folder, const CountNetwork& count) {
  return Maker(plan, progress, folder, count).make();
}

std::string render(const std::vector<PaperTable>& tables, TableFormat format) {
  std::string text;
  for (const PaperTable& table : tables) {
    text += text.empty() ? "" : "\n";
    text += format == TableFormat::kMarkdown ? markdown(table)
            : format == TableFormat::kLatex  ? latex(table)
                                             : csv(table);
  }
  return text;
}

}  // namespace probedarts::study
