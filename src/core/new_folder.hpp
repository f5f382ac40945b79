#pragma once

#include <filesystem>

namespace probedarts {

/// A folder that appears whole or not at all: it is filled under another name beside the wanted
/// one, and renamed when all is written. What was not published is gone with the object; what a
/// process left that was killed is removed by the next one that makes the same folder.
class NewFolder {
 public:
  /// \throws UserError when `wanted` is there and is not an empty folder, or the folder cannot be
  /// made.
  explicit NewFolder(std::filesystem::path wanted);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  /// Where to write until then.
  const std::filesystem::path& path() const { return path_; }

  /// Gives the folder the wanted name. \throws UserError when something came to lie there
  /// meanwhile.
  void publish();

 private:
  std::filesystem::path wanted_, path_;
  int lock_ = -1;  ///< of the draft, while this process fills it
  bool published_ = false;
};

}  // namespace probedarts
