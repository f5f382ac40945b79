#include "core/escape.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace probedarts {
namespace {

TEST(EscapeHtml, TurnsMarkupIntoReferences) {
  EXPECT_EQ(escape_html("<a href=\"x\">R&D's</a>"),
            "&lt;a href=&quot;x&quot;&gt;R&amp;D&#39;s&lt;/a&gt;");
}

TEST(EscapeHtml, ReplacesBytesThatAreNoUtf8) {
  EXPECT_EQ(escape_html("a\xff"
                        "b"),
            "a\xef\xbf\xbd"
            "b");
}

TEST(JsonText, CannotEndAScriptElement) {
  EXPECT_EQ(json_text("</script><!-- \"x\""), "\"\\u003c/script>\\u003c!-- \\\"x\\\"\"");
}

TEST(JsonNumber, KeepsFiveSignificantDigits) {
  EXPECT_EQ(json_number(0.123456789), "0.12346");
  EXPECT_EQ(json_number(0.25), "0.25");
  EXPECT_EQ(json_number(-1234567.0), "-1.2346e+06");
}

TEST(JsonNumber, WritesNullForWhatJsonCannotSay) {
  EXPECT_EQ(json_number(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(json_number(std::numeric_limits<double>::infinity()), "null");
}

TEST(CsvField, IsQuotedWhereItHasTo) {
  EXPECT_EQ(csv_field("plain text"), "plain text");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"a\""), "\"say \"\"a\"\"\"");
  EXPECT_EQ(csv_field("two\r\nlines"), "\"two\r\nlines\"");
}

TEST(VisibleName, ShowsBytesThatAreNoText) {
  EXPECT_EQ(visible_name("gr\xc3\xbcn"), "gr\xc3\xbcn");
  EXPECT_EQ(visible_name("gr\xfcn"), "gr\\xfcn");
  EXPECT_TRUE(is_utf8("gr\xc3\xbcn"));
  EXPECT_FALSE(is_utf8("gr\xfcn"));
  EXPECT_FALSE(is_utf8("cut off \xc3"));
}

}  // namespace
}  // namespace probedarts
