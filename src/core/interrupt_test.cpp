#include "core/interrupt.hpp"

#include <csignal>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "core/errors.hpp"

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

[[noreturn]] void exit_with_signal_thrown_after(int signal) {
  catch_interrupts();
  throw_if_interrupted("nothing has arrived yet");
  std::raise(signal);
  try {
    throw_if_interrupted("stopped");
  } catch (const Interrupted& stop) {
    std::_Exit(std::string(stop.what()) == "stopped" ? stop.signal() : 1);
  }
  std::_Exit(1);
}

TEST(InterruptDeathTest, IsThrownOnceItHasArrived) {
  EXPECT_EXIT(exit_with_signal_thrown_after(SIGTERM), ::testing::ExitedWithCode(SIGTERM), "");
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
