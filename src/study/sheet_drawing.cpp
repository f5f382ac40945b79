#include "study/sheet_drawing.hpp"

#include <string_view>

#include <fmt/format.h>

#include "core/escape.hpp"

namespace probedarts::study {
namespace {

constexpr double kPicture = 112.0, kWide = 132.0, kTall = 150.0, kTop = 48.0;  // px
constexpr double kLetter = 6.6;  // px, of 12 px sans-serif text: about

/// Pressed together where it is wider than a column.
std::string text(double x, double y, const std::string& words, std::string_view more = "") {
  const double room = kWide - 8.0;
  const std::string fit =
      kLetter * static_cast<double>(words.size()) > room
          ? fmt::format(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", room)
          : "";
  return fmt::format("<text x=\"{}\" y=\"{}\"{}{}>{}</text>\n", x, y, more, fit,
                     escape_html(words));
}

std::string picture(double x, double y, const std::string& uri) {
  return uri.empty() ? fmt::format(
                           "<rect x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{2}\" "
                           "fill=\"none\" stroke=\"currentColor\" opacity=\"0.3\"/>\n",
                           x, y, kPicture)
                     : fmt::format(
                           "<image x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{2}\" "
                           "href=\"{3}\"/>\n",
                           x, y, kPicture, uri);
}

}  // namespace

std::string draw_sheet_svg(const Sheet& sheet) {
  if (sheet.rows.empty()) {
    return "";
  }
  const auto column = [](std::size_t i) { return 8.0 + kWide * static_cast<double>(i); };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" "
      "fill=\"currentColor\"><title>{2}</title>\n",
      column(sheet.networks.size() + 1), kTop + kTall * static_cast<double>(sheet.rows.size()),
      escape_html("Heat maps, " + sheet.title));
  svg += text(column(0), 34, "image", " font-weight=\"bold\"");
  for (std::size_t i = 0; i < sheet.networks.size(); ++i) {
    svg += text(column(i + 1), 34, sheet.networks[i], " font-weight=\"bold\"");
  }
  for (std::size_t r = 0; r < sheet.rows.size(); ++r) {
    const SheetRow& row = sheet.rows[r];
    const double y = kTop + kTall * static_cast<double>(r);
    svg += picture(column(0), y, row.picture);
    svg += text(column(0), y + kPicture + 14, row.label.empty() ? row.image : row.label);
    for (std::size_t i = 0; i < row.maps.size(); ++i) {
      const SheetMap& map = row.maps[i];
      if (map.picture.empty()) {
        continue;  // this network has fewer maps of the image
      }
      svg += picture(column(i + 1), y, map.picture);
      svg += text(column(i + 1), y + kPicture + 14,
                  fmt::format("{} {:.2f}", map.class_name, map.probability));
      svg += map.speaks_for ? ""
                            : text(column(i + 1), y + kPicture + 28, "no place speaks for it",
                                   " font-style=\"italic\"");
    }
  }
  return svg + "</svg>\n";
}

}  // namespace probedarts::study
