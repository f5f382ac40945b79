#include "core/run_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts {
namespace {

namespace fs = std::filesystem;

/// Everything a run writes; nothing else is ever removed.
constexpr const char* kOwnFiles[] = {"run.json",    "config.toml", "epochs.jsonl", "genotype.json",
                                     "report.html", "checkpoint",  ".lock"};

/// Also the draft of such a file (write_file_atomically) whose process was killed.
bool is_own(const std::string& name) {
  return std::any_of(std::begin(kOwnFiles), std::end(kOwnFiles), [&](const std::string& own) {
    return name == own || name.rfind(own + ".partial", 0) == 0;
  });
}

/// A run folder, or the beginning of one whose process was stopped before run.json.
bool holds_only_a_run(const fs::path& path) {
  return fs::exists(path / "run.json") ||
         std::all_of(fs::directory_iterator(path), fs::directory_iterator(),
                     [](const auto& entry) { return is_own(entry.path().filename().string()); });
}

/// Whether the folder was locked for a run that never began: it was stopped, or its disk was full,
/// before run.json. Nothing is lost with it. Without a lock the files are somebody else's.
bool never_began(const fs::path& path) {
  return fs::exists(path / ".lock") && !fs::exists(path / "run.json") &&
         !fs::exists(path / "epochs.jsonl") && !fs::exists(path / "genotype.json") &&
         !fs::exists(path / "report.html");
}

void remove_own_files(const fs::path& path) {
  std::vector<fs::path> own;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name != ".lock" && is_own(name)) {
      own.push_back(entry.path());
    }
  }
  for (const fs::path& file : own) {
    fs::remove_all(file);
  }
}

int lock_folder(const fs::path& path) {
  const fs::path file = path / ".lock";
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    throw UserError(
        fmt::format("cannot write into the run folder '{}': {}; choose another with --out",
                    path.string(), std::strerror(errno)));
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    throw UserError(fmt::format(
        "run folder '{}' is in use by another process; wait for it or choose another with --out",
        path.string()));
  }
  return descriptor;
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw UserError(fmt::format("cannot make the run folder '{}': {}; choose another with --out",
                                path.string(), error.message()));
  }
}

[[noreturn]] void refuse(const fs::path& path) {
  throw UserError(
      fmt::format("run folder '{}' exists; choose another with --out, go on with --resume, or "
                  "replace it with --force",
                  path.string()));
}

}  // namespace

RunFolder RunFolder::create(const fs::path& path, IfExists if_exists) {
  if (fs::exists(path) && !fs::is_directory(path)) {
    throw UserError(
        fmt::format("'{}' is a file, not a run folder; choose another with --out", path.string()));
  }
  const bool occupied = fs::exists(path) && !fs::is_empty(path);
  if (occupied && !holds_only_a_run(path)) {
    throw UserError(fmt::format(
        "folder '{}' is not empty and is no run folder; choose another with --out", path.string()));
  }
  if (occupied && if_exists == IfExists::kRefuse && !never_began(path)) {
    refuse(path);
  }
  make_folder(path);
  RunFolder folder(path, lock_folder(path));
  if (if_exists == IfExists::kRefuse && !never_began(path)) {
    refuse(path);  // another process made and finished it meanwhile
  }
  remove_own_files(path);
  make_folder(path / "checkpoint");
  return folder;
}

RunFolder RunFolder::open(const fs::path& path) {
  if (!fs::exists(path / "run.json")) {
    throw UserError(fmt::format(
        "'{}' is no run folder: it has no run.json; give the folder of a run", path.string()));
  }
  return {path, lock_folder(path)};
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) {
    ::close(lock_);
  }
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

void RunFolder::append_epoch(const std::string& json_line) {
  append_to_file(epochs_jsonl(), json_line + "\n");
}

std::uint64_t RunFolder::epochs_bytes() const {
  return fs::exists(epochs_jsonl()) ? fs::file_size(epochs_jsonl()) : 0;
}

void RunFolder::truncate_epochs(std::uint64_t bytes) {
  const std::uint64_t now = epochs_bytes();
  if (now < bytes) {
    throw UserError(fmt::format(
        "'{}' is shorter than its checkpoint says; restore the file or start again with --force",
        epochs_jsonl().string()));
  }
  if (now > bytes) {
    fs::resize_file(epochs_jsonl(), bytes);
  }
}

}  // namespace probedarts
