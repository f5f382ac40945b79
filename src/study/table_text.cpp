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

std::string percent(double share) { return fmt::format("{:.2f}", 100.0 * share); }

}  // namespace probedarts::study
