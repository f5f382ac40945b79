// Layout "labels.csv": file,split,label or file,split and one 0/1 column per class; optionally a
// group column.
#include <algorithm>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

Split read_split(const CsvTable& table, const CsvRow& row, std::size_t column) {
  const auto split = split_named(row.fields[column]);
  if (!split) {
    throw UserError(fmt::format("{}: line {}: split '{}' is unknown; use train, valid or test",
                                table.file.string(), row.line, row.fields[column]));
  }
  return *split;
}

std::size_t count_flags(const CsvTable& table, std::size_t column) {
  return static_cast<std::size_t>(std::count_if(
      table.rows.begin(), table.rows.end(),
      [column](const CsvRow& row) { return flag_of(row.fields[column]).has_value(); }));
}

/// The run of 0/1 columns right after `split`. A column that is 0/1 in at least half of its rows
/// belongs to it, so that a slip of the pen is reported by `read_flags` rather than silently taking
/// a class away.
std::vector<std::size_t> guess_label_columns(const CsvTable& table, std::size_t split,
                                             const std::string& group_column) {
  std::vector<std::size_t> run;
  for (std::size_t column = split + 1; column < table.columns.size(); ++column) {
    if (table.columns[column] == group_column ||
        2 * count_flags(table, column) < table.rows.size()) {
      break;
    }
    run.push_back(column);
  }
  if (run.empty()) {
    throw UserError(
        fmt::format("{}: column 'label' is missing, and no 0/1 column follows 'split'; "
                    "add one or the other",
                    table.file.string()));
  }
  return run;
}

std::vector<std::size_t> choose_label_columns(const CsvTable& table, std::size_t split,
                                              const DatasetOptions& options) {
  if (options.label_columns.empty()) {
    return guess_label_columns(table, split, options.group_column);
  }
  std::vector<std::size_t> chosen;
  for (const std::string& name : options.label_columns) {
    chosen.push_back(table.need(name));
  }
  return chosen;
}

std::optional<std::size_t> find_group_column(const CsvTable& table, const DatasetOptions& options) {
  // Only the customary name may be absent: whoever names another column relies on it.
  return options.group_column == DatasetOptions().group_column
             ? table.find(options.group_column)
             : std::optional(table.need(options.group_column));
}

}  // namespace

Dataset open_labels_csv(const std::filesystem::path& root, const DatasetOptions& options) {
  const CsvTable table = read_csv_table(root / "labels.csv");
  const std::size_t file = table.need("file");
  const std::size_t split = table.need("split");
  const auto label = options.label_columns.empty() ? table.find("label") : std::nullopt;
  const auto group = find_group_column(table, options);

  Dataset dataset;
  dataset.layout = "labels.csv";
  dataset.kind = label ? LabelKind::kSingle : LabelKind::kMulti;
  std::vector<std::size_t> flags;
  if (!label) {
    flags = choose_label_columns(table, split, options);
    for (const std::size_t column : flags) {
      dataset.classes.push_back(table.columns[column]);
    }
  }
  std::vector<ListedImage> images;
  for (const CsvRow& row : table.rows) {
    ListedImage image;
    image.file = root / row.fields[file];
    image.split = read_split(table, row, split);
    image.table = table.file;
    image.line = row.line;
    image.group = group ? row.fields[*group] : "";
    if (label) {
      image.label = row.fields[*label];
      if (image.label.empty()) {
        throw UserError(fmt::format("{}: line {}: the label is empty; name the class of the image",
                                    table.file.string(), row.line));
      }
    } else {
      image.labels = read_flags(table, row, flags);
    }
    images.push_back(std::move(image));
  }
  take_listed_images(dataset, std::move(images));
  return dataset;
}

}  // namespace probedarts::data
