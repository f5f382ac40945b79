#include "core/progress.hpp"

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/errors.hpp"

namespace probedarts {
namespace {

/// Makes the error stream a terminal for a while, and reads what it shows.
class ErrorTerminal {
 public:
  ErrorTerminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY)), old_(::dup(STDERR_FILENO)) {
    require(master_ >= 0 && ::grantpt(master_) == 0 && ::unlockpt(master_) == 0, "a terminal");
    const int terminal = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    require(terminal >= 0 && ::dup2(terminal, STDERR_FILENO) >= 0, "a terminal");
    ::close(terminal);
    ::setenv("TERM", "xterm", 1);
  }
  ~ErrorTerminal() {
    ::dup2(old_, STDERR_FILENO);
    ::close(old_);
    ::close(master_);
  }
  ErrorTerminal(const ErrorTerminal&) = delete;
  ErrorTerminal& operator=(const ErrorTerminal&) = delete;

  /// What was written since the last call; waits until there is something.
  std::string shown() const {
    std::string text(4096, ' ');
    const ssize_t length = ::read(master_, text.data(), text.size());
    text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return text;
  }

 private:
  int master_, old_;
};

/// The number before `unit` in a line of progress.
double number_before(const std::string& line, const std::string& unit) {
  const std::size_t end = line.find(unit);
  return end == line.npos ? -1.0 : std::stod(line.substr(line.rfind(' ', end - 2) + 1));
}

TEST(Progress, ShowsRateAndTimeLeftOnATerminal) {
  const ErrorTerminal terminal;
  Progress progress("epoch 1/2", 100, 100);
  progress.advance(50);
  const std::string line = terminal.shown();
  EXPECT_TRUE(line.starts_with("\r\033[Kepoch 1/2 [############............] ")) << line;
  EXPECT_GT(number_before(line, " images/s, "), 0.0) << line;
  EXPECT_TRUE(line.ends_with(" left")) << line;
}

TEST(Progress, LeavesImagesThatWereDoneEarlierOutOfTheRate) {
  const ErrorTerminal terminal;
  Progress progress("epoch 1/2", 1'000'000, 0, 500'000);
  progress.advance(1);
  const std::string line = terminal.shown();
  EXPECT_TRUE(line.starts_with("\r\033[Kepoch 1/2 [############............] ")) << line;
  // One image in a millisecond at least, which is the shortest time that is divided by.
  EXPECT_LE(number_before(line, " images/s, "), 1000.0) << line;
}

TEST(Progress, IsClearedAtItsEnd) {
  const ErrorTerminal terminal;
  { const Progress progress("epoch 1/2", 100, 100); }
  EXPECT_EQ(terminal.shown(), "\r\033[K");
}

TEST(RateText, IsOfTheImagesOfThisProcess) {
  EXPECT_EQ(rate_text(1024, 2.0), " (512 images/s)");
  EXPECT_EQ(rate_text(0, 2.0), "");
}

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
