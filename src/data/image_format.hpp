#pragma once

#include <optional>
#include <string_view>

namespace probedarts::data {

/// The formats of patches.
enum class ImageFormat { kPng, kJpeg, kTiff };

/// What the first bytes say; a beginning too short to tell counts as the format it may become.
/// Nothing for others.
std::optional<ImageFormat> image_format(std::string_view bytes);

/// Whether a file has all its parts, from its structure alone: decoders fill what is missing with
/// grey and go on. Finds every truncation of PNG (a chunk, IEND), JPEG (a segment, EOI) and TIFF
/// (first directory, its values, its strips or tiles); not damage inside. Cost: a scan for JPEG,
/// next to nothing else.
bool is_whole_image(ImageFormat format, std::string_view bytes);

}  // namespace probedarts::data
