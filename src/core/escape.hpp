#pragma once

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

}  // namespace probedarts
