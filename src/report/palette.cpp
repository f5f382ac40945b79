#include "report/palette.hpp"

#include <span>

#include <fmt/format.h>

#include "core/escape.hpp"

namespace probedarts::report {
namespace {

/// As a canvas takes it: nothing for a plain line.
std::string dash_json(std::span<const int> dash) {
  std::size_t count = 0;
  while (count < dash.size() && dash[count] > 0) {
    ++count;
  }
  return json_list(count, [&](std::size_t i) { return std::to_string(dash[i]); });
}

std::string style_json(const LineStyle& style, const std::array<int, 2>& dash) {
  return fmt::format(R"({{"color":["{}","{}"],"dash":{},"marker":"{}"}})", style.light, style.dark,
                     dash_json(dash), style.marker);
}

}  // namespace

std::string styles_json() {
  return fmt::format(
      R"({{"lines":{},"primitives":{},"turns":{}}})",
      json_list(kLineStyles.size(),
                [](std::size_t i) {
                  return style_json(kLineStyles[i], {0, 0});
                }),
      json_list(kPrimitiveStyles.size(),
                [](std::size_t i) {
                  const PrimitiveStyle& style = kPrimitiveStyles[i];
                  return style_json(kLineStyles[style.line], style.dash);
                }),
      json_list(kTurnDashes.size(), [](std::size_t i) { return dash_json(kTurnDashes[i]); }));
}

}  // namespace probedarts::report
