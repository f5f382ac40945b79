#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/dataset.hpp"

namespace probedarts::data {

/// The images that a user names: files as given, and for a folder all files below it that end as
/// images do (.png, .jpg, .jpeg, .tif, .tiff), by name, hidden ones left out;
/// that images of other kinds were passed over is printed.
/// \throws UserError for a path that is not there, and for a folder without an image.
std::vector<std::filesystem::path> list_images(const std::vector<std::filesystem::path>& given);

/// So many images of a split (or all, where it has fewer), drawn by the seed alone, each of a class
/// that those before it show least. Images without any class are left out.
/// \throws UserError for a data set that keeps its images in batch files, and for an empty split.
std::vector<std::filesystem::path> pick_images(const Dataset& dataset, Split split,
                                               std::size_t count, std::uint64_t seed);

}  // namespace probedarts::data
