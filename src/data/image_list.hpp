#pragma once

#include <filesystem>
#include <vector>

namespace probedarts::data {

/// The images that a user names: files as given, and for a folder all files below it that end as
/// images do (.png, .jpg, .jpeg, .tif, .tiff), by name, hidden ones left out.
/// \throws UserError for a path that is not there, and for a folder without an image.
std::vector<std::filesystem::path> list_images(const std::vector<std::filesystem::path>& given);

}  // namespace probedarts::data
