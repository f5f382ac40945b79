#include "study/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/errors.hpp"
#include "core/files.hpp"

extern char** environ;

namespace probedarts::study {
namespace {

constexpr int kCannotStart = 127;  // as shells do

int open_output(const std::filesystem::path& path, int how) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0644);
  if (file < 0) {
    report_file_failure("write", path, errno);
  }
  return file;
}

/// Our environment with the thread counts of OpenMP and OpenBLAS.
std::vector<std::string> environment_with(int threads) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!text.starts_with("OMP_NUM_THREADS=") && !text.starts_with("OPENBLAS_NUM_THREADS=")) {
      all.push_back(text);
    }
  }
  all.push_back(fmt::format("OMP_NUM_THREADS={}", threads));
  all.push_back(fmt::format("OPENBLAS_NUM_THREADS={}", threads));
  return all;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) {
    all.push_back(text.data());
  }
  all.push_back(nullptr);
  return all;
}

}  // namespace

std::optional<ChildLog> ChildLog::open(const std::filesystem::path& path) {
  ChildLog log(open_output(path, O_APPEND));
  if (::flock(log.descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return std::nullopt;
  }
  if (::ftruncate(log.descriptor_, 0) != 0) {
    report_file_failure("write", path, errno);
  }
  return log;
}

ChildLog::ChildLog(ChildLog&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

ChildLog::~ChildLog() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

ChildProcess::ChildProcess(const std::filesystem::path& program,
                           const std::vector<std::string>& arguments,
                           const std::filesystem::path& out, const ChildLog& log, int threads) {
  const int output = open_output(out, O_TRUNC);
  const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::vector<std::string> words = {program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> settings = environment_with(threads);
  const std::vector<char*> argv = pointers(words);
  const std::vector<char*> envp = pointers(settings);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {  // only calls that are safe after fork
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || ::setpgid(0, 0) != 0 || ::dup2(input, 0) < 0 ||
        ::dup2(output, 1) < 0 || ::dup2(log.descriptor(), 2) < 0) {
      ::_exit(kCannotStart);
    }
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(kCannotStart);
  }
  const int error = errno;
  ::close(output);
  ::close(input);
  if (pid_ < 0) {
    throw UserError(fmt::format("study: cannot start another process: {}; use fewer --workers",
                                std::strerror(error)));
  }
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

std::optional<ChildEnd> ChildProcess::ended() {
  if (pid_ <= 0) {
    return std::nullopt;
  }
  int status = 0;
  struct rusage usage {};
  const pid_t found = ::wait4(pid_, &status, WNOHANG, &usage);
  if (found == 0 || (found < 0 && errno == EINTR)) {
    return std::nullopt;
  }
  pid_ = -1;
  require(found > 0, "a child can be waited for");
  return ChildEnd{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                  static_cast<double>(usage.ru_maxrss) / 1024.0,
                  seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)};
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0) {
    ::kill(pid_, number);
  }
}

}  // namespace probedarts::study
