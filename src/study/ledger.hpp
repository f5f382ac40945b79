#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// What has been done of a study and who is at what, as small files in a folder that several
/// machines may share. No coordinator: a claim is a file that only one process can create.
namespace probedarts::study {

/// A claim held by this process. Gone with the object; left behind when the process is killed.
class Claim {
 public:
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&& other) noexcept;
  ~Claim();

  /// Tells others that we are alive: sets the file's time. Call it more often than others wait.
  void renew() const;
  /// Whether another process took us for dead and claimed the same; we must stop then, and take
  /// nothing of its away.
  bool lost() const;

 private:
  friend class Ledger;
  Claim(std::filesystem::path stem, int generation, std::string content)
      : stem_(std::move(stem)), generation_(generation), content_(std::move(content)) {}
  void release() noexcept;
  /// The file of our number may be another's: whoever took our claim over may have ended, and with
  /// the numbers gone a third begins again at 1.
  bool is_ours() const noexcept;

  std::filesystem::path stem_;
  int generation_;       ///< 0: moved from
  std::string content_;  ///< of the file: this process
};

/// How a task ended.
struct Record {
  bool done = false;   ///< else failed
  std::string reason;  ///< of a failure: one sentence
  int exit_code = 0;   ///< of the program; 128 + n for signal n
  double seconds = 0.0;
  double memory_mib = 0.0;         ///< largest resident memory
  std::string result;              ///< JSON text that the program printed
  double processor_seconds = 0.0;  ///< of all threads; 0 in records of earlier versions
};

class Ledger {
 public:
  /// Makes the folder. \param stale_seconds  after so long without renewal the claim of another
  /// machine, container or boot counts as left behind; that of a dead process on this one does at
  /// once.
  /// \throws UserError when it cannot be made.
  Ledger(std::filesystem::path folder, double stale_seconds);

  /// Claims a name, if nobody alive holds it. Claims are numbered: to take over a stale claim k is
  /// to create claim k + 1, which again only one process can, so that two rescuers never both win.
  std::optional<Claim> claim(const std::string& name) const;
  /// Who holds it: "process 123 on host", or nothing.
  std::optional<std::string> holder(const std::string& name) const;

  /// Removes what killed processes left among the claims. Call it when all is done.
  void clean() const;

  std::optional<Record> record(const std::string& id) const;
  /// Writes how a task ended, whole or not at all. \throws UserError when the disk is full.
  void write(const std::string& id, const Record& record) const;
  /// Forgets a failure, for another try.
  void forget(const std::string& id) const;
  /// Ids of all tasks that ended.
  std::vector<std::string> ended() const;

 private:
  std::filesystem::path folder_;
  double stale_seconds_;
};

}  // namespace probedarts::study
