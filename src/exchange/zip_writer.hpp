#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace probedarts::exchange {

/// Makes a zip file of stored entries, each payload beginning at a multiple of 64 bytes as
/// PyTorch's do (it maps them). No time, no permissions: equal entries give equal bytes.
/// Source: PKWARE's APPNOTE.TXT 6.3.10, sec. 4.3; without Zip64, so below 4 GiB and 65535 entries.
class ZipWriter {
 public:
  void add(const std::string& name, std::string_view bytes);

  /// The whole file; the writer is used up. Empty when it is too large for a zip file.
  std::string finish();

 private:
  struct Record {
    std::string name;
    std::uint32_t checksum;
    std::uint64_t bytes;
    std::uint64_t local;
  };
  std::string content_;
  std::vector<Record> records_;
};

}  // namespace probedarts::exchange
