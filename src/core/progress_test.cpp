#include "core/progress.hpp"

#include <gtest/gtest.h>

namespace probedarts {
namespace {

TEST(DurationText, TakesTheTwoLargestUnits) {
  EXPECT_EQ(duration_text(0.0), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(60.0), "1 min 00 s");
  EXPECT_EQ(duration_text(200.0), "3 min 20 s");
  EXPECT_EQ(duration_text(3600.0), "1 h 00 min");
  EXPECT_EQ(duration_text(3900.0), "1 h 05 min");
  EXPECT_EQ(duration_text(360000.0), "100 h 00 min");
}

TEST(DurationText, RoundsBeforeItChoosesTheUnits) {
  EXPECT_EQ(duration_text(59.6), "1 min 00 s");
  EXPECT_EQ(duration_text(3599.7), "1 h 00 min");
}

TEST(Progress, WritesNothingWhereThereIsNoTerminal) {
  ::testing::internal::CaptureStderr();  // a file, not a terminal
  {
    Progress progress("epoch 1/2", 100, 100);
    progress.advance(60);
    progress.advance(60);  // more than announced
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(PrintLine, EndsTheLine) {
  ::testing::internal::CaptureStderr();
  print_line("100 % done");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "100 % done\n");
}

TEST(MonotonicSeconds, NeverGoBack) {
  const double earlier = monotonic_seconds();
  EXPECT_GE(monotonic_seconds(), earlier);
}

}  // namespace
}  // namespace probedarts
