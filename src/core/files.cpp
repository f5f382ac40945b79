#include "core/files.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/errors.hpp"

namespace probedarts {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// 0, or the errno of the failure.
int write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return errno;
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
}

/// A file to write before it is renamed, empty and nobody else's.
struct Draft {
  Descriptor file;
  std::filesystem::path path;
};

/// "PATH.partial", which a killed process may have left behind, or, while another process writes
/// that, a name of our own. A writer holds a lock on its draft until it is renamed; whoever opened
/// the draft before that and got the lock after it holds the finished file, and must let it be.
Draft open_draft(const std::filesystem::path& path) {
  const std::filesystem::path shared = path.string() + ".partial";
  Draft draft{Descriptor(::open(shared.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), shared};
  if (draft.file.get() < 0) {
    report_file_failure("write", path, errno);
  }
  struct stat opened {};
  struct stat named {};
  if (::flock(draft.file.get(), LOCK_EX | LOCK_NB) == 0 &&
      ::fstat(draft.file.get(), &opened) == 0 && ::stat(shared.c_str(), &named) == 0 &&
      opened.st_ino == named.st_ino && opened.st_dev == named.st_dev &&
      (::ftruncate(draft.file.get(), 0) == 0 || errno == EINVAL)) {  // EINVAL: a device
    return draft;
  }
  std::string own = shared.string() + ".XXXXXX";
  draft.file = Descriptor(::mkostemp(own.data(), O_CLOEXEC));
  draft.path = own;
  if (draft.file.get() < 0) {
    report_file_failure("write", path, errno);
  }
  ::fchmod(draft.file.get(), 0644);
  return draft;
}

}  // namespace

void report_file_failure(const char* verb, const std::filesystem::path& path, int error) {
  const char* advice = error == ENOSPC || error == EDQUOT || error == EFBIG ? "free some space"
                       : error == EACCES || error == EROFS || error == EPERM
                           ? "check its permissions"
                           : "check the path";
  throw UserError(
      fmt::format("cannot {} '{}': {}; {}", verb, path.string(), std::strerror(error), advice));
}

std::string read_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    report_file_failure("read", path, errno);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) {
    report_file_failure("read", path, errno);
  }
  if (S_ISDIR(info.st_mode)) {
    report_file_failure("read", path, EISDIR);
  }
  std::string content(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t used = 0;
  for (;;) {
    if (used == content.size()) {
      content.resize(content.size() + 4096);  // files of /proc tell no size
    }
    const ssize_t got = ::read(file.get(), content.data() + used, content.size() - used);
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      report_file_failure("read", path, errno);
    }
    if (got == 0) {
      break;
    }
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  const auto [file, temporary] = open_draft(path);
  if (const int error = write_all(file.get(), content)) {
    ::unlink(temporary.c_str());
    report_file_failure("write", path, error);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    report_file_failure("write", path, error);
  }
  // The rename itself is durable once the folder is synced.
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) {
    ::fsync(directory.get());
  }
}

void append_to_file(const std::filesystem::path& path, std::string_view content) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (file.get() < 0) {
    report_file_failure("write", path, errno);
  }
  const off_t before = ::lseek(file.get(), 0, SEEK_END);
  if (const int error = write_all(file.get(), content)) {
    // A device or pipe keeps nothing that could be cut off, and says so by EINVAL.
    if (::ftruncate(file.get(), before) != 0 && errno != EINVAL) {
      report_file_failure("repair", path, errno);
    }
    report_file_failure("write", path, error);
  }
}

std::string content_hash(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace probedarts
