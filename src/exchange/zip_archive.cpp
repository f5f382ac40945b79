#include "exchange/zip_archive.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

#include "core/errors.hpp"
#include "exchange/zip_format.hpp"

namespace probedarts::exchange {
namespace {

constexpr std::uint32_t kIn64 = 0xffffffff;  ///< "see the Zip64 field"
constexpr std::uint16_t kZip64Field = 0x0001;
constexpr std::uint16_t kEncrypted = 0x0001;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;

/// Reads the zip file's directory.
class Directory {
 public:
  Directory(std::string_view content, const std::string& name) : content_(content), name_(name) {}

  std::map<std::string, ZipEntry, std::less<>> read() {
    const std::uint64_t end = find_directory();
    std::map<std::string, ZipEntry, std::less<>> entries;
    std::uint64_t at = directory_;
    while (at < end) {
      auto [name, entry] = read_entry(at);
      if (!entries.emplace(name, entry).second) {
        fail(fmt::format("it holds '{}' twice", printable(name)));
      }
    }
    refuse_overlap();
    return entries;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const { refuse(name_, why); }
  [[noreturn]] void fail_truncated() const {
    fail("its zip directory is missing or damaged; the file is truncated");
  }

  /// A little-endian number at an offset that may lie anywhere.
  template <typename T>
  T number(std::uint64_t at) const {
    if (at > content_.size() || content_.size() - at < sizeof(T)) {
      fail_truncated();
    }
    T value;
    std::memcpy(&value, content_.data() + at, sizeof(T));
    return value;
  }

  /// The end record stands last, before a comment of at most 65535 bytes.
  std::uint64_t find_end() const {
    constexpr std::uint64_t kLongestComment = 0xffff;
    const std::uint64_t size = content_.size();
    for (std::uint64_t back = kEndBytes; back <= std::min(size, kEndBytes + kLongestComment);
         ++back) {
      const std::uint64_t at = size - back;
      if (number<std::uint32_t>(at) == kEndSignature &&
          number<std::uint16_t>(at + 20) == back - kEndBytes) {
        return at;
      }
    }
    fail_truncated();
  }

  /// Sets `directory_` and returns where it ends.
  std::uint64_t find_directory() {
    const std::uint64_t end_record = find_end();
    std::uint64_t bytes = number<std::uint32_t>(end_record + 12);
    directory_ = number<std::uint32_t>(end_record + 16);
    std::uint64_t limit = end_record;
    if (end_record >= kLocator64Bytes &&
        number<std::uint32_t>(end_record - kLocator64Bytes) == kLocator64Signature) {
      const auto record = number<std::uint64_t>(end_record - kLocator64Bytes + 8);
      if (record > end_record || end_record - record < kEnd64Bytes ||
          number<std::uint32_t>(record) != kEnd64Signature) {
        fail_truncated();
      }
      bytes = number<std::uint64_t>(record + 40);
      directory_ = number<std::uint64_t>(record + 48);
      limit = record;
    }
    if (directory_ > limit || bytes > limit - directory_) {
      fail_truncated();
    }
    return directory_ + bytes;
  }

  /// One entry of the directory; `at` moves behind it.
  std::pair<std::string, ZipEntry> read_entry(std::uint64_t& at) {
    if (number<std::uint32_t>(at) != kDirectorySignature) {
      fail_truncated();
    }
    const auto name_bytes = number<std::uint16_t>(at + 28);
    const auto extra_bytes = number<std::uint16_t>(at + 30);
    const auto comment_bytes = number<std::uint16_t>(at + 32);
    const std::uint64_t next = at + kDirectoryBytes + name_bytes + extra_bytes + comment_bytes;
    if (next > content_.size()) {
      fail_truncated();
    }
    const std::string name(content_.substr(at + kDirectoryBytes, name_bytes));
    const auto method = number<std::uint16_t>(at + 10);
    if ((number<std::uint16_t>(at + 8) & kEncrypted) != 0 ||
        (method != kStored && method != kDeflated)) {
      fail(fmt::format("'{}' in it is encrypted or packed by an unknown method", printable(name)));
    }
    ZipEntry entry;
    entry.deflated = method == kDeflated;
    entry.checksum = number<std::uint32_t>(at + 16);
    const std::uint64_t extra = at + kDirectoryBytes + name_bytes;
    Zip64 fields{extra, extra + extra_bytes, false};
    entry.unpacked_bytes = wide(number<std::uint32_t>(at + 24), fields);
    const std::uint64_t packed_bytes = wide(number<std::uint32_t>(at + 20), fields);
    const std::uint64_t local = wide(number<std::uint32_t>(at + 42), fields);
    entry.packed = payload(name, local, packed_bytes);
    if (!entry.deflated && entry.unpacked_bytes != packed_bytes) {
      fail(fmt::format("'{}' in it has two different sizes", printable(name)));
    }
    at = next;
    return {name, entry};
  }

  /// Where the next number of a Zip64 field stands among an entry's extra fields.
  struct Zip64 {
    std::uint64_t at;
    std::uint64_t end;
    bool found;
  };

  /// `narrow`, or the next number of the Zip64 field when it says so.
  std::uint64_t wide(std::uint32_t narrow, Zip64& fields) const {
    if (narrow != kIn64) {
      return narrow;
    }
    while (!fields.found && fields.at + 4 <= fields.end) {
      const auto tag = number<std::uint16_t>(fields.at);
      const auto bytes = number<std::uint16_t>(fields.at + 2);
      fields.found = tag == kZip64Field;
      if (fields.found) {
        fields.end = std::min(fields.end, fields.at + 4 + bytes);
        fields.at += 4;
      } else {
        fields.at += 4U + bytes;
      }
    }
    if (!fields.found || fields.at + 8 > fields.end) {
      fail_truncated();
    }
    fields.at += 8;
    return number<std::uint64_t>(fields.at - 8);
  }

  /// The packed bytes behind the local header, whose own name and extra fields set their place.
  std::string_view payload(const std::string& name, std::uint64_t local, std::uint64_t bytes) {
    if (local > directory_ || directory_ - local < kLocalBytes ||
        number<std::uint32_t>(local) != kLocalSignature) {
      fail(fmt::format("'{}' in it does not lie where its directory says", printable(name)));
    }
    const std::uint64_t begin =
        local + kLocalBytes + number<std::uint16_t>(local + 26) + number<std::uint16_t>(local + 28);
    if (begin > directory_ || bytes > directory_ - begin) {
      fail(fmt::format("'{}' in it is said to be longer than the file", printable(name)));
    }
    extents_.emplace_back(local, begin + bytes);
    return content_.substr(begin, bytes);
  }

  /// Entries that share bytes are how a small file unpacks to petabytes (Fifield, WOOT 2019).
  void refuse_overlap() {
    std::sort(extents_.begin(), extents_.end());
    for (std::size_t i = 1; i < extents_.size(); ++i) {
      if (extents_[i].first < extents_[i - 1].second) {
        fail("entries of its zip directory share bytes");
      }
    }
  }

  std::string_view content_;
  const std::string& name_;
  std::uint64_t directory_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> extents_;  // of entries with their headers
};

/// zlib counts in 32 bits; longer data go in pieces.
uInt piece(std::uint64_t bytes) {
  return static_cast<uInt>(std::min<std::uint64_t>(bytes, std::uint64_t{1} << 30));
}

/// Raw deflate data of which the unpacked length is known; false when they are anything else.
bool inflate_all(std::string_view packed, std::string& unpacked) {
  z_stream stream{};
  require(inflateInit2(&stream, -MAX_WBITS) == Z_OK, "zlib cannot begin");  // raw, no header
  std::uint64_t used = 0;
  std::uint64_t made = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + used));
    stream.avail_in = piece(packed.size() - used);
    stream.next_out = reinterpret_cast<Bytef*>(unpacked.data() + made);
    stream.avail_out = piece(unpacked.size() - made);
    const uInt offered_in = stream.avail_in;
    const uInt offered_out = stream.avail_out;
    status = inflate(&stream, Z_NO_FLUSH);  // Z_BUF_ERROR when it can go neither forth nor back
    used += offered_in - stream.avail_in;
    made += offered_out - stream.avail_out;
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && made == unpacked.size() && used == packed.size();
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

ZipArchive::ZipArchive(std::string_view content, Allowance& allowance)
    : allowance_(allowance), entries_(Directory(content, allowance.name()).read()) {}

std::string ZipArchive::folder_of(std::string_view file) const {
  std::string folder;
  for (const auto& [name, entry] : entries_) {
    const std::size_t slash = name.find('/');
    if (slash != std::string::npos && std::string_view(name).substr(slash + 1) == file) {
      if (!folder.empty()) {
        return "";
      }
      folder = name.substr(0, slash);
    }
  }
  return folder;
}

std::string_view ZipArchive::read(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    refuse(allowance_.name(), fmt::format("'{}' is missing in it", printable(name)));
  }
  ZipEntry& entry = found->second;
  std::string_view bytes = entry.packed;
  if (entry.deflated) {
    allowance_.charge(entry.unpacked_bytes);
    std::string& unpacked = inflated_.emplace_back(entry.unpacked_bytes, '\0');
    if (!inflate_all(entry.packed, unpacked)) {
      refuse(allowance_.name(), fmt::format("'{}' in it is damaged", printable(name)));
    }
    bytes = unpacked;
  }
  if (entry.checksum != 0 && checksum(bytes) != entry.checksum) {
    refuse(allowance_.name(),
           fmt::format("'{}' in it is damaged: its checksum is wrong", printable(name)));
  }
  entry.deflated = false;  // read twice, it is neither unpacked nor summed again
  entry.packed = bytes;
  entry.checksum = 0;
  return bytes;
}

}  // namespace probedarts::exchange
