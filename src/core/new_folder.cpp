#include "core/new_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_occupied(const fs::path& wanted) {
  throw UserError(fmt::format(
      "{}: exists and is not an empty folder; choose another one or remove it", wanted.string()));
}

fs::path without_trailing_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

/// Makes the rename itself outlive a power cut. Some file systems cannot; the folder is there then
/// all the same.
void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    ::fsync(fd);
    ::close(fd);
  }
}

constexpr std::string_view kRandom = "XXXXXX";  // mkdtemp's

std::string draft_prefix(const fs::path& wanted) {
  return fmt::format(".{}.", wanted.filename().string());
}

enum class Held { kByUs, kByAnother, kUnknown };  // kUnknown: a file system without locks

/// Takes a draft's lock, kept in `lock` until that is closed.
Held hold(const fs::path& draft, int& lock) {
  const int fd = ::open(draft.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0) {
    lock = fd;
    return Held::kByUs;
  }
  const int reason = errno;
  if (fd >= 0) {
    ::close(fd);
  }
  return reason == EWOULDBLOCK || reason == ENOENT ? Held::kByAnother : Held::kUnknown;
}

/// Drafts of the same folder whose processes were killed.
void remove_left_over(const fs::path& wanted) {
  const std::string prefix = draft_prefix(wanted);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(wanted.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.size() == prefix.size() + kRandom.size()) {
      int lock = -1;
      if (hold(entry.path(), lock) == Held::kByUs) {
        fs::remove_all(entry.path(), error);  // if it cannot be removed, it is in nobody's way
        ::close(lock);
      }
    }
  }
}

}  // namespace

NewFolder::NewFolder(fs::path wanted) : wanted_(fs::absolute(without_trailing_slash(wanted))) {
  std::error_code error;
  if (fs::exists(wanted_, error) &&
      (!fs::is_directory(wanted_, error) || !fs::is_empty(wanted_, error))) {
    refuse_occupied(wanted);
  }
  fs::create_directories(wanted_.parent_path(), error);
  if (error) {
    report_file_failure("make the folder", wanted_.parent_path(), error.value());
  }
  remove_left_over(wanted_);
  Held held = Held::kByAnother;
  while (held == Held::kByAnother) {  // again when one that clears up took it for left over
    std::string name = (wanted_.parent_path() / draft_prefix(wanted_)).string() + kRandom.data();
    if (::mkdtemp(name.data()) == nullptr) {
      report_file_failure("make the folder", wanted_, errno);
    }
    path_ = name;
    held = hold(path_, lock_);
    if (held == Held::kByUs && !fs::exists(path_, error)) {
      ::close(std::exchange(lock_, -1));
      held = Held::kByAnother;
    }
  }
  const mode_t mask = ::umask(0);  // mkdtemp makes private folders; this one is to be as any other
  ::umask(mask);
  ::chmod(path_.c_str(), 0777U & ~mask);
}

NewFolder::~NewFolder() {
  if (!published_) {
    std::error_code leftover;  // nothing more can be done about a folder that cannot be removed
    fs::remove_all(path_, leftover);
  }
  if (lock_ >= 0) {
    ::close(lock_);
  }
}

void NewFolder::publish() {
  std::error_code error;
  fs::rename(path_, wanted_, error);  // also onto an empty folder
  if (error == std::errc::directory_not_empty || error == std::errc::file_exists ||
      error == std::errc::not_a_directory) {
    refuse_occupied(wanted_);
  }
  if (error) {
    report_file_failure("make the folder", wanted_, error.value());
  }
  published_ = true;
  sync_folder(wanted_.parent_path());
}

}  // namespace probedarts
