#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace probedarts::data {

/// A one-dimensional array of whole numbers as numpy.save writes it: format version 1, 2 or 3,
/// little endian, 1 to 8 bytes an element, signed or not, C order. Source: numpy/lib/format.py,
/// "Format Version 1.0 ... 3.0". \throws UserError for any other content; unsigned 64-bit values
/// beyond 2^63-1 are refused.
std::vector<std::int64_t> read_npy_indices(const std::filesystem::path& file);

/// The same from memory; `named` is the file in error messages.
std::vector<std::int64_t> parse_npy_indices(std::string_view bytes,
                                            const std::filesystem::path& named);

/// The bytes of a float32 array as numpy.save writes it (format version 1.0, C order).
/// \throws Bug when the values do not fill the shape.
std::string format_npy(std::span<const float> values, const std::vector<std::size_t>& shape);

}  // namespace probedarts::data
