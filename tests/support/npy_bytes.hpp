#pragma once

// For tests: .npy files made by hand.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace probedarts::testing {

inline std::string npy_with_header(const std::string& header, const std::string& body,
                                   int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int k = 0; k < (version == 1 ? 2 : 4); ++k) {
    bytes += static_cast<char>((header.size() >> (8 * k)) & 0xFFU);
  }
  return bytes + header + body;
}

/// What numpy.save writes (on a little-endian machine), but for the padding of the header.
template <typename Number>
std::string npy_array(const std::string& type, const std::vector<Number>& values) {
  std::string body(values.size() * sizeof(Number), '\0');
  if (!values.empty()) {
    std::memcpy(body.data(), values.data(), body.size());
  }
  return npy_with_header(
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}\n", type,
                  values.size()),
      body);
}

}  // namespace probedarts::testing
