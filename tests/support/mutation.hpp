#pragma once

// For fuzz tests: random damage to a well-formed file.
#include <string>

#include "core/random.hpp"

namespace probedarts::testing {

/// One to four changes: a byte replaced, removed, doubled, a stretch removed or copied elsewhere,
/// the end cut off.
inline std::string mutate(std::string bytes, Stream& stream) {
  const std::uint64_t changes = 1 + stream.below(4);
  for (std::uint64_t change = 0; change < changes && !bytes.empty(); ++change) {
    const std::size_t at = stream.below(bytes.size());
    const std::size_t length = 1 + stream.below(bytes.size() - at);
    switch (stream.below(6)) {
      case 0:
        bytes[at] = static_cast<char>(stream.below(256));
        break;
      case 1:
        bytes.erase(at, 1);
        break;
      case 2:
        bytes.insert(at, 1, bytes[at]);
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(stream.below(bytes.size()), bytes.substr(at, length));
        break;
      default:
        bytes.resize(at);
    }
  }
  return bytes;
}

}  // namespace probedarts::testing
