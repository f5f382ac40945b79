#pragma once

#include <cstring>
#include <string>

namespace probedarts::exchange {

/// Appends the lowest bytes of `value` as a T, little-endian as every machine we build for.
template <typename T, typename V>
void append_number(std::string& out, V value) {
  const T number = static_cast<T>(value);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &number, sizeof(T));
  out.append(bytes, sizeof(T));
}

}  // namespace probedarts::exchange
