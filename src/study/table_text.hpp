#pragma once

#include <string>
#include <vector>

namespace probedarts::study {

enum class TableFormat { kMarkdown, kCsv, kLatex };

/// A table as text: plain words and numbers, not yet escaped.
struct TextTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> lines;  ///< each as many as the head
};

/// Names and numbers escaped; what is empty is "-" but in CSV.
std::string render(const TextTable& table, TableFormat format);

/// Text for a cell of a Markdown or LaTeX table: names come from files of users, and what either
/// would take for a sign is escaped.
std::string escaped(const std::string& text, TableFormat format);

/// 0.9673 as "96.73".
std::string percent(double share);

}  // namespace probedarts::study
