#include "space/draw_cell.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "space/cell_graph.hpp"

namespace probedarts::space {
namespace {

// Lengths in units of the drawing (CSS pixels at scale 1).
constexpr double kMargin = 8;
constexpr double kRowPitch = 58;    // from node to node
constexpr double kInputPitch = 44;  // from input to input
constexpr double kNodeHeight = 42;
constexpr double kInputHeight = 28;
constexpr double kLeastNodeHalf = 17;  // half widths; states with many out-edges are wider
constexpr double kLeastInputHalf = 26;
constexpr double kTrunkPitch = 9;  // between the columns under one state
constexpr double kLabelHeight = 18;
constexpr double kPortOffset = 10.5;  // the two labels of a node, above and below its middle
constexpr double kCorner = 15;
constexpr double kBeforeLabel = 18;
constexpr double kAfterLabel = 18;
constexpr double kArrow = 7;
constexpr double kOutputGap = 34;
constexpr double kOutputWidth = 40;

struct FamilyStyle {
  PrimitiveKind kind;
  std::string_view variable;
  std::string_view colour;
  std::string_view dash;
  double width;
};
constexpr std::array kStyles = {
    FamilyStyle{PrimitiveKind::kZero, "none", "currentColor", "1 6", 1},
    FamilyStyle{PrimitiveKind::kMaxPool, "max-pool", "#D55E00", "7 4", 2},
    FamilyStyle{PrimitiveKind::kAvgPool, "avg-pool", "#C0619A", "9 3 2 3", 2},
    FamilyStyle{PrimitiveKind::kIdentity, "skip", "currentColor", "", 1},
    FamilyStyle{PrimitiveKind::kSeparable, "sep", "#0F7EC0", "", 2.5},
    FamilyStyle{PrimitiveKind::kDilated, "dil", "#009E73", "2.5 3", 2.5},
};

const FamilyStyle& style_of(Primitive primitive) {
  const auto found = std::find_if(kStyles.begin(), kStyles.end(), [&](const FamilyStyle& style) {
    return style.kind == info_of(primitive).kind;
  });
  require(found != kStyles.end(), "every kind of primitive has a style");
  return *found;
}

/// Where one edge runs: down at `trunk_x`, right at `port_y`.
struct Route {
  double trunk_x = 0;
  double port_y = 0;
};

struct Box {
  double x = 0;  ///< middle
  double y = 0;
  double half_width = 0;
  double height = 0;
  double bottom() const { return y + height / 2; }
  double left() const { return x - half_width; }
  double right() const { return x + half_width; }
};

struct Layout {
  std::vector<Box> states;
  std::vector<Route> routes;  ///< one an edge
  double label_width = 0;
  double output_left = 0;
  double width = 0;
  double height = 0;
};

/// Edges that leave `state`, the nearest port first: it turns off first, so its column stands
/// rightmost.
std::vector<std::size_t> leaving(const CellGraph& graph, const Layout& layout, int state) {
  std::vector<std::size_t> edges;
  for (std::size_t e = 0; e < graph.edges.size(); ++e) {
    if (graph.edges[e].from == state) {
      edges.push_back(e);
    }
  }
  std::sort(edges.begin(), edges.end(), [&](std::size_t a, std::size_t b) {
    return layout.routes[a].port_y < layout.routes[b].port_y;
  });
  return edges;
}

void place_rows(const CellGraph& graph, Layout& layout) {
  for (int state = 0; state < graph.nodes + 2; ++state) {
    Box& box = layout.states[static_cast<std::size_t>(state)];
    box.height = state < 2 ? kInputHeight : kNodeHeight;
    if (state < 2) {
      box.y = kMargin + kInputHeight / 2 + state * kInputPitch;
    } else {
      box.y = kMargin + kInputHeight / 2 + kInputPitch + (state - 1) * kRowPitch;
    }
  }
  // The farther source takes the lower of a node's two ports: its column then never crosses the
  // nearer one's row.
  for (std::size_t e = 0; e + 1 < graph.edges.size(); e += 2) {
    const double y = layout.states[static_cast<std::size_t>(graph.edges[e].to)].y;
    const bool first_is_nearer = graph.edges[e].from >= graph.edges[e + 1].from;
    layout.routes[e].port_y = first_is_nearer ? y - kPortOffset : y + kPortOffset;
    layout.routes[e + 1].port_y = first_is_nearer ? y + kPortOffset : y - kPortOffset;
  }
}

void place_columns(const CellGraph& graph, Layout& layout) {
  double right = kMargin;
  for (int state = 0; state < graph.nodes + 2; ++state) {
    const std::vector<std::size_t> edges = leaving(graph, layout, state);
    const double spread =
        edges.empty() ? 0 : kTrunkPitch * static_cast<double>(edges.size() - 1) / 2;
    Box& box = layout.states[static_cast<std::size_t>(state)];
    box.half_width = std::max(state < 2 ? kLeastInputHalf : kLeastNodeHalf, spread + 9);
    right += state < 2 ? 0 : kBeforeLabel + layout.label_width + kAfterLabel;
    box.x = right + box.half_width;
    right = box.right() + (state == 0 ? 14 : 0);
    for (std::size_t i = 0; i < edges.size(); ++i) {
      layout.routes[edges[i]].trunk_x = box.x + spread - kTrunkPitch * static_cast<double>(i);
    }
  }
  layout.output_left = right + kOutputGap;
}

Layout lay_out(const CellGraph& graph) {
  Layout layout;
  layout.states.resize(static_cast<std::size_t>(graph.nodes) + 2);
  layout.routes.resize(graph.edges.size());
  layout.label_width = graph.kind == CellKind::kReduce ? 84 : 64;
  place_rows(graph, layout);
  place_columns(graph, layout);
  layout.width = layout.output_left + kOutputWidth + kMargin;
  layout.height = layout.states.back().bottom() + kMargin;
  return layout;
}

std::string plain_name(int state) {
  return state == 0 ? "c_{k-2}" : state == 1 ? "c_{k-1}" : fmt::format("node {}", state - 2);
}

std::string edge_text(const Edge& edge) {
  return fmt::format("{} from {} to {}{}", info_of(edge.candidates.front().primitive).name,
                     plain_name(edge.from), plain_name(edge.to),
                     edge.stride == 2 ? ", stride 2" : "");
}

/// A filled triangle whose tip touches (x, y) from the left.
std::string arrow_head(double x, double y) {
  return fmt::format("M{:g} {:g}l{:g} {:g}v{:g}z", x, y, -kArrow, -kArrow / 2, kArrow);
}

std::string text_at(double x, double y, double size_px, std::string_view content) {
  return fmt::format(
      "<text x=\"{:g}\" y=\"{:g}\" font-size=\"{:g}\" text-anchor=\"middle\" "
      "fill=\"currentColor\">{}</text>\n",
      x, y + size_px * 0.35, size_px, content);  // 0.35 em below the middle is a usual baseline
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string draw_edge(const Edge& edge, const Route& route, const Layout& layout) {
  const Box& source = layout.states[static_cast<std::size_t>(edge.from)];
  const Box& target = layout.states[static_cast<std::size_t>(edge.to)];
  const FamilyStyle& style = style_of(edge.candidates.front().primitive);
  const double label_right = target.left() - kAfterLabel;
  const double label_left = label_right - layout.label_width;
  const std::string colour = fmt::format("var(--cell-{}, {})", style.variable, style.colour);
  const std::string dash =
      style.dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", style.dash);
  std::string svg = fmt::format("<g><title>{}</title>\n", edge_text(edge));
  svg += fmt::format(
      "<path d=\"M{0:g} {1:g}V{2:g}Q{0:g} {3:g} {4:g} {3:g}H{5:g}\" fill=\"none\" "
      "stroke-width=\"{6:g}\"{7} style=\"stroke:{8}\"/>\n",
      route.trunk_x, source.bottom(), route.port_y - kCorner, route.port_y, route.trunk_x + kCorner,
      label_left, style.width, dash, colour);
  svg += fmt::format(
      "<path d=\"M{:g} {:g}H{:g}\" fill=\"none\" stroke-width=\"{:g}\" style=\"stroke:{}\"/>\n",
      label_right, route.port_y, target.left() - kArrow + 1, style.width, colour);
  svg += fmt::format("<path d=\"{}\" style=\"fill:{}\"/>\n",
                     arrow_head(target.left(), route.port_y), colour);
  svg += fmt::format(
      "<rect x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" height=\"{:g}\" rx=\"{:g}\" "
      "fill-opacity=\"0.14\" "
      "style=\"fill:{};stroke:{}\"/>\n",
      label_left, route.port_y - kLabelHeight / 2, layout.label_width, kLabelHeight,
      kLabelHeight / 2, colour, colour);
  const std::string label = fmt::format(
      "{}{}", info_of(edge.candidates.front().primitive).short_name, edge.stride == 2 ? " /2" : "");
  return svg + text_at((label_left + label_right) / 2, route.port_y, 12, label) + "</g>\n";
}

/// A frame with its label; `subscript` stands lower and smaller, as in c with k-1.
std::string draw_box(const Box& box, std::string_view label, std::string_view subscript) {
  std::string svg = fmt::format(
      "<rect x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" height=\"{:g}\" rx=\"6\" fill=\"currentColor\" "
      "fill-opacity=\"0.07\" stroke=\"currentColor\" stroke-width=\"1.2\"/>\n",
      box.left(), box.y - box.height / 2, 2 * box.half_width, box.height);
  const std::string lowered =
      subscript.empty() ? ""
                        : fmt::format("<tspan dy=\"4\" font-size=\"11\">{}</tspan>", subscript);
  return svg + text_at(box.x, box.y, 15, fmt::format("{}{}", label, lowered));
}

std::string draw_output(const CellGraph& graph, const Layout& layout) {
  std::string svg;
  for (const int state : graph.concat) {
    const Box& box = layout.states[static_cast<std::size_t>(state)];
    svg += fmt::format(
        "<path d=\"M{:g} {:g}H{:g}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.2\" "
        "stroke-opacity=\"0.55\"/>\n<path d=\"{}\" fill=\"currentColor\" fill-opacity=\"0.7\"/>\n",
        box.right(), box.y, layout.output_left - kArrow, arrow_head(layout.output_left, box.y));
  }
  const Box& first = layout.states[static_cast<std::size_t>(graph.concat.front())];
  const Box& last = layout.states[static_cast<std::size_t>(graph.concat.back())];
  const Box output{layout.output_left + kOutputWidth / 2, (first.y + last.y) / 2, kOutputWidth / 2,
                   last.bottom() - first.y + kNodeHeight / 2};
  return svg + draw_box(output, "c", "k");
}

std::string description(const CellGraph& graph) {
  std::string text;
  for (const Edge& edge : graph.edges) {
    text += edge_text(edge) + "; ";
  }
  text += "output c_k concatenates";
  for (std::size_t i = 0; i < graph.concat.size(); ++i) {
    text += (i == 0 ? " " : ", ") + plain_name(graph.concat[i]);
  }
  return text + ".";
}

}  // namespace

std::string draw_cell_svg(const CellGenotype& genotype, CellKind kind, const DrawOptions& options) {
  require(!genotype.concat.empty(), "a drawn cell concatenates at least one node");
  const CellGraph graph = derived_cell(kind, genotype);
  const Layout layout = lay_out(graph);
  const std::string title = options.caption.empty()
                                ? fmt::format("{} cell with {} node{}",
                                              kind == CellKind::kNormal ? "Normal" : "Reduction",
                                              graph.nodes, graph.nodes == 1 ? "" : "s")
                                : escaped(options.caption);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{:g}\" height=\"{:g}\" "
      "viewBox=\"0 0 {:g} {:g}\" font-family=\"system-ui, sans-serif\">\n<title>{}</title>\n"
      "<desc>{}</desc>\n",
      layout.width * options.scale, layout.height * options.scale, layout.width, layout.height,
      title, description(graph));
  svg += draw_output(graph, layout);
  for (std::size_t e = 0; e < graph.edges.size(); ++e) {
    svg += draw_edge(graph.edges[e], layout.routes[e], layout);
  }
  svg += draw_box(layout.states[0], "c", "k\u22122");
  svg += draw_box(layout.states[1], "c", "k\u22121");
  for (int node = 0; node < graph.nodes; ++node) {
    svg += draw_box(layout.states[static_cast<std::size_t>(node) + 2], fmt::format("{}", node), "");
  }
  return svg + "</svg>\n";
}

}  // namespace probedarts::space
