#pragma once

#include <string>

namespace probedarts::study {

enum class TableFormat { kMarkdown, kCsv, kLatex };

/// Text for a cell of a Markdown or LaTeX table: names come from files of users, and what either
/// would take for a sign is escaped.
std::string escaped(const std::string& text, TableFormat format);

/// 0.9673 as "96.73".
std::string percent(double share);

}  // namespace probedarts::study
