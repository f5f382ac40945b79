#include "cli/tables.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/escape.hpp"

namespace probedarts::cli {
namespace {

/// Characters of UTF-8 text: bytes that do not continue one.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return left ? text + space : space + text;
}

}  // namespace

void print_table(const Table& table) {
  std::vector<std::size_t> widths;
  std::vector<bool> left;
  for (std::size_t c = 0; c < table.head.size(); ++c) {
    std::size_t width = width_of(table.head[c]);
    bool words = c == 0;
    for (const auto& row : table.rows) {
      width = std::max(width, width_of(row[c]));
      words =
          words || (!row[c].empty() && std::isalpha(static_cast<unsigned char>(row[c][0])) != 0);
    }
    widths.push_back(width);
    left.push_back(words);
  }
  const auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += (c == 0 ? "" : "  ") + padded(row[c], widths[c], left[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
  };
  print(table.head);
  for (const auto& row : table.rows) {
    print(row);
  }
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    line += c == 0 ? "" : ",";
    line += csv_field(cells[c]);
  }
  return line + "\n";
}

std::string label_list(const std::vector<std::string>& labels) {
  return fmt::format("{}", fmt::join(labels, ";"));
}

}  // namespace probedarts::cli
