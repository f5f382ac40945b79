#include "core/interrupt.hpp"

#include <csignal>
#include <initializer_list>

#include "core/errors.hpp"

namespace probedarts {
namespace {

volatile std::sig_atomic_t arrived = 0;

void remember(int signal) {
  if (arrived != 0 && signal == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  arrived = signal;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    sigaction(signal, &action, nullptr);
  }
}

int interrupt_signal() { return arrived; }

void throw_if_interrupted(const char* what) {
  if (const int signal = interrupt_signal()) {
    throw Interrupted(what, signal);
  }
}

}  // namespace probedarts
