#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/csv.hpp"
#include "data/dataset.hpp"

/// Inside of the room: one reader per layout (docs/data.md), and what they share. `open_dataset`
/// chooses the reader and then checks classes, sorts, and splits off the validation images.
namespace probedarts::data {

Dataset open_folders(const std::filesystem::path& root);
Dataset open_labels_csv(const std::filesystem::path& root, const DatasetOptions& options);
Dataset open_cifar(const std::filesystem::path& root);
Dataset open_adp(const std::filesystem::path& root, const DatasetOptions& options);
Dataset open_bcss(const std::filesystem::path& root);
Dataset open_lists(const std::filesystem::path& root);

bool has_cifar(const std::filesystem::path& root);
bool has_adp(const std::filesystem::path& root);
bool has_bcss(const std::filesystem::path& root);
bool has_lists(const std::filesystem::path& root);

/// "train", "valid", "val", "validation", "test".
std::optional<Split> split_named(std::string_view name);

/// One image as a table lists it. `table` and `line` say where, for messages.
struct ListedImage {
  std::filesystem::path file;
  Split split = Split::kTrain;
  std::string label;                 ///< single label: the name of the class
  std::vector<std::uint8_t> labels;  ///< multi-label
  std::string group;
  std::filesystem::path table;
  std::size_t line = 0;
};

/// Moves listed images into the splits of `dataset`; for a single-label set also collects the
/// classes. \throws UserError for an image that is not there or is listed twice, and for a group in
/// two splits.
void take_listed_images(Dataset& dataset, std::vector<ListedImage> images);

/// Values of 0/1 columns of one row. \throws UserError for a value that is neither 0 nor 1.
std::vector<std::uint8_t> read_flags(const CsvTable& table, const CsvRow& row,
                                     const std::vector<std::size_t>& columns);

/// 0 or 1 (also written 0.0 and 1.0), or nothing.
std::optional<std::uint8_t> flag_of(std::string_view value);

/// Names in the order of class numbers: by number when all are whole numbers, else by bytes.
void sort_class_names(std::vector<std::string>& names);

/// Entries of a folder that are not hidden, sorted by name. \throws UserError when it cannot be
/// listed, and for a name that is not UTF-8.
std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder);

/// Whether it is a file that ends as images do: .png, .jpg, .jpeg, .tif or .tiff, in any case.
bool is_image(const std::filesystem::path& path);

/// Whether it ends as pictures and slides do that we do not read (.bmp, .svs, ...), in any case.
bool is_foreign_image(const std::filesystem::path& path);

bool is_file(const std::filesystem::path& path);
bool is_folder(const std::filesystem::path& path);

}  // namespace probedarts::data
