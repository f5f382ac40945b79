#include "study/sheet_drawing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probedarts::study {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(DrawSheet, PutsEachImageInARowAndEachNetworkInAColumn) {
  Sheet sheet{"explain, d", "index.html", {"N=3 <sgd>", "resnet18"}};
  sheet.rows.push_back({"a.png",
                        "tumor",
                        "data:image/jpeg;base64,AAAA",
                        {{"tumor", 0.75, true, "data:image/jpeg;base64,BBBB"},
                         {"tumor", 0.25, false, "data:image/jpeg;base64,CCCC"}}});
  sheet.rows.push_back({"gone.png", "", "", {{"x", 0.5, true, "data:,"}, {}}});
  const std::string svg = draw_sheet_svg(sheet);
  EXPECT_THAT(svg, HasSubstr("viewBox=\"0 0 404 348\""));  // 8 + 3 * 132; 48 + 2 * 150
  EXPECT_THAT(svg, HasSubstr("<image x=\"8\" y=\"48\" width=\"112\" height=\"112\" "
                             "href=\"data:image/jpeg;base64,AAAA\"/>"));
  EXPECT_THAT(svg, HasSubstr("<image x=\"272\" y=\"48\" width=\"112\" height=\"112\" "
                             "href=\"data:image/jpeg;base64,CCCC\"/>"));
  EXPECT_THAT(svg, HasSubstr(">N=3 &lt;sgd&gt;</text>"));
  EXPECT_THAT(svg, HasSubstr(">tumor 0.75</text>"));
  EXPECT_THAT(svg, HasSubstr("<text x=\"272\" y=\"188\" font-style=\"italic\" textLength=\"124\" "
                             "lengthAdjust=\"spacingAndGlyphs\">no place speaks for it</text>"));
  EXPECT_THAT(svg, HasSubstr("<rect x=\"8\" y=\"198\""));  // the image that is gone
  EXPECT_THAT(svg, HasSubstr(">gone.png</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("<image x=\"272\" y=\"198\"")));
}

TEST(DrawSheet, DrawsNothingWithoutRows) { EXPECT_EQ(draw_sheet_svg({"t", "index.html"}), ""); }

}  // namespace
}  // namespace probedarts::study
