#include "report/palette.hpp"

#include <fmt/format.h>

namespace probedarts::report {
namespace {

std::string style_json(const LineStyle& style, const std::array<int, 2>& dash) {
  return fmt::format(R"({{"color":["{}","{}"],"dash":{},"marker":"{}"}})", style.light, style.dark,
                     dash[1] > 0 ? fmt::format("[{},{}]", dash[0], dash[1]) : "[]", style.marker);
}

}  // namespace

std::string styles_json() {
  std::string lines, primitives;
  for (const LineStyle& style : kLineStyles) {
    lines += (lines.empty() ? "" : ",") + style_json(style, {0, 0});
  }
  for (const PrimitiveStyle& style : kPrimitiveStyles) {
    primitives += (primitives.empty() ? "" : ",") + style_json(kLineStyles[style.line], style.dash);
  }
  return fmt::format(R"({{"lines":[{}],"primitives":[{}]}})", lines, primitives);
}

}  // namespace probedarts::report
