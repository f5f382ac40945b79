#pragma once

#include <stdexcept>
#include <string>

/// What can go wrong, and who answers (exit codes of the program in brackets).
namespace probedarts {

/// The person can fix it: a flag, a path, a malformed file. One sentence: what, where, what to do.
/// [2]
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A loss or a weight left the finite range. [3]
class Diverged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Our own promise broke; names the file and line. [70]
class Bug : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// A signal asked the program to stop; the sentence says what is on disk. [128 + signal]
class Interrupted : public std::runtime_error {
 public:
  Interrupted(const std::string& what, int signal) : std::runtime_error(what), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

[[noreturn]] void report_bug(const char* what, const char* file, int line);

/// Throws Bug unless `holds`.
inline void require(
    bool holds, const char* what, const char* file = __builtin_FILE(),
    int line = __builtin_LINE()) {  // clang-tidy 14 cannot parse std::source_location
  if (!holds) {
    report_bug(what, file, line);
  }
}

}  // namespace probedarts
