#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace probedarts::study {

/// How a child ended.
struct ChildEnd {
  int exit_code = 0;  ///< 128 + n when signal n ended it
  double memory_mib = 0.0;
  double processor_seconds = 0.0;  ///< of all its threads
};

/// Where a child says what went wrong. Locked while anybody has it open, the child included: a
/// child whose study was killed may take seconds to leave the kernel (a disk that syncs), and until
/// then it can still touch its run's files.
class ChildLog {
 public:
  /// The empty log, or nothing while an earlier child has it. \throws UserError when it cannot be
  /// written.
  static std::optional<ChildLog> open(const std::filesystem::path& path);
  ChildLog(ChildLog&& other) noexcept;
  ChildLog& operator=(ChildLog&&) = delete;
  ~ChildLog();

  int descriptor() const { return descriptor_; }

 private:
  explicit ChildLog(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

/// Another process of this program. It dies with us: the kernel kills it when the thread that
/// started it ends, however that happens, so that no orphan holds a run folder.
class ChildProcess {
 public:
  /// Starts `program` with its output in `out` and its errors in `log`. Number of threads for
  /// linear algebra is set to `threads` in its environment. \throws UserError when it cannot be
  /// started.
  ChildProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
               const std::filesystem::path& out, const ChildLog& log, int threads);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;  ///< exchanges the two
  ~ChildProcess();                                         ///< kills it and waits

  /// How it ended, or nothing while it runs. Answers once.
  std::optional<ChildEnd> ended();
  void signal(int number) const;

 private:
  pid_t pid_ = -1;
};

}  // namespace probedarts::study
