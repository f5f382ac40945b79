#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace probedarts::data {

/// What tells a file that was changed from one that was not, without reading it.
struct FileStamp {
  std::uint64_t bytes = 0;
  std::int64_t changed_ns =
      0;  ///< the later of the times of change of content and of inode, since 1970
};

/// Nothing when there is no such file.
std::optional<FileStamp> stamp_of(const std::filesystem::path& file);

/// Hashes of file contents, kept on disk between runs. A hash counts while size and time of change
/// are the same, and the file had rested for two seconds when it was hashed (a coarse clock of a
/// file system cannot hide a change then).
class ContentIndex {
 public:
  /// Reads what `index_file` holds; a missing, damaged or foreign file is an empty index.
  explicit ContentIndex(std::filesystem::path index_file);

  /// Hash of the content of every file (XXH3-128, 32 hex digits), in order; empty for a file that
  /// cannot be read. `threads` threads read what the index does not know. \throws Interrupted.
  std::vector<std::string> hashes_of(const std::vector<std::filesystem::path>& files, int threads);

  /// The same without reading a file; nothing unless the index knows every file as it is now.
  std::optional<std::vector<std::string>> known_hashes(
      const std::vector<std::filesystem::path>& files, int threads) const;

  /// Writes the index if it learned something. \throws UserError when it cannot be written.
  void save() const;

 private:
  struct Entry {
    FileStamp stamp;
    std::int64_t hashed_ns = 0;
    std::string hash;
  };
  const Entry* known_entry(const std::filesystem::path& file, const FileStamp& now) const;

  std::filesystem::path index_file_;
  std::map<std::string, Entry> entries_;
  bool changed_ = false;
};

}  // namespace probedarts::data
