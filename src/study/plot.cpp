#include "study/plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/escape.hpp"
#include "report/palette.hpp"
#include "study/tag_places.hpp"

namespace probedarts::study {
namespace {

constexpr double kWidth = 380.0, kHeight = 220.0;  // of the area of a panel's lines
constexpr double kLeft = 68.0, kTop = 30.0, kBottom = 46.0, kRight = 18.0, kLegendLine = 18.0;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void hold(double value) {
    if (std::isfinite(value)) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
};

struct Frame {
  double left, top;  ///< of the panel's area of lines
  std::vector<double> x_ticks, y_ticks;
  bool log_x;

  double x(double value) const {
    const auto along = [&](double v) { return log_x ? std::log(v) : v; };
    const double first = along(x_ticks.front());
    return left + kWidth * (along(value) - first) / (along(x_ticks.back()) - first);
  }
  double y(double value) const {
    return top + kHeight * (y_ticks.back() - value) / (y_ticks.back() - y_ticks.front());
  }
};

const report::LineStyle& style_of(int style) {
  return report::kLineStyles[static_cast<std::size_t>(style) % report::kLineStyles.size()];
}

const char* color_of(int style) { return style_of(style).light; }

/// Dashed for itself, or by the turn through the styles: 8 plain lines, 8 dashed, 8 dotted, ...
std::string dash_of(const Series& line) {
  const std::size_t turn = static_cast<std::size_t>(line.style) / report::kLineStyles.size();
  std::string lengths;
  for (const int length :
       report::kTurnDashes[(turn + (line.dashed ? 1 : 0)) % report::kTurnDashes.size()]) {
    if (length > 0) {
      lengths += fmt::format("{}{}", lengths.empty() ? "" : " ", length);
    }
  }
  return lengths.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", lengths);
}

std::string text(double x, double y, const char* anchor, const std::string& words) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     escape_html(words));
}

std::string marker(double x, double y, int style) {
  struct Shape {
    std::string_view name, path;
    bool filled;
  };
  constexpr std::array kShapes = {
      Shape{"circle", "M-3.4 0A3.4 3.4 0 1 0 3.4 0A3.4 3.4 0 1 0 -3.4 0Z", true},
      Shape{"triangle", "M0 -4L4 3H-4Z", true},
      Shape{"rect", "M-3 -3H3V3H-3Z", true},
      Shape{"rectRot", "M0 -4.2L4.2 0L0 4.2L-4.2 0Z", true},
      Shape{"star", "M0 -4V4M-4 0H4M-3 -3L3 3M3 -3L-3 3", false},
      Shape{"crossRot", "M-3.4 -3.4L3.4 3.4M3.4 -3.4L-3.4 3.4", false},
      Shape{"cross", "M0 -4.4V4.4M-4.4 0H4.4", false},
      Shape{"rectRounded", "M-3 -2.4H3A2.4 2.4 0 0 1 3 2.4H-3A2.4 2.4 0 0 1 -3 -2.4Z", true}};
  for (const Shape& shape : kShapes) {
    if (shape.name == style_of(style).marker) {
      return fmt::format("<path transform=\"translate({:.1f} {:.1f})\" d=\"{}\" fill=\"{}\"{}/>\n",
                         x, y, shape.path, shape.filled ? color_of(style) : "none",
                         shape.filled
                             ? std::string()
                             : fmt::format(" stroke=\"{}\" stroke-width=\"1.6\"", color_of(style)));
    }
  }
  report_bug("a line style has a marker that plot.cpp cannot draw", __FILE__, __LINE__);
}

std::string bar(double x, double high, double low, int style) {
  return fmt::format(
      "<path d=\"M{0:.1f} {1:.1f}V{2:.1f}M{3:.1f} {1:.1f}h8M{3:.1f} {2:.1f}h8\" stroke=\"{4}\" "
      "stroke-width=\"1.2\" fill=\"none\"/>\n",
      x, high, low, x - 4.0, color_of(style));
}

/// Bars at the points of a line, as at a single point.
std::string spread_bars(const Series& line, const Frame& frame) {
  std::string svg;
  for (std::size_t i = 0; i < line.spread.size(); ++i) {
    if (std::isfinite(line.y[i]) && std::isfinite(line.spread[i]) && line.spread[i] > 0.0) {
      svg += bar(frame.x(line.x[i]), frame.y(line.y[i] + line.spread[i]),
                 frame.y(line.y[i] - line.spread[i]), line.style);
    }
  }
  return svg;
}

std::string spread_band(const Series& line, const Frame& frame) {
  std::string upper, lower;
  for (std::size_t i = 0; i < line.spread.size(); ++i) {
    if (std::isfinite(line.y[i]) && std::isfinite(line.spread[i])) {
      const double x = frame.x(line.x[i]);
      upper += fmt::format("{:.1f},{:.1f} ", x, frame.y(line.y[i] + line.spread[i]));
      lower.insert(0, fmt::format("{:.1f},{:.1f} ", x, frame.y(line.y[i] - line.spread[i])));
    }
  }
  return upper.empty() ? ""
                       : fmt::format("<polygon points=\"{}{}\" fill=\"{}\" opacity=\"0.18\"/>\n",
                                     upper, lower, color_of(line.style));
}

std::string draw_line(const Series& line, const Frame& frame, bool bars) {
  std::string svg =
      bars || line.spread.size() == 1 ? spread_bars(line, frame) : spread_band(line, frame);
  std::string path, marks;
  bool pen_down = false;
  const std::size_t every =
      line.markers == Markers::kAll ? 1 : std::max<std::size_t>(1, line.x.size() / 6);
  for (std::size_t i = 0; i < line.x.size(); ++i) {
    const bool here = std::isfinite(line.x[i]) && std::isfinite(line.y[i]);
    if (here) {
      const double x = frame.x(line.x[i]), y = frame.y(line.y[i]);
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x, y);
      if (line.markers != Markers::kNone &&
          (i + static_cast<std::size_t>(line.style)) % every == 0) {
        marks += marker(x, y, line.style);
      }
    }
    pen_down = here;
  }
  const std::string faint =
      line.opacity < 1.0 ? fmt::format(" opacity=\"{:.2g}\"", line.opacity) : "";
  return svg +
         fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:.2g}\"{}{}/>\n",
                     path, color_of(line.style), line.width, faint, dash_of(line)) +
         marks;
}

/// The tags of all points of a panel.
std::string draw_tags(const Panel& panel, const Frame& frame) {
  std::vector<TaggedPoint> points;
  for (const Series& line : panel.lines) {
    const std::vector<std::string> tags = tags_of(line);
    for (std::size_t i = 0; i < tags.size(); ++i) {
      if (std::isfinite(line.x[i]) && std::isfinite(line.y[i])) {
        points.push_back({frame.x(line.x[i]), frame.y(line.y[i]), tags[i]});
      }
    }
  }
  const std::vector<TagPlace> places = place_tags(
      points, {frame.left, frame.top, frame.left + kWidth + kRight, frame.top + kHeight});
  std::string svg;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].tag.empty()) {
      continue;
    }
    if (places[i].is_far) {
      svg += fmt::format(
          "<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" stroke=\"currentColor\" opacity=\"0.4\"/>\n",
          points[i].x, points[i].y, places[i].x + text_width(points[i].tag) / 2, places[i].y - 4);
    }
    svg += text(places[i].x, places[i].y, "start", points[i].tag);
  }
  return svg;
}

std::string draw_axes(const Plot& plot, const Panel& panel, const Frame& frame) {
  std::string svg;
  const double bottom = frame.top + kHeight;
  for (const double tick : frame.y_ticks) {
    svg += fmt::format("<path d=\"M{:.1f} {:.1f}h{}\" stroke=\"currentColor\" opacity=\"0.18\"/>\n",
                       frame.left, frame.y(tick), kWidth) +
           text(frame.left - 6, frame.y(tick) + 4, "end", fmt::format("{:.6g}", tick));
  }
  double free_from = -std::numeric_limits<double>::infinity();  // px: left of it stands a number
  for (const double tick : frame.x_ticks) {
    const double x = frame.x(tick);
    const std::string number = fmt::format("{:.6g}", tick);
    const double half = text_width(number) / 2.0;
    svg += fmt::format("<path d=\"M{:.1f} {:.1f}v4\" stroke=\"currentColor\"/>\n", x, bottom);
    if (x - half >= free_from) {
      svg += text(x, bottom + 17, "middle", number);
      free_from = x + half + 4.0;
    }
  }
  svg += fmt::format("<path d=\"M{:.1f} {:.1f}v{}h{}\" fill=\"none\" stroke=\"currentColor\"/>\n",
                     frame.left, frame.top, kHeight, kWidth);
  svg += text(frame.left + kWidth / 2, bottom + 34, "middle", plot.x_label);
  svg += fmt::format(
      "<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
      frame.left - 52, frame.top + kHeight / 2, escape_html(plot.y_label));
  return svg + fmt::format("<g font-weight=\"bold\">{}</g>\n",
                           text(frame.left, frame.top - 10, "start", panel.title));
}

std::string draw_legend(const Panel& panel, const Frame& frame) {
  std::string svg;
  double y = frame.top + kHeight + kBottom + 8;
  for (const Series& line : panel.lines) {
    if (!line.label.empty()) {
      svg +=
          fmt::format("<path d=\"M{:.1f} {:.1f}h30\" stroke=\"{}\" stroke-width=\"{:.2g}\"{}/>\n",
                      frame.left, y - 4, color_of(line.style), line.width, dash_of(line)) +
          marker(frame.left + 15, y - 4, line.style) +
          text(frame.left + 38, y, "start",
               line.tag.empty() ? line.label : line.tag + "  " + line.label);
      y += kLegendLine;
    }
  }
  return svg;
}

}  // namespace

std::vector<std::string> tags_of(const Series& line) {
  std::vector<std::string> tags = line.tags;
  tags.resize(line.x.size());
  if (line.tags.empty() && !tags.empty()) {
    tags.back() = line.tag;
  }
  return tags;
}

std::vector<double> round_ticks(double low, double high) {
  if (!(high > low)) {
    high = low + (low == 0.0 ? 1.0 : std::abs(low));
  }
  const double rough = (high - low) / 5.0;
  const double unit = std::pow(10.0, std::floor(std::log10(rough)));
  const double step = unit * (rough <= unit       ? 1.0
                              : rough <= 2 * unit ? 2.0
                              : rough <= 5 * unit ? 5.0
                                                  : 10.0);
  std::vector<double> ticks;
  const auto first = static_cast<long long>(std::floor(low / step + 1e-9));
  const auto last = static_cast<long long>(std::ceil(high / step - 1e-9));
  for (long long i = first; i <= last; ++i) {
    ticks.push_back(static_cast<double>(i) * step);
  }
  return ticks;
}

std::vector<double> log_ticks(double low, double high) {
  require(low > 0.0 && low <= high && std::isfinite(high), "a logarithmic axis has a range");
  constexpr double kSlack = 1e-9;  // rounding must not put 0.2 beyond the tick at 2 times 0.1
  const auto covering = [&](std::initializer_list<double> steps) {
    std::vector<double> ticks;
    for (int power = static_cast<int>(std::floor(std::log10(low)));; ++power) {
      for (const double step : steps) {
        const double tick = step * std::pow(10.0, power);
        if (tick <= low * (1.0 + kSlack)) {
          ticks.clear();
        }
        ticks.push_back(tick);
        if (tick >= high * (1.0 - kSlack) && ticks.size() > 1) {
          return ticks;
        }
      }
    }
  };
  std::vector<double> ticks = covering({1.0, 2.0, 5.0});
  return ticks.size() <= 10 ? ticks : covering({1.0});
}

std::string draw_plot_svg(const Plot& plot) {
  Range x, y;
  std::size_t legend_lines = 0;
  for (const Panel& panel : plot.panels) {
    std::size_t labels = 0;
    for (const Series& line : panel.lines) {
      labels += !line.label.empty();
      for (std::size_t i = 0; i < line.x.size(); ++i) {
        const double spread = i < line.spread.size() ? line.spread[i] : 0.0;
        x.hold(line.x[i]);
        y.hold(line.y[i] - spread);
        y.hold(line.y[i] + spread);
      }
    }
    legend_lines = std::max(legend_lines, labels);
  }
  if (!(x.low <= x.high) || !(y.low <= y.high)) {
    x = y = {plot.log_x ? 0.1 : 0.0, 1.0};
  }
  if (plot.from_zero) {
    y.hold(0.0);
  }
  const std::size_t columns =
      std::min<std::size_t>(2, std::max<std::size_t>(1, plot.panels.size()));
  const double wide = kLeft + kWidth + kRight;
  const double tall =
      kTop + kHeight + kBottom + kLegendLine * static_cast<double>(legend_lines) + 8;
  const double rows =
      std::ceil(static_cast<double>(plot.panels.size()) / static_cast<double>(columns));
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" "
      "fill=\"currentColor\"><title>{2}</title>\n",
      wide * static_cast<double>(columns), tall * rows, escape_html(plot.title));
  for (std::size_t p = 0; p < plot.panels.size(); ++p) {
    const Frame frame{kLeft + wide * static_cast<double>(p % columns),
                      kTop + tall * static_cast<double>(p / columns),
                      plot.log_x ? log_ticks(x.low, x.high) : round_ticks(x.low, x.high),
                      round_ticks(y.low, y.high), plot.log_x};
    svg += draw_axes(plot, plot.panels[p], frame);
    for (const Series& line : plot.panels[p].lines) {
      svg += draw_line(line, frame, plot.panels[p].bars);
    }
    svg += draw_tags(plot.panels[p], frame);
    svg += draw_legend(plot.panels[p], frame);
  }
  return svg + "</svg>\n";
}

}  // namespace probedarts::study
