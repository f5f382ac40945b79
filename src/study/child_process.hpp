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
};

/// Another process of this program. It dies with us: the kernel kills it when the thread that
/// started it ends, however that happens, so that no orphan holds a run folder.
class ChildProcess {
 public:
  /// Starts `program` with its output in files. Number of threads for linear algebra is set to
  /// `threads` in its environment. \throws UserError when it cannot be started.
  ChildProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
               const std::filesystem::path& out, const std::filesystem::path& log, int threads);
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
