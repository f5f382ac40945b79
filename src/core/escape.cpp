#include "core/escape.hpp"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace probedarts {
namespace {

std::string replaced(std::string_view text, char what, std::string_view by) {
  std::string result;
  result.reserve(text.size());
  for (const char letter : text) {
    if (letter == what) {
      result += by;
    } else {
      result += letter;
    }
  }
  return result;
}

/// The library's serialiser is the UTF-8 check; parsing its output back gives the repaired text.
std::string valid_utf8(std::string_view text) {
  using nlohmann::json;
  return json::parse(json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace))
      .get<std::string>();
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string result = replaced(valid_utf8(text), '&', "&amp;");
  result = replaced(result, '<', "&lt;");
  result = replaced(result, '>', "&gt;");
  result = replaced(result, '"', "&quot;");
  return replaced(result, '\'', "&#39;");
}

std::string json_text(std::string_view text) {
  using nlohmann::json;
  return replaced(json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace), '<',
                  "\\u003c");
}

std::string json_number(double number) {
  return std::isfinite(number) ? fmt::format("{:.5g}", number) : "null";
}

bool is_utf8(std::string_view text) { return valid_utf8(text) == text; }

std::string visible_name(std::string_view text) {
  if (is_utf8(text)) {
    return std::string(text);
  }
  std::string visible;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    visible += byte < 0x80 ? std::string(1, letter) : fmt::format("\\x{:02x}", byte);
  }
  return visible;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  return fmt::format("\"{}\"", replaced(std::string(text), '"', "\"\""));
}

}  // namespace probedarts
