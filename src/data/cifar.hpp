#pragma once

#include <cstdint>
#include <string_view>

#include "data/image.hpp"

namespace probedarts::data {

/// Side and bytes of a CIFAR image: three planes (red, green, blue) of 32 rows of 32 pixels.
inline constexpr int kCifarSide = 32;
inline constexpr std::size_t kCifarPixelBytes = 3 * 32 * 32;

/// The image of one record of a batch file (its whole content). \throws Bug when the record is not
/// inside it.
Image cifar_image(std::string_view batch, int label_bytes, std::int64_t record);

}  // namespace probedarts::data
