#include "core/interrupt.hpp"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

namespace probedarts {
namespace {

// What is tested changes the whole process, so each test runs in one of its own; it ends with the
// signal that was remembered.

[[noreturn]] void exit_with_signal_seen_after(int first, int second = 0) {
  catch_interrupts();
  std::raise(first);
  if (second != 0) {
    std::raise(second);
  }
  std::_Exit(interrupt_signal());
}

[[noreturn]] void exit_with_no_signal() {
  catch_interrupts();
  std::_Exit(interrupt_signal());
}

TEST(InterruptDeathTest, RemembersNothingUntilASignalArrives) {
  EXPECT_EXIT(exit_with_no_signal(), ::testing::ExitedWithCode(0), "");
}

TEST(InterruptDeathTest, RemembersTheSignalAndLetsTheWorkGoOn) {
  EXPECT_EXIT(exit_with_signal_seen_after(SIGINT), ::testing::ExitedWithCode(SIGINT), "");
  EXPECT_EXIT(exit_with_signal_seen_after(SIGTERM), ::testing::ExitedWithCode(SIGTERM), "");
  EXPECT_EXIT(exit_with_signal_seen_after(SIGUSR1), ::testing::ExitedWithCode(SIGUSR1), "");
}

TEST(InterruptDeathTest, EndsAtOnceOnASecondInterrupt) {
  EXPECT_EXIT(exit_with_signal_seen_after(SIGINT, SIGINT), ::testing::KilledBySignal(SIGINT), "");
  EXPECT_EXIT(exit_with_signal_seen_after(SIGTERM, SIGINT), ::testing::KilledBySignal(SIGINT), "");
}

TEST(InterruptDeathTest, IsPatientWithARepeatedTerminate) {
  EXPECT_EXIT(exit_with_signal_seen_after(SIGTERM, SIGTERM), ::testing::ExitedWithCode(SIGTERM),
              "");
}

}  // namespace
}  // namespace probedarts
