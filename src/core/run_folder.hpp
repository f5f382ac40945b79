#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace probedarts {

/// One run's folder (docs/run-folder.md). While the object lives the folder is locked, so that two
/// processes never write to one run.
class RunFolder {
 public:
  /// What to do when the folder is there already.
  enum class IfExists {
    kRefuse,   ///< \throws UserError, unless a run was stopped there before it began
    kReplace,  ///< remove what a run wrote there (--force); other files stay
  };

  /// Makes a new run folder. \throws UserError when it exists (see IfExists), is not a folder, or
  /// cannot be written.
  static RunFolder create(const std::filesystem::path& path, IfExists if_exists);

  /// Opens the folder of a run to go on with. \throws UserError when it is none or another process
  /// holds it.
  static RunFolder open(const std::filesystem::path& path);

  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path run_json() const { return path_ / "run.json"; }
  std::filesystem::path config_toml() const { return path_ / "config.toml"; }
  std::filesystem::path epochs_jsonl() const { return path_ / "epochs.jsonl"; }
  std::filesystem::path genotype_json() const { return path_ / "genotype.json"; }
  std::filesystem::path checkpoint() const { return path_ / "checkpoint" / "last.safetensors"; }

  /// Appends one line to epochs.jsonl.
  void append_epoch(const std::string& json_line);
  /// Bytes of epochs.jsonl now; 0 when there is none.
  std::uint64_t epochs_bytes() const;
  /// Cuts epochs.jsonl back to the length a checkpoint remembers. \throws UserError when it is
  /// shorter than that.
  void truncate_epochs(std::uint64_t bytes);

 private:
  RunFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_;  ///< descriptor of the locked file
};

}  // namespace probedarts
