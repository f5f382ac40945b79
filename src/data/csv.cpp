#include "data/csv.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"

namespace probedarts::data {
namespace {

/// Walks over the text once; `next` yields one record after the other.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::filesystem::path& named)
      : text_(text), named_(named.string()) {
    if (text_.starts_with("\xEF\xBB\xBF")) {
      at_ = 3;
    }
  }

  std::optional<CsvRow> next() {
    if (at_ >= text_.size()) {
      return std::nullopt;
    }
    CsvRow row;
    row.line = line_;
    do {
      row.fields.push_back(field());
      if (!is_utf8(row.fields.back())) {
        throw UserError(fmt::format("{}: line {}: '{}' is not UTF-8; save the file as UTF-8",
                                    named_, line_, visible_name(row.fields.back())));
      }
    } while (take(','));
    end_record();
    return row;
  }

 private:
  bool take(char wanted) {
    if (at_ < text_.size() && text_[at_] == wanted) {
      ++at_;
      return true;
    }
    return false;
  }

  bool at_line_break() const {
    return text_[at_] == '\n' || (text_[at_] == '\r' && text_.substr(at_, 2) == "\r\n");
  }

  void end_record() {
    if (at_ < text_.size()) {
      take('\r');
      take('\n');
      ++line_;
    }
  }

  std::string field() { return take('"') ? quoted_field() : plain_field(); }

  std::string plain_field() {
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] != ',' && !at_line_break()) {
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  std::string quoted_field() {
    const std::size_t opened = line_;
    std::string value;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\n') {
        ++line_;
      }
      if (c != '"') {
        value += c;
      } else if (take('"')) {
        value += '"';
      } else if (at_ < text_.size() && text_[at_] != ',' && !at_line_break()) {
        throw UserError(fmt::format(
            "{}: line {}: text follows a closing quote; double the quotes inside a quoted field",
            named_, line_));
      } else {
        return value;
      }
    }
    throw UserError(fmt::format(
        "{}: line {}: a quote is opened and never closed; close it or double it", named_, opened));
  }

  std::string_view text_;
  std::string named_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

bool is_blank(const CsvRow& row) { return row.fields.size() == 1 && row.fields[0].empty(); }

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text, const std::filesystem::path& named) {
  std::vector<CsvRow> rows;
  CsvReader reader(text, named);
  while (std::optional<CsvRow> row = reader.next()) {
    if (!is_blank(*row)) {
      rows.push_back(std::move(*row));
    }
  }
  return rows;
}

std::optional<std::size_t> CsvTable::find(std::string_view column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found == columns.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - columns.begin());
}

std::size_t CsvTable::need(std::string_view column) const {
  if (const auto found = find(column)) {
    return *found;
  }
  throw UserError(fmt::format("{}: column '{}' is missing among {}; add it or rename one",
                              file.string(), column, fmt::join(columns, ", ")));
}

CsvTable read_csv_table(const std::filesystem::path& file) {
  std::vector<CsvRow> rows = parse_csv(read_file(file), file);
  if (rows.empty()) {
    throw UserError(fmt::format("{}: the file is empty; it needs a line that names its columns",
                                file.string()));
  }
  CsvTable table{file, std::move(rows.front().fields), {}};
  rows.erase(rows.begin());
  for (auto column = table.columns.begin(); column != table.columns.end(); ++column) {
    if (std::find(table.columns.begin(), column, *column) != column) {
      throw UserError(fmt::format("{}: column '{}' is named twice; rename or remove one of them",
                                  file.string(), *column));
    }
  }
  for (const CsvRow& row : rows) {
    if (row.fields.size() != table.columns.size()) {
      throw UserError(
          fmt::format("{}: line {}: {} fields, but the first line names {} columns; "
                      "correct the line, and quote fields that hold a comma",
                      file.string(), row.line, row.fields.size(), table.columns.size()));
    }
  }
  if (rows.empty()) {
    throw UserError(fmt::format("{}: no image is listed; add one line per image", file.string()));
  }
  table.rows = std::move(rows);
  return table;
}

}  // namespace probedarts::data
