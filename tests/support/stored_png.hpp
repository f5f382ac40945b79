#pragma once

// For tests: PNG files of colour types that OpenCV does not write, with uncompressed data.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace probedarts::testing {

inline std::string big_endian_32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(value >> shift & 0xFF);
  }
  return bytes;
}

/// CRC of ISO 3309, as the PNG specification asks (annex D).
inline std::uint32_t crc_32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320U : 0U);
    }
  }
  return ~crc;
}

inline std::string png_chunk(const std::string& type, const std::string& content) {
  return big_endian_32(static_cast<std::uint32_t>(content.size())) + type + content +
         big_endian_32(crc_32(type + content));
}

/// zlib stream of one stored block (RFC 1950, RFC 1951 section 3.2.4); at most 65535 bytes.
inline std::string stored_zlib(const std::string& content) {
  std::uint32_t a = 1, b = 0;
  for (const char byte : content) {
    a = (a + static_cast<unsigned char>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  const auto low = static_cast<char>(content.size() & 0xFF);
  const auto high = static_cast<char>(content.size() >> 8);
  return std::string("\x78\x01\x01") + low + high + static_cast<char>(~low) +
         static_cast<char>(~high) + content + big_endian_32(b << 16 | a);
}

/// A PNG of one row of packed samples.
inline std::string stored_png(int width, int height, int bits, int colour_type,
                              const std::string& row, const std::string& palette = "",
                              const std::string& transparency = "") {
  std::string header = big_endian_32(static_cast<std::uint32_t>(width)) +
                       big_endian_32(static_cast<std::uint32_t>(height));
  header += {static_cast<char>(bits), static_cast<char>(colour_type), 0, 0, 0};
  std::string png = "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header);
  if (!palette.empty()) {
    png += png_chunk("PLTE", palette);
  }
  if (!transparency.empty()) {
    png += png_chunk("tRNS", transparency);
  }
  return png + png_chunk("IDAT", stored_zlib(std::string(1, '\0') + row)) + png_chunk("IEND", "");
}

}  // namespace probedarts::testing
