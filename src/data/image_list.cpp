#include "data/image_list.hpp"

#include <fmt/format.h>

#include "core/errors.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

void list_below(const std::filesystem::path& folder, std::vector<std::filesystem::path>& images) {
  for (const auto& entry : list_folder(folder)) {
    if (is_image(entry)) {
      images.push_back(entry);
    } else if (is_folder(entry) && !std::filesystem::is_symlink(entry)) {  // links may run in rings
      list_below(entry, images);
    }
  }
}

}  // namespace

std::vector<std::filesystem::path> list_images(const std::vector<std::filesystem::path>& given) {
  std::vector<std::filesystem::path> images;
  for (const auto& path : given) {
    if (is_file(path)) {
      images.push_back(path);
      continue;
    }
    if (!is_folder(path)) {
      throw UserError(
          fmt::format("{}: there is no such file or folder; check the path", path.string()));
    }
    const std::size_t before = images.size();
    list_below(path, images);
    if (images.size() == before) {
      throw UserError(fmt::format("{}: the folder holds no image; give PNG, JPEG or TIFF files",
                                  path.string()));
    }
  }
  return images;
}

}  // namespace probedarts::data
