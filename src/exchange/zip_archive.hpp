#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "exchange/allowance.hpp"

namespace probedarts::exchange {

/// One file in a zip file.
struct ZipEntry {
  bool deflated = false;
  std::uint32_t checksum = 0;  ///< CRC-32 of the unpacked bytes; 0 when the writer left it out
  std::string_view packed;     ///< in the zip file
  std::uint64_t unpacked_bytes = 0;
};

/// The entries of a zip file in memory, read from its central directory: PyTorch leaves the sizes
/// in the local headers empty. Stored entries are views of the file; deflated ones are unpacked by
/// zlib when they are asked for. Source: PKWARE's APPNOTE.TXT 6.3.10, sec. 4.3 and 4.5.3 (Zip64).
///
/// Refused are: a missing or truncated directory, encryption, methods other than stored and
/// deflate, two entries of one name, entries that share bytes with each other or with the
/// directory, and wrong checksums. What is unpacked is charged to the allowance beforehand.
class ZipArchive {
 public:
  /// `content` and `allowance` must outlive the archive and all views of it.
  /// \throws UserError
  ZipArchive(std::string_view content, Allowance& allowance);

  bool has(const std::string& name) const { return entries_.count(name) != 0; }

  /// The folder F of the only entry "F/<file>" that lies in a folder of the first level; "" when
  /// there is none or more than one.
  std::string folder_of(std::string_view file) const;

  /// The bytes of an entry. \throws UserError when it is missing or damaged.
  std::string_view read(const std::string& name);

 private:
  Allowance& allowance_;
  std::map<std::string, ZipEntry, std::less<>> entries_;
  std::deque<std::string> inflated_;  // a deque, so that views stay valid
};

}  // namespace probedarts::exchange
