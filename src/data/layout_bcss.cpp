// Layout "bcss": BCSS_transformed/{train,valid,test}.csv with column `image` and one 0/1 column per
// class.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

constexpr const char* kFolder = "BCSS_transformed";

std::filesystem::path table_folder(const std::filesystem::path& root) {
  return is_folder(root / kFolder) ? root / kFolder : root;
}

bool names_an_image_column(const std::filesystem::path& file) {
  if (!is_file(file)) {
    return false;
  }
  const std::vector<CsvRow> rows = parse_csv(read_file(file), file);
  if (rows.empty() || rows.front().fields.size() < 3) {
    return false;
  }
  const auto& columns = rows.front().fields;
  return std::find(columns.begin(), columns.end(), "image") != columns.end();
}

/// Where the names in column `image` start from: the folder in which the first one is found.
std::filesystem::path image_folder(const std::filesystem::path& root, const CsvTable& table,
                                   Split split) {
  const std::string& first = table.rows.front().fields[table.need("image")];
  const std::filesystem::path folder = table_folder(root);
  const std::array candidates = {folder, folder / name_of(split), folder / "images", root};
  for (const auto& candidate : candidates) {
    if (is_file(candidate / first)) {
      return candidate;
    }
  }
  return folder;
}

void read_table(const std::filesystem::path& root, const CsvTable& table, Split split,
                const std::vector<std::string>& classes, std::vector<ListedImage>& images) {
  const std::size_t name = table.need("image");
  std::vector<std::size_t> columns;
  for (const std::string& label : classes) {
    columns.push_back(table.need(label));
  }
  if (columns.size() + 1 != table.columns.size()) {
    throw UserError(
        fmt::format("{}: {} class columns, but train.csv has {}; give all split files "
                    "the same columns",
                    table.file.string(), table.columns.size() - 1, columns.size()));
  }
  const std::filesystem::path folder = image_folder(root, table, split);
  for (const CsvRow& row : table.rows) {
    ListedImage image;
    image.file = folder / row.fields[name];
    image.split = split;
    image.labels = read_flags(table, row, columns);
    image.table = table.file;
    image.line = row.line;
    images.push_back(std::move(image));
  }
}

}  // namespace

bool has_bcss(const std::filesystem::path& root) {
  return is_folder(root / kFolder) || names_an_image_column(root / "train.csv");
}

Dataset open_bcss(const std::filesystem::path& root) {
  Dataset dataset;
  dataset.layout = "bcss";
  dataset.kind = LabelKind::kMulti;
  std::vector<ListedImage> images;
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    const auto file = table_folder(root) / fmt::format("{}.csv", name_of(split));
    if (split == Split::kValid && !is_file(file)) {
      continue;  // it can be split off from train
    }
    CsvTable table = read_csv_table(file);
    // pandas writes its row numbers as a first column without a name.
    if (table.columns.front().empty()) {
      table.columns.erase(table.columns.begin());
      for (CsvRow& row : table.rows) {
        row.fields.erase(row.fields.begin());
      }
    }
    if (split == Split::kTrain) {
      dataset.classes = table.columns;
      std::erase(dataset.classes, "image");
    }
    read_table(root, table, split, dataset.classes, images);
  }
  take_listed_images(dataset, std::move(images));
  return dataset;
}

}  // namespace probedarts::data
