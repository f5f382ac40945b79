#include "study/table_text.hpp"

#include <string_view>

#include <fmt/format.h>

#include "core/escape.hpp"

namespace probedarts::study {
namespace {

struct Marks {
  const char *begin, *between, *end;  ///< of a line
};

std::string line_text(const std::vector<std::string>& cells, TableFormat format, Marks marks) {
  std::string text = marks.begin;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    text += i > 0 ? marks.between : "";
    text += format == TableFormat::kCsv ? csv_field(cells[i])
            : cells[i].empty()          ? "-"
                                        : escaped(cells[i], format);
  }
  return text + marks.end;
}

std::string repeated(const char* text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) {
    all += text;
  }
  return all;
}

}  // namespace

std::string render(const TextTable& table, TableFormat format) {
  const bool latex = format == TableFormat::kLatex;
  const Marks marks = format == TableFormat::kMarkdown ? Marks{"| ", " | ", " |\n"}
                      : latex                          ? Marks{"", " & ", " \\\\\n"}
                                                       : Marks{"", ",", "\n"};
  std::string text =
      latex ? fmt::format("\\begin{{tabular}}{{{}}}\n\\hline\n", repeated("l", table.head.size()))
            : "";
  text += line_text(table.head, format, marks);
  text += format == TableFormat::kMarkdown ? "|" + repeated("---|", table.head.size()) + "\n" : "";
  text += latex ? "\\hline\n" : "";
  for (const std::vector<std::string>& line : table.lines) {
    text += line_text(line, format, marks);
  }
  return latex ? text + "\\hline\n\\end{tabular}\n" : text;
}

std::string escaped(const std::string& text, TableFormat format) {
  const std::string_view signs = format == TableFormat::kLatex ? "&%$#_{}" : "|*_<>`";
  std::string safe;
  for (const char letter : text) {
    if (signs.find(letter) != std::string_view::npos) {
      safe += '\\';
    }
    safe += letter == '\\' || letter == '~' || letter == '^' ? '/' : letter;
  }
  return safe;
}

std::string percent(double share) { return fmt::format("{:.2f}", 100.0 * share); }

}  // namespace probedarts::study
