#include "explain/contact_sheet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probedarts::explain {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Sheet small_sheet() {
  const Picture picture = picture_of({2, 2, std::vector<std::uint8_t>(12, 128)});
  SheetMap map;
  map.overlay = picture;
  map.class_name = "tumour";
  map.probability = 0.75;
  map.top_class = "tumour";
  map.top_probability = 0.75;
  map.right = true;
  Sheet sheet;
  sheet.title = "1 image, 1 network";
  sheet.method = "Grad-CAM";
  sheet.networks = {{"n4", "cells.3"}};
  sheet.rows = {{"a.png", "tumour", picture, {map}}};
  return sheet;
}

TEST(RenderSheet, ShowsImageMapAndScore) {
  const std::string page = render_sheet(small_sheet());
  EXPECT_THAT(page, HasSubstr("<b>n4</b>, at layer <code>cells.3</code>"));
  EXPECT_THAT(page, HasSubstr("<span class=\"class\">tumour</span> <b>0.750</b>"));
  EXPECT_THAT(page, HasSubstr("its first answer <span class=\"right\">as labelled</span>"));
  EXPECT_THAT(page, HasSubstr("alt=\"Heat map of n4 for tumour on a.png\""));
}

TEST(RenderSheet, AsksNothingOfTheNetwork) {
  const std::string page = render_sheet(small_sheet());
  EXPECT_THAT(page, Not(HasSubstr("http")));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("url(")));
}

TEST(RenderSheet, EscapesEveryName) {
  Sheet sheet = small_sheet();
  const std::string evil = "<img src=x onerror=\"alert('1')\">&";
  sheet.title = sheet.networks[0].name = sheet.networks[0].layer = evil;
  sheet.rows[0].image = sheet.rows[0].label = evil;
  sheet.rows[0].maps[0].class_name = evil;
  EXPECT_THAT(render_sheet(sheet), Not(HasSubstr("<img src=x")));
}

TEST(RenderSheet, TellsAnotherFirstAnswerAndAnEmptyMap) {
  Sheet sheet = small_sheet();
  SheetMap& map = sheet.rows[0].maps[0];
  map.top_class = "stroma";
  map.top_probability = 0.8;
  map.right = false;
  map.speaks_for = false;
  const std::string page = render_sheet(sheet);
  EXPECT_THAT(page,
              HasSubstr("first answer: stroma 0.800 <span class=\"wrong\">not the label</span>"));
  EXPECT_THAT(page, HasSubstr("no place speaks for it"));
  EXPECT_THAT(page, HasSubstr("alt=\"n4 finds nothing that speaks for tumour on a.png\""));
}

TEST(RenderSheet, IsAFunctionOfItsContent) {
  EXPECT_EQ(render_sheet(small_sheet()), render_sheet(small_sheet()));
}

}  // namespace
}  // namespace probedarts::explain
