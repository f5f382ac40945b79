#include "data/image_format.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace probedarts::data {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n"sv;

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint32_t big_endian_32(std::string_view bytes, std::size_t at) {
  return byte_at(bytes, at) << 24 | byte_at(bytes, at + 1) << 16 | byte_at(bytes, at + 2) << 8 |
         byte_at(bytes, at + 3);
}

/// True when `bytes` is a beginning of `signature` or starts with it.
bool starts_like(std::string_view bytes, std::string_view signature) {
  const std::size_t length = std::min(bytes.size(), signature.size());
  return bytes.substr(0, length) == signature.substr(0, length);
}

/// Whether the chunks of a PNG (length, type, data, CRC) reach IEND within the file (PNG
/// specification, section 5.3).
bool png_is_whole(std::string_view bytes) {
  std::size_t at = kPngSignature.size();
  while (bytes.size() >= at + 12) {
    const std::size_t length = big_endian_32(bytes, at);
    const std::string_view type = bytes.substr(at + 4, 4);
    if (bytes.size() - at - 12 < length) {
      return false;
    }
    if (type == "IEND") {
      return true;
    }
    at += length + 12;
  }
  return false;
}

/// Position behind the entropy-coded data that starts at `at`: FF is followed by 00 (a stuffed
/// byte), D0..D7 (a restart) or FF (fill) inside it, and by anything else in the next marker (ITU
/// T.81, B.1.1).
std::size_t skip_scan(std::string_view bytes, std::size_t at) {
  for (at = bytes.find('\xff', at); at != bytes.npos && at + 1 < bytes.size();
       at = bytes.find('\xff', at)) {
    const std::uint32_t next = byte_at(bytes, at + 1);
    if (next != 0x00 && next != 0xFF && (next < 0xD0 || next > 0xD7)) {
      return at;
    }
    at += next == 0xFF ? 1 : 2;
  }
  return bytes.size();
}

/// Whether the segments of a JPEG reach the end-of-image marker (ITU T.81, B.1.1). Thumbnails
/// inside segments do not count; bytes behind the marker do not harm.
bool jpeg_is_whole(std::string_view bytes) {
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    if (byte_at(bytes, at) != 0xFF) {
      return false;
    }
    const std::uint32_t marker = byte_at(bytes, at + 1);
    if (marker == 0xD9) {
      return true;
    }
    if (marker == 0xFF) {  // fill
      at += 1;
    } else if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) {  // no length
      at += 2;
    } else {
      if (at + 3 >= bytes.size()) {
        return false;
      }
      at += 2 + (byte_at(bytes, at + 2) << 8 | byte_at(bytes, at + 3));
      if (marker == 0xDA) {
        at = skip_scan(bytes, at);
      }
    }
  }
  return false;
}

/// Reads the fields of a TIFF; positions outside the file read as nothing.
class TiffReader {
 public:
  explicit TiffReader(std::string_view bytes) : bytes_(bytes), big_endian_(bytes[0] == 'M') {}

  std::optional<std::uint64_t> number(std::uint64_t at, std::size_t length) const {
    if (!holds(at, length)) {
      return std::nullopt;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < length; ++i) {
      const std::size_t place = big_endian_ ? i : length - 1 - i;
      value = value << 8 | byte_at(bytes_, static_cast<std::size_t>(at) + place);
    }
    return value;
  }

  bool holds(std::uint64_t at, std::uint64_t length) const {
    return at <= bytes_.size() && length <= bytes_.size() - at;
  }

  /// The values of one 12-byte entry; nothing when they lie outside the file.
  std::optional<std::vector<std::uint64_t>> values(std::uint64_t entry) const {
    constexpr std::array<std::size_t, 13> kTypeBytes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};
    const std::uint64_t type = *number(entry + 2, 2);
    const std::uint64_t count = *number(entry + 4, 4);
    const std::size_t each = type < kTypeBytes.size() ? kTypeBytes[type] : 0;
    const std::uint64_t at = count * each <= 4 ? entry + 8 : *number(entry + 8, 4);
    if (!holds(at, count * each)) {
      return std::nullopt;
    }
    std::vector<std::uint64_t> found;
    for (std::uint64_t i = 0; i < count && each > 0; ++i) {
      found.push_back(*number(at + i * each, each));
    }
    return found;
  }

 private:
  std::string_view bytes_;
  bool big_endian_;
};

/// Whether the first directory of a TIFF and the strips or tiles it lists lie within the file
/// (TIFF 6.0, section 2). BigTIFF is left to libtiff.
bool tiff_is_whole(std::string_view bytes) {
  if (bytes.size() < 8) {
    return false;
  }
  const TiffReader tiff(bytes);
  if (*tiff.number(2, 2) != 42) {
    return true;
  }
  const std::uint64_t directory = *tiff.number(4, 4);
  const std::optional<std::uint64_t> entries = tiff.number(directory, 2);
  if (!entries || !tiff.holds(directory + 2, *entries * 12 + 4)) {
    return false;
  }
  std::vector<std::uint64_t> offsets, lengths;
  for (std::uint64_t i = 0; i < *entries; ++i) {
    const std::uint64_t entry = directory + 2 + 12 * i;
    const auto values = tiff.values(entry);
    if (!values) {
      return false;
    }
    const std::uint64_t tag = *tiff.number(entry, 2);
    if (tag == 273 || tag == 324) {  // StripOffsets, TileOffsets
      offsets = *values;
    } else if (tag == 279 || tag == 325) {  // StripByteCounts, TileByteCounts
      lengths = *values;
    }
  }
  for (std::size_t i = 0; i < std::min(offsets.size(), lengths.size()); ++i) {
    if (!tiff.holds(offsets[i], lengths[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<ImageFormat> image_format(std::string_view bytes) {
  if (starts_like(bytes, kPngSignature)) {
    return ImageFormat::kPng;
  }
  if (starts_like(bytes, "\xff\xd8\xff"sv)) {
    return ImageFormat::kJpeg;
  }
  for (const std::string_view signature : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (starts_like(bytes, signature)) {
      return ImageFormat::kTiff;
    }
  }
  return std::nullopt;
}

bool is_whole_image(ImageFormat format, std::string_view bytes) {
  switch (format) {
    case ImageFormat::kPng:
      return png_is_whole(bytes);
    case ImageFormat::kJpeg:
      return jpeg_is_whole(bytes);
    case ImageFormat::kTiff:
      return tiff_is_whole(bytes);
  }
  return false;
}

}  // namespace probedarts::data
