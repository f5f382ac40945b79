// Layout "class folders": [train|valid|test/]CLASS/image.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> folders = list_folder(folder);
  std::erase_if(folders, [](const auto& entry) {
    return !is_folder(entry) || entry.filename() == "__MACOSX";
  });
  return folders;
}

std::vector<ListedImage> images_below(const std::filesystem::path& parent, Split split) {
  std::vector<ListedImage> images;
  for (const auto& folder : folders_in(parent)) {
    const std::size_t before = images.size();
    for (const auto& file : list_folder(folder)) {
      if (is_image(file)) {
        ListedImage image;
        image.file = file;
        image.split = split;
        image.label = folder.filename().string();
        images.push_back(image);
      }
    }
    if (images.size() == before) {
      throw UserError(fmt::format(
          "{}: the class folder holds no image; add PNG, JPEG or TIFF files or remove the folder",
          folder.string()));
    }
  }
  return images;
}

/// The folders of the splits; none when the classes lie right below `root`.
std::map<Split, std::filesystem::path> split_folders(const std::filesystem::path& root) {
  std::map<Split, std::filesystem::path> found;
  for (const auto& folder : folders_in(root)) {
    const auto split = split_named(folder.filename().string());
    // A class may be called "test": a split is told from it by the class folders it holds.
    if (!split || folders_in(folder).empty()) {
      continue;
    }
    const auto [first, fresh] = found.emplace(*split, folder);
    if (!fresh) {
      throw UserError(fmt::format(
          "{}: folders '{}' and '{}' both name the {} split; keep one of them", root.string(),
          first->second.filename().string(), folder.filename().string(), name_of(*split)));
    }
  }
  return found;
}

}  // namespace

Dataset open_folders(const std::filesystem::path& root) {
  Dataset dataset;
  dataset.layout = "class folders";
  const auto splits = split_folders(root);
  std::vector<ListedImage> images;
  if (splits.empty()) {
    images = images_below(root, Split::kTrain);
  }
  for (const auto& [split, folder] : splits) {
    const auto more = images_below(folder, split);
    images.insert(images.end(), more.begin(), more.end());
  }
  if (images.empty()) {
    throw UserError(
        fmt::format("{}: no class folders, labels.csv, lists or CIFAR files are here; "
                    "put the images of each class into a folder of its name",
                    root.string()));
  }
  take_listed_images(dataset, std::move(images));
  return dataset;
}

}  // namespace probedarts::data
