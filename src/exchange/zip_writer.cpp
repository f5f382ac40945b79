#include "exchange/zip_writer.hpp"

#include <limits>

#include <zlib.h>

#include "exchange/little_endian.hpp"
#include "exchange/zip_format.hpp"

namespace probedarts::exchange {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::uint16_t kVersion = 20;           // 2.0: plain entries
constexpr std::uint16_t kNames = 1 << 11;        // flag: names are UTF-8
constexpr std::uint16_t kFirstOfJanuary = 0x21;  // 1980, the earliest date there is

/// The part that local header and directory share, APPNOTE 4.3.7 and 4.3.12.
void append_description(std::string& out, std::uint32_t checksum, std::uint64_t bytes,
                        std::size_t name_bytes, std::size_t extra_bytes) {
  append_number<std::uint16_t>(out, kVersion);
  append_number<std::uint16_t>(out, kNames);
  append_number<std::uint16_t>(out, 0);  // stored
  append_number<std::uint16_t>(out, 0);  // time
  append_number<std::uint16_t>(out, kFirstOfJanuary);
  append_number<std::uint32_t>(out, checksum);
  append_number<std::uint32_t>(out, bytes);  // packed
  append_number<std::uint32_t>(out, bytes);  // unpacked
  append_number<std::uint16_t>(out, name_bytes);
  append_number<std::uint16_t>(out, extra_bytes);
}

}  // namespace

void ZipWriter::add(const std::string& name, std::string_view bytes) {
  const Record record{name,
                      static_cast<std::uint32_t>(
                          crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())),
                      bytes.size(), content_.size()};
  // The payload is aligned by an extra field "FB" of its own: tag, length, filling.
  const std::size_t unaligned = content_.size() + kLocalBytes + name.size() + 4;
  const std::size_t filling = (kAlignment - unaligned % kAlignment) % kAlignment;
  append_number<std::uint32_t>(content_, kLocalSignature);
  append_description(content_, record.checksum, record.bytes, name.size(), filling + 4);
  content_ += name;
  content_ += "FB";
  append_number<std::uint16_t>(content_, filling);
  content_.append(filling, 'Z');
  content_ += bytes;
  records_.push_back(record);
}

std::string ZipWriter::finish() {
  const std::size_t directory = content_.size();
  for (const Record& record : records_) {
    append_number<std::uint32_t>(content_, kDirectorySignature);
    append_number<std::uint16_t>(content_, kVersion);
    append_description(content_, record.checksum, record.bytes, record.name.size(), 0);
    append_number<std::uint16_t>(content_, 0);  // comment
    append_number<std::uint16_t>(content_, 0);  // disk
    append_number<std::uint16_t>(content_, 0);  // binary
    append_number<std::uint32_t>(content_, 0);  // attributes
    append_number<std::uint32_t>(content_, record.local);
    content_ += record.name;
  }
  const std::size_t directory_bytes = content_.size() - directory;
  append_number<std::uint32_t>(content_, kEndSignature);
  append_number<std::uint32_t>(content_, 0);  // disks
  append_number<std::uint16_t>(content_, records_.size());
  append_number<std::uint16_t>(content_, records_.size());
  append_number<std::uint32_t>(content_, directory_bytes);
  append_number<std::uint32_t>(content_, directory);
  append_number<std::uint16_t>(content_, 0);  // comment
  const bool fits = content_.size() < std::numeric_limits<std::uint32_t>::max() &&
                    records_.size() < std::numeric_limits<std::uint16_t>::max();
  return fits ? std::move(content_) : std::string();
}

}  // namespace probedarts::exchange
