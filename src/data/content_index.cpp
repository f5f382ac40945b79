#include "data/content_index.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "data/mapped_file.hpp"
#include "data/parallel.hpp"

namespace probedarts::data {
namespace {

constexpr std::int64_t kRestNs = 2'000'000'000;
constexpr const char* kTitle = "probedarts contents 1";

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

/// The body of an index file whose first line is title and hash of the body; nothing for anything
/// else.
std::optional<std::string> checked_body(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) {
    return std::nullopt;
  }
  const std::string content = read_file(path);
  const std::size_t end = content.find('\n');
  if (end == content.npos) {
    return std::nullopt;
  }
  std::string body = content.substr(end + 1);
  if (content.substr(0, end) != fmt::format("{} {}", kTitle, content_hash(body))) {
    return std::nullopt;
  }
  return body;
}

}  // namespace

std::optional<FileStamp> stamp_of(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return std::nullopt;
  }
  return FileStamp{static_cast<std::uint64_t>(info.st_size),
                   std::max(nanoseconds(info.st_mtim), nanoseconds(info.st_ctim))};
}

ContentIndex::ContentIndex(std::filesystem::path index_file) : index_file_(std::move(index_file)) {
  const std::optional<std::string> body = checked_body(index_file_);
  if (!body) {
    return;
  }
  std::istringstream lines(*body);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json entry = nlohmann::json::parse(line);  // the hash vouches for the form
    entries_[entry.at(0)] = {{entry.at(1), entry.at(2)}, entry.at(3), entry.at(4)};
  }
}

const ContentIndex::Entry* ContentIndex::known_entry(const std::filesystem::path& file,
                                                     const FileStamp& now) const {
  const auto known = entries_.find(file.string());
  const bool same = known != entries_.end() && known->second.stamp.bytes == now.bytes &&
                    known->second.stamp.changed_ns == now.changed_ns &&
                    known->second.stamp.changed_ns + kRestNs < known->second.hashed_ns;
  return same ? &known->second : nullptr;
}

std::optional<std::vector<std::string>> ContentIndex::known_hashes(
    const std::vector<std::filesystem::path>& files, int threads) const {
  std::vector<std::string> hashes(files.size());
  std::atomic<bool> all_known = true;
  parallel_in_order(files.size(), threads, [&](std::size_t i) {
    const std::optional<FileStamp> stamp = all_known ? stamp_of(files[i]) : std::nullopt;
    const Entry* known = stamp ? known_entry(files[i], *stamp) : nullptr;
    if (known == nullptr) {
      all_known = false;
    } else {
      hashes[i] = known->hash;
    }
  });
  return all_known ? std::optional(std::move(hashes)) : std::nullopt;
}

std::vector<std::string> ContentIndex::hashes_of(const std::vector<std::filesystem::path>& files,
                                                 int threads) {
  std::vector<Entry> found(files.size());
  parallel_in_order(files.size(), threads, [&](std::size_t i) {
    throw_if_interrupted("stopped while the images were read; start again");
    const std::optional<FileStamp> stamp = stamp_of(files[i]);
    if (!stamp) {
      return;
    }
    if (const Entry* known = known_entry(files[i], *stamp)) {
      found[i] = *known;
      return;
    }
    const std::int64_t before_reading = now_ns();
    try {
      found[i] = {*stamp, before_reading, content_hash(read_file(files[i]))};
    } catch (const UserError&) {
      found[i] = {};  // the empty hash tells the caller
    }
  });
  std::vector<std::string> hashes;
  for (std::size_t i = 0; i < files.size(); ++i) {
    hashes.push_back(found[i].hash);
    Entry& entry = entries_[files[i].string()];
    if (entry.hash != found[i].hash || entry.hashed_ns != found[i].hashed_ns) {
      entry = std::move(found[i]);
      changed_ = true;
    }
  }
  return hashes;
}

void ContentIndex::save() const {
  if (!changed_) {
    return;
  }
  std::string body;
  for (const auto& [path, entry] : entries_) {
    if (!entry.hash.empty()) {
      const nlohmann::json line = {path, entry.stamp.bytes, entry.stamp.changed_ns, entry.hashed_ns,
                                   entry.hash};
      // Paths need not be UTF-8; a replaced byte only means that the file is hashed again.
      body += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
  }
  NewFile file(index_file_);
  file.write(0, fmt::format("{} {}\n{}", kTitle, content_hash(body), body));
  file.publish();
}

}  // namespace probedarts::data
