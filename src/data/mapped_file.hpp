#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace probedarts::data {

/// A whole file mapped read-only into memory.
class MappedFile {
 public:
  /// Nothing when there is no such file or it is empty. \throws UserError when it is there and
  /// cannot be mapped.
  static std::optional<MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  std::string_view bytes() const { return {static_cast<const char*>(start_), length_}; }

  /// Copies the bytes from position `at` on, for a reader that looks at them once: the first touch
  /// of a mapped page costs more than copying it (three times as much on a virtual machine).
  /// Thread-safe. \returns  false where the file has become shorter. \throws UserError.
  bool read(std::uint64_t at, std::span<char> to) const;

 private:
  MappedFile(std::filesystem::path path, int descriptor, const void* start, std::size_t length)
      : path_(std::move(path)), descriptor_(descriptor), start_(start), length_(length) {}
  std::filesystem::path path_;
  int descriptor_ = -1;
  const void* start_ = nullptr;
  std::size_t length_ = 0;
};

/// A file that other processes see whole or not at all. Where the file system can (O_TMPFILE), it
/// has no name before `publish`, so that not even a killed process leaves anything behind;
/// elsewhere the destructor removes it.
class NewFile {
 public:
  /// \param path  where it will be; the folder is made. \throws UserError when that fails.
  explicit NewFile(std::filesystem::path path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// Writes at a position; several threads may write different ranges. \throws UserError (disk
  /// full, ...).
  void write(std::uint64_t at, std::string_view bytes);

  /// Syncs and gives the file its name, replacing an old one. \throws UserError; the old file is
  /// then untouched.
  void publish();

 private:
  void give_name();

  std::filesystem::path path_;
  std::filesystem::path temporary_;  ///< empty while the file has no name
  int descriptor_ = -1;
};

}  // namespace probedarts::data
