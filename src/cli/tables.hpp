#pragma once

#include <string>
#include <vector>

namespace probedarts::cli {

/// A table for the terminal: a head, and rows of as many cells.
struct Table {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

/// Prints it to standard output: the first column to the left, the others to the right, but for
/// texts that begin with a letter.
void print_table(const Table& table);

/// A line of a CSV file (RFC 4180), line break included.
std::string csv_line(const std::vector<std::string>& cells);

/// Several labels in one cell, with semicolons between them: names of classes have spaces in them.
std::string label_list(const std::vector<std::string>& labels);

}  // namespace probedarts::cli
