#include "core/files.hpp"

#include <cerrno>
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

/// "PATH.partial", which a killed process may have left behind. A writer holds a lock on its draft
/// until it is renamed, and the next one waits for it (a killed one too lives on until its disk has
/// synced). Whoever gets the lock after the rename holds the finished file, and opens a new draft.
Descriptor open_draft(const std::filesystem::path& path, const std::filesystem::path& draft) {
  for (;;) {
    Descriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (file.get() < 0) {
      report_file_failure("write", path, errno);
    }
    while (::flock(file.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    struct stat opened {};
    struct stat named {};
    if (::fstat(file.get(), &opened) == 0 && ::stat(draft.c_str(), &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
      if (::ftruncate(file.get(), 0) != 0 && errno != EINVAL) {  // EINVAL: a device
        report_file_failure("write", path, errno);
      }
      return file;
    }
  }
}

/// Where the content goes: a link is followed, so that what it leads to is replaced and not the
/// link.
std::filesystem::path target_of(std::filesystem::path path) {
  constexpr int kMostLinks = 40;  // as the kernel; the rest of a circle fails when it is opened
  std::error_code none;
  for (int i = 0; i < kMostLinks && std::filesystem::is_symlink(path, none); ++i) {
    path = path.parent_path() / std::filesystem::read_symlink(path, none);
  }
  return path;
}

/// A device or pipe, which takes what is written and is not replaced.
bool is_device(const std::filesystem::path& path) {
  std::error_code missing;
  const auto status = std::filesystem::status(path, missing);
  return std::filesystem::is_other(status);
}

void write_device(const std::filesystem::path& path, std::string_view content) {
  const Descriptor device(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (device.get() < 0) {
    report_file_failure("write", path, errno);
  }
  if (const int error = write_all(device.get(), content)) {
    report_file_failure("write", path, error);
  }
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

void write_file_atomically(const std::filesystem::path& name, std::string_view content) {
  const std::filesystem::path path = target_of(name);
  if (is_device(path)) {
    write_device(path, content);
    return;
  }
  const std::filesystem::path temporary = path.string() + ".partial";
  const Descriptor file = open_draft(path, temporary);
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
