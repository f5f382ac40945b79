#include "study/ledger.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRecordEnding = ".json";

fs::path claim_path(const fs::path& stem, int generation) {
  return fs::path(fmt::format("{}.claim.{}", stem.string(), generation));
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

/// The running kernel and its view of processes: machines, containers and boots that share a host's
/// name differ in it, and process numbers mean the same only within one.
std::string process_space() {
  std::string boot;
  try {
    boot = read_file("/proc/sys/kernel/random/boot_id");
  } catch (const UserError&) {
    boot = "unknown";
  }
  struct stat space {};
  ::stat("/proc/self/ns/pid", &space);
  return fmt::format("{}-{}", boot.substr(0, boot.find('\n')), space.st_ino);
}

/// Of files of this process alone.
std::string own_name() { return fmt::format("{}.{}.{}", host_name(), process_space(), ::getpid()); }

/// When a process started, in ticks since boot: field 22 of /proc/PID/stat. A process number alone
/// is given again; with this it is unique until the next boot. Empty when there is no such process.
std::string process_start(long pid) {
  std::error_code none;
  if (!fs::exists(fmt::format("/proc/{}/stat", pid), none)) {
    return "";
  }
  try {
    const std::string stat = read_file(fmt::format("/proc/{}/stat", pid));
    std::size_t at = stat.rfind(')');  // the name before it may hold spaces
    for (int field = 2; field < 22 && at != std::string::npos; ++field) {
      at = stat.find(' ', at + 1);
    }
    if (at == std::string::npos) {
      return "";
    }
    return stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
  } catch (const UserError&) {
    return "";  // ended between the two looks
  }
}

/// The highest claim of a name, 0 when there is none.
int latest_generation(const fs::path& stem) {
  int latest = 0;
  const std::string start = stem.filename().string() + ".claim.";
  for (const auto& entry : fs::directory_iterator(stem.parent_path())) {
    const std::string name = entry.path().filename().string();
    int generation = 0;
    if (name.starts_with(start) &&
        std::from_chars(name.data() + start.size(), name.data() + name.size(), generation).ec ==
            std::errc{}) {
      latest = std::max(latest, generation);
    }
  }
  return latest;
}

/// Age by the clock of the folder's file system, which all machines share: against a file touched
/// now. Nothing when the file is gone.
std::optional<double> age_seconds(const fs::path& path) {
  const fs::path now = path.parent_path() / (".now." + own_name());
  const int file = ::open(now.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) {
    report_file_failure("write", now, errno);
  }
  ::futimens(file, nullptr);
  struct stat touched {};
  ::fstat(file, &touched);
  ::close(file);
  ::unlink(now.c_str());
  struct stat claimed {};
  if (::stat(path.c_str(), &claimed) != 0) {
    return std::nullopt;
  }
  return static_cast<double>(touched.st_mtim.tv_sec - claimed.st_mtim.tv_sec);
}

/// What a claim says; null when it is gone or its writer was killed before writing.
json read_claim(const fs::path& path) {
  std::error_code none;
  if (!fs::exists(path, none)) {
    return nullptr;
  }
  try {
    const json claim = json::parse(read_file(path), nullptr, false);
    return claim.is_object() && claim.value("host", json()).is_string() &&
                   claim.value("pid", json()).is_number_integer() &&
                   claim.value("start", json()).is_string()
               ? claim
               : json(nullptr);
  } catch (const UserError&) {
    return nullptr;  // released between the two looks
  }
}

bool is_stale(const fs::path& path, double stale_seconds) {
  const json claim = read_claim(path);
  if (claim.is_object() && claim["host"] == host_name() &&
      claim.value("space", json()) == process_space()) {
    return process_start(claim["pid"].get<long>()) != claim["start"].get<std::string>();
  }
  const auto age = age_seconds(path);
  return age.has_value() && *age > stale_seconds;
}

/// Creates the claim file with its content in one step: written under another name, then linked,
/// which fails when the claim exists. \returns the content, or nothing then.
std::optional<std::string> create_claim(const fs::path& path) {
  const json content = {{"host", host_name()},
                        {"space", process_space()},
                        {"pid", ::getpid()},
                        {"start", process_start(::getpid())}};
  const fs::path draft = path.parent_path() / (".draft." + own_name());
  const std::string text = content.dump() + "\n";
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    report_file_failure("write", draft, errno);
  }
  const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int write_error = errno;
  ::close(file);
  if (!whole) {
    ::unlink(draft.c_str());
    report_file_failure("write", draft, write_error);
  }
  const int linked = ::link(draft.c_str(), path.c_str());
  const int error = errno;
  ::unlink(draft.c_str());
  if (linked != 0 && error != EEXIST) {
    report_file_failure("write", path, error);
  }
  return linked == 0 ? std::optional(text) : std::nullopt;
}

}  // namespace

Claim::Claim(Claim&& other) noexcept
    : stem_(std::move(other.stem_)),
      generation_(std::exchange(other.generation_, 0)),
      content_(std::move(other.content_)) {}

Claim& Claim::operator=(Claim&& other) noexcept {
  if (this != &other) {
    release();
    stem_ = std::move(other.stem_);
    generation_ = std::exchange(other.generation_, 0);
    content_ = std::move(other.content_);
  }
  return *this;
}

Claim::~Claim() { release(); }

bool Claim::is_ours() const noexcept {
  try {
    return generation_ > 0 && read_file(claim_path(stem_, generation_)) == content_;
  } catch (const std::exception&) {
    return false;  // it is gone
  }
}

void Claim::release() noexcept {
  if (is_ours()) {  // and with it the stale ones
    for (int generation = generation_; generation > 0; --generation) {
      ::unlink(claim_path(stem_, generation).c_str());
    }
  }
  generation_ = 0;
}

void Claim::renew() const {
  ::utimensat(AT_FDCWD, claim_path(stem_, generation_).c_str(), nullptr, 0);
}

bool Claim::lost() const { return latest_generation(stem_) != generation_ || !is_ours(); }

Ledger::Ledger(fs::path folder, double stale_seconds)
    : folder_(std::move(folder)), stale_seconds_(stale_seconds) {
  std::error_code error;
  fs::create_directories(folder_ / "claims", error);
  if (error) {
    throw UserError(
        fmt::format("cannot make the study's folder '{}': {}; choose another with --out",
                    folder_.string(), error.message()));
  }
}

std::optional<Claim> Ledger::claim(const std::string& name) const {
  const fs::path stem = folder_ / "claims" / name;
  const int latest = latest_generation(stem);
  if (latest > 0 && !is_stale(claim_path(stem, latest), stale_seconds_)) {
    return std::nullopt;
  }
  auto content = create_claim(claim_path(stem, latest + 1));
  if (!content) {
    return std::nullopt;
  }
  return Claim(stem, latest + 1, std::move(*content));
}

std::optional<std::string> Ledger::holder(const std::string& name) const {
  const fs::path stem = folder_ / "claims" / name;
  const int latest = latest_generation(stem);
  if (latest == 0 || is_stale(claim_path(stem, latest), stale_seconds_)) {
    return std::nullopt;
  }
  const json claim = read_claim(claim_path(stem, latest));
  return claim.is_object() ? fmt::format("process {} on {}", claim["pid"].get<long>(),
                                         claim["host"].get<std::string>())
                           : std::string("another process");
}

void Ledger::clean() const {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_ / "claims")) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) {  // a draft, ".draft.HOST.SPACE.PID"
      const std::string ours = fmt::format(".{}.{}.", host_name(), process_space());
      const std::size_t host = name.find(ours);
      if (host != std::string::npos &&
          process_start(std::atol(name.c_str() + host + ours.size())).empty()) {
        ::unlink(entry.path().c_str());
      }
      continue;
    }
    names.insert(name.substr(0, name.find(".claim.")));
  }
  for (const std::string& name : names) {
    claim(name);  // succeeds when it is stale, and takes all of the name away with it
  }
}

std::optional<Record> Ledger::record(const std::string& id) const {
  const fs::path path = folder_ / (id + kRecordEnding);
  if (!fs::exists(path)) {
    return std::nullopt;
  }
  try {
    const json stored = json::parse(read_file(path));
    Record record;
    record.done = stored.at("done").get<bool>();
    record.reason = stored.at("reason").get<std::string>();
    record.exit_code = stored.at("exit").get<int>();
    record.seconds = stored.at("seconds").get<double>();
    record.memory_mib = stored.at("memory_mib").get<double>();
    record.result = stored.at("result").dump();
    record.processor_seconds = stored.value("processor_seconds", 0.0);
    if (record.done) {
      stored.at("result").get_ref<const json::object_t&>();  // throws for anything else
    }
    return record;
  } catch (const json::exception&) {
    throw UserError(
        fmt::format("study: '{}' is damaged; delete it to repeat the run", path.string()));
  }
}

void Ledger::write(const std::string& id, const Record& record) const {
  const json result = json::parse(record.result, nullptr, false);
  const json stored = {{"done", record.done},
                       {"reason", record.reason},
                       {"exit", record.exit_code},
                       {"seconds", record.seconds},
                       {"processor_seconds", record.processor_seconds},
                       {"memory_mib", record.memory_mib},
                       {"result", result.is_discarded() ? json(nullptr) : result}};
  write_file_atomically(folder_ / (id + kRecordEnding), stored.dump(1) + "\n");
}

void Ledger::forget(const std::string& id) const {
  std::error_code missing;
  fs::remove(folder_ / (id + kRecordEnding), missing);
}

std::vector<std::string> Ledger::ended() const {
  std::vector<std::string> ids;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() == kRecordEnding) {
      ids.push_back(entry.path().stem().string());
    }
  }
  return ids;
}

}  // namespace probedarts::study
