#include "data/mapped_file.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.hpp"

namespace probedarts::data {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

}  // namespace

std::optional<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    report_file_failure("read", path, errno);
  }
  struct stat info {};
  if (::fstat(descriptor, &info) != 0 || info.st_size == 0) {
    ::close(descriptor);
    return std::nullopt;
  }
  const auto length = static_cast<std::size_t>(info.st_size);
  void* start = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, descriptor, 0);
  if (start == MAP_FAILED) {
    const int error = errno;
    ::close(descriptor);
    report_file_failure("map", path, error);
  }
  return MappedFile(path, descriptor, start, length);
}

MappedFile::~MappedFile() {
  if (start_ != nullptr) {
    ::munmap(const_cast<void*>(start_), length_);
    ::close(descriptor_);
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      start_(std::exchange(other.start_, nullptr)),
      length_(std::exchange(other.length_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(start_, other.start_);
  std::swap(length_, other.length_);
  return *this;
}

bool MappedFile::read(std::uint64_t at, std::span<char> to) const {
  while (!to.empty()) {
    const ssize_t got = ::pread(descriptor_, to.data(), to.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      report_file_failure("read", path_, errno);
    }
    if (got == 0) {
      return false;
    }
    to = to.subspan(static_cast<std::size_t>(got));
    at += static_cast<std::uint64_t>(got);
  }
  return true;
}

NewFile::NewFile(std::filesystem::path path) : path_(std::move(path)) {
  const std::filesystem::path folder = folder_of(path_);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    report_file_failure("make the folder", folder, error.value());
  }
  descriptor_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
  if (descriptor_ >= 0) {
    return;
  }
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT) {
    report_file_failure("write", path_, errno);
  }
  std::string name = path_.string() + ".XXXXXX";
  descriptor_ = ::mkstemp(name.data());
  if (descriptor_ < 0) {
    report_file_failure("write", path_, errno);
  }
  temporary_ = name;
  ::fchmod(descriptor_, 0644);
}

NewFile::~NewFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
  }
}

void NewFile::write(std::uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      report_file_failure("write", path_, errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
}

void NewFile::give_name() {
  // A link cannot replace an old file, a rename can: link to a free name first.
  const std::string unnamed = fmt::format("/proc/self/fd/{}", descriptor_);
  for (int attempt = 0;; ++attempt) {
    const std::string name = fmt::format("{}.{}-{}", path_.string(), ::getpid(), attempt);
    if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = name;
      return;
    }
    if (errno != EEXIST) {
      report_file_failure("write", path_, errno);
    }
  }
}

void NewFile::publish() {
  if (::fsync(descriptor_) != 0 && errno != EINVAL) {
    report_file_failure("write", path_, errno);
  }
  if (temporary_.empty()) {
    give_name();
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    report_file_failure("write", path_, errno);
  }
  temporary_.clear();
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);  // makes the rename durable; the content is safe without
    ::close(folder);
  }
}

}  // namespace probedarts::data
