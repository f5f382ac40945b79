#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace probedarts::data {

/// One record of a CSV file and the line it starts in (first line: 1).
struct CsvRow {
  std::size_t line = 0;
  std::vector<std::string> fields;
};

/// Records of comma-separated text after RFC 4180: quoted fields may hold commas, line breaks and
/// doubled quotes. LF and CRLF end a record, a byte order mark and blank lines are skipped. `named`
/// is the file in error messages. \throws UserError for a quote that is never closed, or text right
/// after a closing quote.
std::vector<CsvRow> parse_csv(std::string_view text, const std::filesystem::path& named);

/// A CSV file whose first record names the columns; every row has one field per column.
struct CsvTable {
  std::filesystem::path file;
  std::vector<std::string> columns;
  std::vector<CsvRow> rows;

  std::optional<std::size_t> find(std::string_view column) const;
  /// \throws UserError when there is no such column.
  std::size_t need(std::string_view column) const;
};

/// \throws UserError as `parse_csv`, and for an unreadable or empty file, a column named twice, a
/// row too short or too
///         long, no row at all.
CsvTable read_csv_table(const std::filesystem::path& file);

}  // namespace probedarts::data
