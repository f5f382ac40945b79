#include "study/data_check.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"

namespace probedarts::study {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Up to so many bytes of a data set are read each time a study begins or goes on: about a second's
/// work.
constexpr std::uintmax_t kReadThrough = std::uintmax_t{1} << 30;

constexpr std::size_t kPiece = std::size_t{1} << 24;

/// A look takes no more than this share of the time since the last one, when it took longer than
/// `kCheapSeconds`.
constexpr double kShareOfLooking = 0.01;
constexpr double kCheapSeconds = 0.01;

/// What can be said of a data set without reading its files.
struct Listing {
  struct File {
    std::string line;  ///< name and length
    fs::path path;
  };
  std::vector<File> files;  ///< by name
  std::uintmax_t bytes = 0;
  std::string stamp;  ///< hash of names, lengths and times of change
};

[[noreturn]] void refuse(const std::string& data) {
  throw UserError(
      fmt::format("study: the files of data set '{}' changed since the study began; put them back "
                  "or begin another study",
                  data));
}

/// \throws fs::filesystem_error when a file goes away meanwhile.
Listing list_files(const fs::path& data) {
  Listing listing;
  std::vector<std::pair<std::string, std::string>> stamps;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (const auto& entry : fs::recursive_directory_iterator(data, options)) {
    if (entry.is_regular_file()) {
      const std::uintmax_t length = entry.file_size();
      listing.files.push_back(
          {fmt::format("{} {}\n", entry.path().lexically_relative(data).string(), length),
           entry.path()});
      stamps.emplace_back(listing.files.back().line,
                          fmt::format("{}\n", entry.last_write_time().time_since_epoch().count()));
      listing.bytes += length;
    }
  }
  std::sort(listing.files.begin(), listing.files.end(),
            [](const auto& a, const auto& b) { return a.line < b.line; });
  std::sort(stamps.begin(), stamps.end());
  std::string all;
  for (const auto& [line, time] : stamps) {
    all += line + time;
  }
  listing.stamp = content_hash(all);
  return listing;
}

enum class Depth { kNames, kContent };

/// Hash of a file; of one that need not fit into memory, of the hashes of its pieces.
std::string hash_of_file(const fs::path& path) {
  if (fs::file_size(path) <= kReadThrough) {
    return content_hash(read_file(path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string piece(kPiece, '\0');
  std::string hashes;
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
    hashes +=
        content_hash(std::string_view(piece).substr(0, static_cast<std::size_t>(file.gcount())));
  }
  if (!file.eof()) {
    report_file_failure("read", path, errno);
  }
  return content_hash(hashes);
}

/// Hash of the sorted names and lengths of all files, and of their content.
std::string hash_of(const Listing& listing, Depth depth) {
  std::vector<std::string> lines;
  for (const Listing::File& file : listing.files) {
    lines.push_back(file.line);
    if (depth == Depth::kContent) {
      lines.back() += hash_of_file(file.path);
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) {
    all += line;
  }
  return content_hash(all);
}

json read_notes(const StudyFolder& folder) {
  if (!fs::exists(folder.data_json())) {
    return json::object();
  }
  const json noted = json::parse(read_file(folder.data_json()), nullptr, false);
  const auto is_note = [](const json& note) {  // a text: of a version before stamps
    return note.is_string() || (note.is_object() && note.value("hash", json()).is_string() &&
                                note.value("stamp", json()).is_string());
  };
  if (!noted.is_object() || !std::all_of(noted.begin(), noted.end(), is_note)) {
    throw UserError(fmt::format("study: '{}' is damaged; delete it to note the data sets anew",
                                folder.data_json().string()));
  }
  return noted;
}

/// Whether a data set is what was noted; brings the note up to date.
bool is_same(const Listing& now, json& note) {
  const bool large = now.bytes > kReadThrough;
  if (note.is_string()) {  // without the content of large sets
    const Depth depth = large ? Depth::kNames : Depth::kContent;
    if (note != hash_of(now, depth)) {
      return false;
    }
    note = {{"hash", large ? hash_of(now, Depth::kContent) : note.get<std::string>()},
            {"stamp", now.stamp}};
    return true;
  }
  if (large && note["stamp"] == now.stamp) {
    return true;
  }
  if (note["hash"] != hash_of(now, Depth::kContent)) {
    return false;
  }
  note["stamp"] = now.stamp;
  return true;
}

}  // namespace

void require_same_data(const Study& study, const StudyFolder& folder) {
  json noted = read_notes(folder);
  const json before = noted;
  const auto check = [&](const std::string& data) {
    const Listing now = list_files(folder.data_root / data);
    if (!noted.contains(data)) {
      noted[data] = {{"hash", hash_of(now, Depth::kContent)}, {"stamp", now.stamp}};
    } else if (!is_same(now, noted[data])) {
      refuse(data);
    }
  };
  std::set<std::string> sets;
  for (const GridPoint& point : study.points) {
    sets.insert(point.data);
  }
  if (const PhaseSettings* transfer = study.phase(Phase::kTransfer)) {
    sets.insert(transfer->data.begin(), transfer->data.end());
  }
  std::for_each(sets.begin(), sets.end(), check);
  if (noted != before) {
    write_file_atomically(folder.data_json(), noted.dump(1) + "\n");
  }
}

DataWatch::DataWatch(const StudyFolder& folder) : folder_(folder) {
  const json notes = read_notes(folder);
  for (const auto& [data, note] : notes.items()) {
    if (note.is_object()) {
      seen_[data].stamp = note["stamp"].get<std::string>();
    }
  }
}

void DataWatch::require_same(const std::string& data) {
  Seen& seen = seen_[data];
  const double started = monotonic_seconds();
  if (seen.seconds > kCheapSeconds && started - seen.looked < seen.seconds / kShareOfLooking) {
    return;
  }
  try {
    const Listing now = list_files(folder_.data_root / data);
    seen.looked = monotonic_seconds();
    seen.seconds = seen.looked - started;
    if (now.stamp == seen.stamp) {
      return;
    }
    const json noted = read_notes(folder_);
    if (!noted.contains(data) || !noted[data].is_object() ||
        noted[data]["hash"] != hash_of(now, Depth::kContent)) {
      refuse(data);
    }
    seen.stamp = now.stamp;
  } catch (const fs::filesystem_error&) {  // a folder or file is gone
    refuse(data);
  }
}

}  // namespace probedarts::study
