// Layout "adp": the Atlas of Digital Pathology, release 1 (Hosseini et al., CVPR 2019): one label
// sheet, and index arrays of its rows for the splits.
#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "data/layouts.hpp"
#include "data/npy.hpp"

namespace probedarts::data {
namespace {

constexpr const char* kSheet = "ADP_EncodedLabels_Release1_Flat.csv";
constexpr const char* kRelease = "ADP V1.0 Release";

/// Classes of a level of the tissue taxonomy, in the order of the network's outputs.
struct AdpLevel {
  std::string_view name;
  std::string_view classes;  // separated by spaces
};
constexpr std::array kLevels = {
    AdpLevel{"L1", "E C H S A M N G T"},
    AdpLevel{"L2",
             "E E.M E.T C C.D C.L H H.E H.K H.Y S S.M S.C S.R A A.W A.M M N N.P N.R N.G G G.O G.N "
             "T"},
    AdpLevel{"L3",
             "E E.M E.M.S E.M.C E.T E.T.S E.T.C C C.D C.D.I C.D.R C.L H H.E H.K H.Y S S.M S.C S.R "
             "A A.W A.M M N N.P N.R N.G N.G.M G G.O G.N T"},
};

std::vector<std::string> classes_of(const std::string& level) {
  for (const AdpLevel& known : kLevels) {
    if (known.name == level) {
      std::vector<std::string> classes;
      std::string_view rest = known.classes;
      while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        classes.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      return classes;
    }
  }
  throw UserError(fmt::format("ADP level '{}' is unknown; use L1, L2 or L3", level));
}

std::filesystem::path release_folder(const std::filesystem::path& root) {
  return is_file(root / kSheet) ? root : root / kRelease;
}

/// A part of the release, which some copies keep beside the release folder instead of inside it.
std::filesystem::path find_part(const std::filesystem::path& root, const char* name) {
  for (const auto& folder : {release_folder(root) / name, root / name}) {
    if (is_folder(folder)) {
      return folder;
    }
  }
  throw UserError(fmt::format("{}: folder '{}' is missing; put it beside {}",
                              release_folder(root).string(), name, kSheet));
}

/// Checks that no row is taken twice, within a split file or across them.
class RowKeeper {
 public:
  explicit RowKeeper(std::size_t rows) : rows_(rows) {}

  std::size_t take(const std::filesystem::path& file, std::size_t entry, std::int64_t row) {
    if (row < 0 || static_cast<std::uint64_t>(row) >= rows_) {
      throw UserError(
          fmt::format("{}: entry {} is row {}, but the label sheet has rows 0 to {}; "
                      "use the split files of this release",
                      file.string(), entry, row, rows_ - 1));
    }
    const auto [first, fresh] = taken_by_.emplace(row, file);
    if (!fresh) {
      throw UserError(
          fmt::format("{}: entry {} is row {}, which {} holds already; keep each row in "
                      "one split, once",
                      file.string(), entry, row, first->second.filename().string()));
    }
    return static_cast<std::size_t>(row);
  }

 private:
  std::size_t rows_;
  std::unordered_map<std::int64_t, std::filesystem::path> taken_by_;
};

}  // namespace

bool has_adp(const std::filesystem::path& root) { return is_file(release_folder(root) / kSheet); }

Dataset open_adp(const std::filesystem::path& root, const DatasetOptions& options) {
  Dataset dataset;
  dataset.layout = "adp";
  dataset.kind = LabelKind::kMulti;
  dataset.classes = classes_of(options.adp_level);
  if (!has_adp(root)) {
    throw UserError(fmt::format("{}: {} is missing; give the folder that holds '{}'", root.string(),
                                kSheet, kRelease));
  }
  const CsvTable table = read_csv_table(release_folder(root) / kSheet);
  const std::size_t name = table.need("Patch Names");
  std::vector<std::size_t> columns;
  for (const std::string& label : dataset.classes) {
    columns.push_back(table.need(label));
  }
  const auto images_folder = find_part(root, "img_res_1um_bicubic");
  const auto splits_folder = find_part(root, "splits");
  RowKeeper keeper(table.rows.size());
  std::vector<ListedImage> images;
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    const auto file = splits_folder / fmt::format("{}.npy", name_of(split));
    const std::vector<std::int64_t> indices = read_npy_indices(file);
    for (std::size_t entry = 0; entry < indices.size(); ++entry) {
      const CsvRow& row = table.rows[keeper.take(file, entry, indices[entry])];
      ListedImage image;
      image.file = images_folder / row.fields[name];
      image.split = split;
      image.labels = read_flags(table, row, columns);
      image.table = table.file;
      image.line = row.line;
      images.push_back(std::move(image));
    }
  }
  take_listed_images(dataset, std::move(images));
  return dataset;
}

}  // namespace probedarts::data
