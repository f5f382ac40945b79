#include "space/draw_cell.hpp"

#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "space/published.hpp"

namespace probedarts::space {
namespace {

struct Rect {
  double x = 0, y = 0, width = 0, height = 0;
};

/// The line of one edge: down from (x, top) to `bottom`, then right to `right`.
struct Line {
  double x = 0, top = 0, bottom = 0, right = 0;
};

/// Calls `found` with the text behind each `mark`.
template <typename Found>
void for_each_mark(const std::string& text, const std::string& mark, Found found) {
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    found(text.c_str() + at);
  }
}

int count(const std::string& text, const std::string& mark) {
  int found = 0;
  for_each_mark(text, mark, [&](const char*) { ++found; });
  return found;
}

std::vector<Rect> rects_of(const std::string& svg) {
  std::vector<Rect> rects;
  for_each_mark(svg, "<rect ", [&](const char* text) {
    Rect r;
    ASSERT_EQ(std::sscanf(text, "<rect x=\"%lf\" y=\"%lf\" width=\"%lf\" height=\"%lf\"", &r.x,
                          &r.y, &r.width, &r.height),
              4);
    rects.push_back(r);
  });
  return rects;
}

std::vector<Line> lines_of(const std::string& svg) {
  std::vector<Line> lines;
  for_each_mark(svg, "<path d=\"M", [&](const char* text) {
    Line line;
    double ignored = 0;
    if (std::sscanf(text, "<path d=\"M%lf %lfV%lfQ%lf %lf %lf %lfH%lf", &line.x, &line.top,
                    &ignored, &ignored, &line.bottom, &ignored, &ignored, &line.right) == 8) {
      lines.push_back(line);
    }
  });
  return lines;
}

bool overlap(const Rect& a, const Rect& b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/// Does the line run through the inside of the box? Touching its rim, where lines begin and end,
/// does not count.
bool crosses(const Line& line, const Rect& box) {
  const bool down = line.x > box.x && line.x < box.x + box.width && line.top < box.y + box.height &&
                    line.bottom > box.y;
  const bool right = line.bottom > box.y && line.bottom < box.y + box.height &&
                     line.x < box.x + box.width && line.right > box.x;
  const bool begins_here = line.top == box.y + box.height;
  return (down && !begins_here) || right;
}

/// The worst cases and a sample of all others.
std::vector<CellGenotype> sample_cells() {
  std::vector<CellGenotype> cells;
  for (int nodes = 1; nodes <= kMaxNodes; ++nodes) {
    for (std::uint64_t draw = 0; draw < 40; ++draw) {
      Stream stream(5, "draw", static_cast<std::uint64_t>(nodes), draw);
      cells.push_back(random_genotype(nodes, stream).normal);
    }
  }
  CellGenotype all_from_one_state;
  for (int gene = 0; gene < 2 * kMaxNodes; ++gene) {
    all_from_one_state.genes.push_back({Primitive::kSepConv3x3, 0});
  }
  all_from_one_state.concat = {2, 9};
  cells.push_back(all_from_one_state);
  return cells;
}

TEST(DrawCell, KeepsLabelsAndNodesApart) {
  for (const CellGenotype& cell : sample_cells()) {
    for (const CellKind kind : {CellKind::kNormal, CellKind::kReduce}) {
      const std::vector<Rect> rects = rects_of(draw_cell_svg(cell, kind, {}));
      ASSERT_EQ(rects.size(), cell.genes.size() + static_cast<std::size_t>(cell.nodes()) + 3);
      for (std::size_t a = 0; a < rects.size(); ++a) {
        for (std::size_t b = a + 1; b < rects.size(); ++b) {
          EXPECT_FALSE(overlap(rects[a], rects[b])) << a << " and " << b;
        }
      }
    }
  }
}

TEST(DrawCell, LeadsNoEdgeThroughALabelOrNode) {
  for (const CellGenotype& cell : sample_cells()) {
    const std::string svg = draw_cell_svg(cell, CellKind::kReduce, {});
    const std::vector<Line> lines = lines_of(svg);
    ASSERT_EQ(lines.size(), cell.genes.size());
    for (const Line& line : lines) {
      EXPECT_LT(line.top, line.bottom);
      EXPECT_LT(line.x, line.right);
      for (const Rect& box : rects_of(svg)) {
        EXPECT_FALSE(crosses(line, box)) << line.x << " " << line.bottom << " at " << box.x;
      }
    }
  }
}

TEST(DrawCell, LetsNoTwoEdgesShareALine) {
  for (const CellGenotype& cell : sample_cells()) {
    const std::vector<Line> lines = lines_of(draw_cell_svg(cell, CellKind::kNormal, {}));
    for (std::size_t a = 0; a < lines.size(); ++a) {
      for (std::size_t b = a + 1; b < lines.size(); ++b) {
        EXPECT_GE(std::abs(lines[a].x - lines[b].x), 8.9);  // 9 units apart, printed to 6 digits
        EXPECT_GE(std::abs(lines[a].bottom - lines[b].bottom), 20.9);
      }
    }
  }
}

TEST(DrawCell, StaysInsideItsView) {
  for (const CellGenotype& cell : sample_cells()) {
    const std::string svg = draw_cell_svg(cell, CellKind::kReduce, {});
    double width = 0;
    double height = 0;
    const char* view = svg.c_str() + svg.find("viewBox");
    ASSERT_EQ(std::sscanf(view, "viewBox=\"0 0 %lf %lf\"", &width, &height), 2);
    for (const Rect& rect : rects_of(svg)) {
      EXPECT_GE(rect.x, 0);
      EXPECT_GE(rect.y, 0);
      EXPECT_LE(rect.x + rect.width, width);
      EXPECT_LE(rect.y + rect.height, height);
    }
  }
}

TEST(DrawCell, GivesEqualTextForEqualInput) {
  const CellGenotype cell = published_genotype("DARTS_V2")->normal;
  EXPECT_EQ(draw_cell_svg(cell, CellKind::kNormal, {}), draw_cell_svg(cell, CellKind::kNormal, {}));
}

TEST(DrawCell, NeedsNothingFromOutside) {
  const std::string svg =
      draw_cell_svg(published_genotype("DARTS_ADP_N3")->reduce, CellKind::kReduce, {});
  EXPECT_EQ(count(svg, "http"), 1);  // the name space
  EXPECT_EQ(count(svg, "url("), 0);
  EXPECT_EQ(count(svg, "href"), 0);
  EXPECT_EQ(count(svg, " id="), 0);
  EXPECT_EQ(count(svg, "<script"), 0);
  EXPECT_EQ(count(svg, "<style"), 0);
}

TEST(DrawCell, ClosesWhatItOpens) {
  const std::string svg =
      draw_cell_svg(published_genotype("DARTS_V1")->normal, CellKind::kNormal, {});
  for (const std::string element : {"svg", "g", "title", "desc", "text", "tspan"}) {
    EXPECT_EQ(count(svg, "<" + element + ">") + count(svg, "<" + element + " "),
              count(svg, "</" + element + ">"))
        << element;
  }
}

TEST(DrawCell, TellsTheCellToAScreenReader) {
  const std::string svg =
      draw_cell_svg(published_genotype("DARTS_ADP_N2")->reduce, CellKind::kReduce, {});
  EXPECT_NE(svg.find("role=\"img\""), std::string::npos);
  EXPECT_NE(svg.find("<title>Reduction cell with 2 nodes</title>"), std::string::npos);
  EXPECT_NE(svg.find("<desc>sep_conv_5x5 from c_{k-2} to node 0, stride 2; max_pool_3x3 from "
                     "c_{k-1} to node 0, stride 2; max_pool_3x3 from node 0 to node 1; "
                     "dil_conv_5x5 from c_{k-2} to node 1, stride 2; output c_k concatenates "
                     "node 0, node 1.</desc>"),
            std::string::npos)
      << svg;
}

TEST(DrawCell, EscapesItsCaption) {
  const std::string svg = draw_cell_svg(published_genotype("DARTS_V1")->normal, CellKind::kNormal,
                                        {1.0, "a < b & c > d"});
  EXPECT_NE(svg.find("<title>a &lt; b &amp; c &gt; d</title>"), std::string::npos);
}

TEST(DrawCell, LabelsEveryEdgeWithItsPrimitiveAndStride) {
  const Genotype genotype = *published_genotype("DARTS_ADP_N3");
  const std::string normal = draw_cell_svg(genotype.normal, CellKind::kNormal, {});
  EXPECT_EQ(count(normal, ">max 3x3<"), 4);
  EXPECT_EQ(count(normal, ">sep 5x5<"), 1);
  EXPECT_EQ(count(normal, ">dil 5x5<"), 1);
  const std::string reduce = draw_cell_svg(genotype.reduce, CellKind::kReduce, {});
  EXPECT_EQ(count(reduce, ">max 3x3 /2<"), 3);
  EXPECT_EQ(count(reduce, ">max 3x3<"), 1);
  EXPECT_EQ(count(reduce, ">skip /2<"), 1);
}

TEST(DrawCell, ScalesItsSizeAndNotItsView) {
  const CellGenotype cell = published_genotype("DARTS_ADP_N2")->normal;
  double sizes[4] = {};
  for (const int i : {0, 1}) {
    const std::string svg = draw_cell_svg(cell, CellKind::kNormal, {i == 0 ? 1.0 : 2.0, ""});
    std::sscanf(svg.c_str() + svg.find(" width="),
                " width=\"%lf\" height=\"%*f\" viewBox=\"0 0 %lf", &sizes[2 * i],
                &sizes[2 * i + 1]);
  }
  EXPECT_DOUBLE_EQ(sizes[2], 2 * sizes[0]);
  EXPECT_DOUBLE_EQ(sizes[3], sizes[1]);
  EXPECT_GT(sizes[0], 100);
}

TEST(DrawCell, RefusesAGenotypeThatWasNotValidated) {
  EXPECT_THROW(draw_cell_svg({}, CellKind::kNormal, {}), Bug);
}

}  // namespace
}  // namespace probedarts::space
