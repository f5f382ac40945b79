#include "data/image_list.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/progress.hpp"
#include "core/random.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

/// \param foreign  images that we do not read.
void list_below(const std::filesystem::path& folder, std::vector<std::filesystem::path>& images,
                std::vector<std::filesystem::path>& foreign) {
  for (const auto& entry : list_folder(folder)) {
    if (is_image(entry)) {
      images.push_back(entry);
    } else if (is_foreign_image(entry)) {
      foreign.push_back(entry);
    } else if (is_folder(entry) && !std::filesystem::is_symlink(entry)) {  // links may run in rings
      list_below(entry, images, foreign);
    }
  }
}

std::vector<std::size_t> classes_of(const Dataset& dataset, const Sample& sample) {
  if (dataset.kind == LabelKind::kSingle) {
    return {static_cast<std::size_t>(sample.label)};
  }
  std::vector<std::size_t> present;
  for (std::size_t c = 0; c < sample.labels.size(); ++c) {
    if (sample.labels[c] != 0) {
      present.push_back(c);
    }
  }
  return present;
}

}  // namespace

std::vector<std::filesystem::path> list_images(const std::vector<std::filesystem::path>& given) {
  std::vector<std::filesystem::path> images;
  std::vector<std::filesystem::path> foreign;
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
    list_below(path, images, foreign);
    if (images.size() == before) {
      throw UserError(fmt::format("{}: the folder holds no image; give PNG, JPEG or TIFF files",
                                  path.string()));
    }
  }
  if (!foreign.empty()) {
    print_line(fmt::format("{} image{} left out for being no PNG, JPEG or TIFF, for example {}",
                           foreign.size(), foreign.size() == 1 ? "" : "s",
                           foreign.front().string()));
  }
  return images;
}

std::vector<std::filesystem::path> pick_images(const Dataset& dataset, Split split,
                                               std::size_t count, std::uint64_t seed) {
  const std::vector<Sample>& samples = dataset.of(split);
  Stream stream(seed, "pick images");
  std::vector<std::size_t> left = random_order(samples.size(), stream);
  std::erase_if(left, [&](std::size_t i) { return classes_of(dataset, samples[i]).empty(); });
  if (left.empty()) {
    throw UserError(
        fmt::format("data set '{}' has no labelled image in its split '{}'; name images",
                    dataset.root.string(), name_of(split)));
  }
  std::vector<int> shown(dataset.classes.size());
  std::vector<std::filesystem::path> images;
  while (images.size() < count && !left.empty()) {
    const auto rarest = [&](std::size_t i) {
      int least = std::numeric_limits<int>::max();
      for (const std::size_t c : classes_of(dataset, samples[i])) {
        least = std::min(least, shown[c]);
      }
      return least;
    };
    const auto next = std::min_element(left.begin(), left.end(), [&](std::size_t a, std::size_t b) {
      return rarest(a) < rarest(b);
    });
    const Sample& sample = samples[*next];
    if (sample.record >= 0) {
      throw UserError(
          fmt::format("data set '{}' keeps its images in batch files; name image files instead",
                      dataset.root.string()));
    }
    for (const std::size_t c : classes_of(dataset, sample)) {
      ++shown[c];
    }
    images.push_back(sample.file);
    left.erase(next);
  }
  return images;
}

}  // namespace probedarts::data
