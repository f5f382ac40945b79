#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace probedarts {

/// Text for an HTML element or a quoted attribute: & < > " ' become references; bytes that are no
/// UTF-8 become U+FFFD.
std::string escape_html(std::string_view text);

/// A JSON string literal that may stand inside <script>: quotes included, every '<' written as
/// \u003c, so that neither
/// "</script>" nor "<!--" can end or change the element. Bytes that are no UTF-8 become U+FFFD.
std::string json_text(std::string_view text);

/// A JSON number with five significant digits; null when it is not finite.
std::string json_number(double number);

/// "[f(0),f(1),...]" of what f writes for each element.
template <typename Function>
std::string json_list(std::size_t count, const Function& function) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) {
    text += i > 0 ? "," : "";
    text += function(i);
  }
  return text + "]";
}

bool is_utf8(std::string_view text);

/// A name for a message: as it is where it is UTF-8, else with every byte beyond ASCII as \xNN.
std::string visible_name(std::string_view text);

/// Text as a field of CSV (RFC 4180): quoted where it holds a comma, a quote or the end of a line.
std::string csv_field(std::string_view text);

}  // namespace probedarts
