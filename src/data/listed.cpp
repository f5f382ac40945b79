// What the layouts share: images that a table lists, folder entries, names of splits and classes.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <system_error>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/escape.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

std::string place_of(const ListedImage& image) {
  return fmt::format("{}: line {}", image.table.string(), image.line);
}

/// The image as a table names it: relative to the table's folder where it lies below that.
std::string name_beside(const ListedImage& image) {
  const std::filesystem::path relative =
      image.file.lexically_normal().lexically_relative(image.table.parent_path());
  const bool below = !relative.empty() && *relative.begin() != "..";
  return below ? relative.string() : image.file.string();
}

void check_files(const std::vector<ListedImage>& images) {
  std::unordered_map<std::string, const ListedImage*> seen;
  for (const ListedImage& image : images) {
    if (!is_file(image.file)) {
      throw UserError(fmt::format("{}: image {} is not there; correct the path or remove the line",
                                  place_of(image), image.file.string()));
    }
    const auto [first, fresh] = seen.emplace(image.file.lexically_normal().string(), &image);
    if (!fresh) {
      const ListedImage& other = *first->second;
      const std::string there =
          other.table == image.table ? fmt::format("line {}", other.line) : place_of(other);
      throw UserError(fmt::format("{}: image {} is listed already in {}; keep one of the two",
                                  place_of(image), name_beside(image), there));
    }
  }
}

void check_groups(const std::vector<ListedImage>& images) {
  std::unordered_map<std::string, const ListedImage*> seen;
  for (const ListedImage& image : images) {
    if (image.group.empty()) {
      continue;
    }
    const ListedImage& first = *seen.emplace(image.group, &image).first->second;
    if (first.split != image.split) {
      throw UserError(fmt::format(
          "{}: line {}: group '{}' is in split {} here and in split {} in line {}; put all images "
          "of a group into one split",
          image.table.string(), image.line, image.group, name_of(image.split), name_of(first.split),
          first.line));
    }
  }
}

std::optional<long long> whole_number(const std::string& text) {
  long long value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end && !text.empty() ? std::optional(value)
                                                                 : std::nullopt;
}

template <std::size_t kCount>
bool ends_as_one_of(const std::filesystem::path& path,
                    const std::array<const char*, kCount>& endings) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

}  // namespace

void take_listed_images(Dataset& dataset, std::vector<ListedImage> images) {
  check_files(images);
  check_groups(images);
  std::map<std::string, std::int32_t> number_of;
  if (dataset.kind == LabelKind::kSingle) {
    for (const ListedImage& image : images) {
      if (number_of.emplace(image.label, 0).second) {
        dataset.classes.push_back(image.label);
      }
    }
    sort_class_names(dataset.classes);
    for (std::size_t k = 0; k < dataset.classes.size(); ++k) {
      number_of[dataset.classes[k]] = static_cast<std::int32_t>(k);
    }
  }
  for (ListedImage& image : images) {
    Sample sample;
    sample.file = std::move(image.file);
    sample.labels = std::move(image.labels);
    sample.group = std::move(image.group);
    if (dataset.kind == LabelKind::kSingle) {
      sample.label = number_of.at(image.label);
    }
    dataset.of(image.split).push_back(std::move(sample));
  }
}

std::optional<std::uint8_t> flag_of(std::string_view value) {
  if (value == "0" || value == "0.0") {
    return std::uint8_t{0};
  }
  if (value == "1" || value == "1.0") {
    return std::uint8_t{1};
  }
  return std::nullopt;
}

std::vector<std::uint8_t> read_flags(const CsvTable& table, const CsvRow& row,
                                     const std::vector<std::size_t>& columns) {
  std::vector<std::uint8_t> flags;
  flags.reserve(columns.size());
  for (const std::size_t column : columns) {
    const auto flag = flag_of(row.fields[column]);
    if (!flag) {
      throw UserError(
          fmt::format("{}: line {}: label '{}' of class '{}' is neither 0 nor 1; correct it",
                      table.file.string(), row.line, row.fields[column], table.columns[column]));
    }
    flags.push_back(*flag);
  }
  return flags;
}

void sort_class_names(std::vector<std::string>& names) {
  const bool numbers = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return whole_number(name).has_value();
  });
  std::sort(names.begin(), names.end(), [numbers](const std::string& a, const std::string& b) {
    return numbers && *whole_number(a) != *whole_number(b) ? *whole_number(a) < *whole_number(b)
                                                           : a < b;
  });
}

std::optional<Split> split_named(std::string_view name) {
  constexpr std::array kNames = {
      std::pair{std::string_view("train"), Split::kTrain},
      std::pair{std::string_view("valid"), Split::kValid},
      std::pair{std::string_view("val"), Split::kValid},
      std::pair{std::string_view("validation"), Split::kValid},
      std::pair{std::string_view("test"), Split::kTest},
  };
  for (const auto& [known, split] : kNames) {
    if (name == known) {
      return split;
    }
  }
  return std::nullopt;
}

std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> entries;
  std::filesystem::directory_iterator entry(folder, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    const std::string name = entry->path().filename().string();
    if (!is_utf8(name)) {  // it could be written neither into a run folder nor into JSON
      throw UserError(
          fmt::format("{}: the name '{}' is not UTF-8; rename it, for example with convmv",
                      folder.string(), visible_name(name)));
    }
    if (!name.starts_with('.')) {
      entries.push_back(entry->path());
    }
    entry.increment(error);
  }
  if (error) {
    throw UserError(fmt::format("{}: the folder cannot be listed ({}); check its permissions",
                                folder.string(), error.message()));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_image(const std::filesystem::path& path) {
  constexpr std::array kEndings = {".png", ".jpg", ".jpeg", ".tif", ".tiff"};
  return ends_as_one_of(path, kEndings) && is_file(path);
}

bool is_foreign_image(const std::filesystem::path& path) {
  constexpr std::array kEndings = {".bmp", ".gif",  ".webp", ".jp2", ".heic", ".dcm",
                                   ".svs", ".ndpi", ".mrxs", ".scn", ".bif",  ".vms"};
  return ends_as_one_of(path, kEndings) && is_file(path);
}

bool is_file(const std::filesystem::path& path) {
  std::error_code absent;
  return std::filesystem::is_regular_file(path, absent);
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code absent;
  return std::filesystem::is_directory(path, absent);
}

}  // namespace probedarts::data
