#include "study/table_text.hpp"

#include <string_view>

#include <fmt/format.h>

namespace probedarts::study {

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

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char letter : text) {
    quoted += letter == '"' ? "\"\"" : std::string(1, letter);
  }
  return quoted + "\"";
}

std::string percent(double share) { return fmt::format("{:.2f}", 100.0 * share); }

}  // namespace probedarts::study
