// Layout "lists": one file of `path,label` lines per split, as used for BACH and Osteosarcoma.

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

std::optional<std::filesystem::path> list_of(const std::filesystem::path& root, Split split) {
  std::optional<std::filesystem::path> found;
  for (const auto& entry : list_folder(root)) {
    const auto ending = entry.extension();
    if ((ending != ".csv" && ending != ".txt") || split_named(entry.stem().string()) != split ||
        !is_file(entry)) {
      continue;
    }
    if (found) {
      throw UserError(fmt::format("{}: {} and {} both list the {} split; keep one of them",
                                  root.string(), found->filename().string(),
                                  entry.filename().string(), name_of(split)));
    }
    found = entry;
  }
  return found;
}

bool names_columns(const CsvRow& row) {
  return row.fields.size() == 2 && row.fields[1] == "label" &&
         (row.fields[0] == "path" || row.fields[0] == "file" || row.fields[0] == "image");
}

void read_list(const std::filesystem::path& root, const std::filesystem::path& file, Split split,
               std::vector<ListedImage>& images) {
  const std::vector<CsvRow> rows = parse_csv(read_file(file), file);
  const std::size_t before = images.size();
  for (const CsvRow& row : rows) {
    if (&row == &rows.front() && names_columns(row)) {
      continue;
    }
    if (row.fields.size() != 2 || row.fields[0].empty() || row.fields[1].empty()) {
      throw UserError(fmt::format("{}: line {}: expected 'path,label'; correct the line",
                                  file.string(), row.line));
    }
    ListedImage image;
    image.file = root / row.fields[0];
    image.split = split;
    image.label = row.fields[1];
    image.table = file;
    image.line = row.line;
    images.push_back(std::move(image));
  }
  if (images.size() == before) {
    throw UserError(fmt::format("{}: no image is listed; add one line per image", file.string()));
  }
}

}  // namespace

bool has_lists(const std::filesystem::path& root) {
  return list_of(root, Split::kTrain).has_value();
}

Dataset open_lists(const std::filesystem::path& root) {
  Dataset dataset;
  dataset.layout = "lists";
  if (!has_lists(root)) {
    throw UserError(
        fmt::format("{}: train.csv (or train.txt) is missing; list the images of each "
                    "split as 'path,label' lines",
                    root.string()));
  }
  std::vector<ListedImage> images;
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    if (const auto file = list_of(root, split)) {
      read_list(root, *file, split, images);
    }
  }
  take_listed_images(dataset, std::move(images));
  return dataset;
}

}  // namespace probedarts::data
