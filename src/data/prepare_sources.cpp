// What a release holds: images with labels, groups and splits, from folders, a sheet, or masks.
#include "data/prepare_sources.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/random.hpp"
#include "data/csv.hpp"
#include "data/image_list.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

namespace fs = std::filesystem;

/// The classes of BCSS by code, as its `gtruth_codes.tsv` has them (Amgad et al., Bioinformatics
/// 35(18), 2019). The three without a name say that nothing is known of a pixel: outside_roi,
/// exclude, undetermined.
constexpr std::array<const char*, 22> kBcssClasses = {nullptr,
                                                      "tumor",
                                                      "stroma",
                                                      "lymphocytic_infiltrate",
                                                      "necrosis_or_debris",
                                                      "glandular_secretions",
                                                      "blood",
                                                      nullptr,
                                                      "metaplasia_NOS",
                                                      "fat",
                                                      "plasma_cells",
                                                      "other_immune_infiltrate",
                                                      "mucoid_material",
                                                      "normal_acinus_or_duct",
                                                      "lymphatics",
                                                      nullptr,
                                                      "nerve",
                                                      "skin_adnexa",
                                                      "blood_vessel",
                                                      "angioinvasion",
                                                      "dcis",
                                                      "other"};

MaskCodes bcss_codes() {
  MaskCodes codes;
  codes.class_of.fill(-2);
  for (std::size_t code = 0; code < kBcssClasses.size(); ++code) {
    codes.class_of[code] =
        kBcssClasses[code] != nullptr ? static_cast<int>(codes.classes.size()) : -1;
    if (kBcssClasses[code] != nullptr) {
      codes.classes.emplace_back(kBcssClasses[code]);
    }
  }
  return codes;
}

std::string name_below(const fs::path& root, const fs::path& file) {
  const fs::path below = file.lexically_proximate(root);
  return below.empty() || *below.begin() == ".." ? file.filename().generic_string()
                                                 : below.generic_string();
}

/// Looks for images that a sheet names: beside the sheet, in the source, then by bare name anywhere
/// below it.
class ImageFinder {
 public:
  explicit ImageFinder(const PrepareOptions& options) : options_(options) {}

  fs::path find(const CsvTable& table, const CsvRow& row, const std::string& named) {
    for (const fs::path& root : {options_.sheet.parent_path(), options_.source}) {
      if (!named.empty() && is_file(root / named)) {
        return root / named;
      }
    }
    const auto [first, last] = by_name().equal_range(fs::path(named).filename().string());
    if (first == last) {
      throw UserError(
          fmt::format("{}: line {}: image '{}' is not there; correct the name or remove the line",
                      table.file.string(), row.line, named));
    }
    if (std::next(first) != last) {
      throw UserError(fmt::format("{}: line {}: image '{}' is both {} and {}; name its folder too",
                                  table.file.string(), row.line, named, first->second.string(),
                                  std::next(first)->second.string()));
    }
    return first->second;
  }

 private:
  const std::multimap<std::string, fs::path>& by_name() {
    if (!listed_) {
      for (const fs::path& file : list_images({options_.source})) {
        names_.emplace(file.filename().string(), file);
      }
      listed_ = true;
    }
    return names_;
  }

  const PrepareOptions& options_;
  std::multimap<std::string, fs::path> names_;
  bool listed_ = false;
};

/// A column that may be absent under its customary name only: whoever names another relies on it.
std::optional<std::size_t> optional_column(const CsvTable& table, const std::string& name,
                                           const std::string& customary) {
  return name == customary ? table.find(name) : std::optional(table.need(name));
}

/// A sheet with the places of its columns.
struct Sheet {
  CsvTable table;
  std::size_t file = 0;
  std::size_t label = 0;  ///< meaningless where `labelled` is false
  bool labelled = false;
  std::optional<std::size_t> split, group;
};

Sheet open_sheet(const PrepareOptions& options, bool labelled) {
  const PrepareOptions customary;
  Sheet sheet{read_csv_table(options.sheet), 0, 0, labelled, {}, {}};
  sheet.file = sheet.table.need(options.file_column);
  if (labelled) {
    sheet.label = sheet.table.need(options.label_column);
  }
  sheet.split = optional_column(sheet.table, options.split_column, customary.split_column);
  sheet.group = optional_column(sheet.table, options.group_column, customary.group_column);
  return sheet;
}

void read_row(const Sheet& sheet, const CsvRow& row, Source& source) {
  const auto complain = [&](const std::string& what) {
    throw UserError(fmt::format("{}: line {}: {}", sheet.table.file.string(), row.line, what));
  };
  source.group = sheet.group ? row.fields[*sheet.group] : "";
  if (sheet.labelled) {
    source.label = row.fields[sheet.label];
    if (source.label.empty()) {
      complain("the label is empty; name the class of the image");
    }
  }
  if (sheet.split) {
    source.split = split_named(row.fields[*sheet.split]);
    if (!source.split) {
      complain(
          fmt::format("split '{}' is unknown; use train, valid or test", row.fields[*sheet.split]));
    }
  }
}

std::vector<Source> from_sheet(const PrepareOptions& options, bool labelled) {
  const Sheet sheet = open_sheet(options, labelled);
  ImageFinder finder(options);
  std::map<fs::path, std::size_t> lines;
  std::vector<Source> sources;
  for (const CsvRow& row : sheet.table.rows) {
    const std::string& named = row.fields[sheet.file];
    Source& source = sources.emplace_back();
    source.file = finder.find(sheet.table, row, named);
    source.name = name_below(options.source, source.file);
    const auto [first, fresh] = lines.emplace(source.file.lexically_normal(), row.line);
    if (!fresh) {
      throw UserError(
          fmt::format("{}: line {}: image '{}' is listed already in line {}; keep one of the two",
                      sheet.table.file.string(), row.line, named, first->second));
    }
    read_row(sheet, row, source);
  }
  return sources;
}

bool has_class_folders(const fs::path& root) {
  const auto entries = list_folder(root);
  return std::any_of(entries.begin(), entries.end(), [](const fs::path& entry) {
    return is_folder(entry) && entry.filename() != "__MACOSX";
  });
}

/// Beside class folders an image has no class, and whoever put it there may not know.
void require_no_loose_image(const fs::path& root) {
  std::vector<fs::path> loose = list_folder(root);
  std::erase_if(loose, [](const fs::path& entry) { return !is_image(entry); });
  if (!loose.empty()) {
    throw UserError(fmt::format(
        "{}: {} image{} beside the class folders, for example {}; put each into the folder of its "
        "class, or move it away",
        root.string(), loose.size(), loose.size() == 1 ? " lies" : "s lie",
        loose.front().filename().string()));
  }
}

/// Class folders, or images that lie there without any class.
std::vector<Source> from_folders(const fs::path& root, const Release& release) {
  std::vector<Source> sources;
  if (!has_class_folders(root)) {
    if (!release.may_lack_classes) {
      throw UserError(fmt::format(
          "{}: no class folders are here; give a sheet with --sheet, or take the images "
          "without classes with --release images",
          root.string()));
    }
    for (const fs::path& file : list_images({root})) {
      Source& source = sources.emplace_back();
      source.file = file;
      source.name = name_below(root, file);
      source.label = "unlabelled";
    }
    return sources;
  }
  require_no_loose_image(root);
  const Dataset dataset = open_folders(root);
  const bool split = !dataset.valid.empty() || !dataset.test.empty();
  for (const Split which : {Split::kTrain, Split::kValid, Split::kTest}) {
    for (const Sample& sample : dataset.of(which)) {
      Source& source = sources.emplace_back();
      source.file = sample.file;
      source.name = name_below(root, sample.file);
      source.label = dataset.classes[static_cast<std::size_t>(sample.label)];
      if (split) {
        source.split = which;
      }
    }
  }
  return sources;
}

/// BCSS names begin with the patient: TCGA-A1-A0SK-DX1_xmin45749_...
std::string tcga_patient(const std::string& stem) {
  constexpr std::size_t kLength = 12;
  return stem.starts_with("TCGA-") && stem.size() > kLength ? stem.substr(0, kLength) : stem;
}

/// The mask of an image: of its name, in the folder `masks`, as PNG.
void add_masks(const PrepareOptions& options, std::vector<Source>& sources) {
  const fs::path masks = options.source / "masks";
  if (!is_folder(masks)) {
    throw UserError(
        fmt::format("{}: there is no folder 'masks'; put the masks of the images into it",
                    options.source.string()));
  }
  for (Source& source : sources) {
    source.mask = masks / (source.file.stem().string() + ".png");
    if (!is_file(source.mask)) {
      throw UserError(fmt::format("{}: its mask {} is not there; add it or remove the image",
                                  source.file.string(), source.mask.string()));
    }
  }
}

fs::path image_folder(const fs::path& root) {
  for (const char* name : {"images", "rgbs", "rgbs_colorNormalized"}) {
    if (is_folder(root / name)) {
      return root / name;
    }
  }
  throw UserError(
      fmt::format("{}: there is no folder 'images'; put the region images into it", root.string()));
}

std::vector<Source> with_masks(const PrepareOptions& options) {
  std::vector<Source> sources;
  if (!options.sheet.empty()) {
    sources = from_sheet(options, /*labelled=*/false);
  } else {
    for (const fs::path& file : list_images({image_folder(options.source)})) {
      Source& source = sources.emplace_back();
      source.file = file;
      source.name = name_below(options.source, file);
    }
  }
  for (Source& source : sources) {
    if (source.group.empty()) {
      source.group = tcga_patient(source.file.stem().string());
    }
  }
  add_masks(options, sources);
  return sources;
}

void check_groups(const std::vector<Source>& sources) {
  std::map<std::string, const Source*> seen;
  for (const Source& source : sources) {
    const Source& first = *seen.emplace(source.group, &source).first->second;
    if (first.split != source.split) {
      throw UserError(fmt::format(
          "data prepare: group '{}' is in split {} with {} and in split {} with {}; choose another "
          "--group-column, or put all images of a group into one split",
          source.group, name_of(*first.split), first.name, name_of(*source.split), source.name));
    }
  }
}

/// Gives whole groups to test and valid, class by class, so that each class has its share in every
/// split as far as its groups allow; the first group drawn of a class always stays in train.
void draw_splits(const PrepareOptions& options, std::vector<Source>& sources) {
  std::map<std::string, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    members[sources[i].group].push_back(i);
  }
  std::map<std::string, std::vector<std::string>> groups_of;  // by the class of the first image
  std::map<std::string, std::size_t> images_of;
  for (const auto& [group, images] : members) {
    const std::string& label = sources[images.front()].label;
    groups_of[label].push_back(group);
    images_of[label] += images.size();
  }
  for (const auto& [label, groups] : groups_of) {
    const auto total = static_cast<double>(images_of[label]);
    auto wanted_test = static_cast<std::size_t>(std::lround(options.test_share * total));
    auto wanted_valid = static_cast<std::size_t>(std::lround(options.valid_share * total));
    Stream stream(options.seed, "prepare-split:" + label);
    const std::vector<std::size_t> order = random_order(groups.size(), stream);
    for (std::size_t k = order.size(); k-- > 0;) {
      const auto& images = members[groups[order[k]]];
      Split split = Split::kTrain;
      for (auto [wanted, which] :
           {std::pair{&wanted_test, Split::kTest}, std::pair{&wanted_valid, Split::kValid}}) {
        if (k > 0 && split == Split::kTrain && images.size() <= *wanted) {
          *wanted -= images.size();
          split = which;
        }
      }
      for (const std::size_t i : images) {
        sources[i].split = split;
      }
    }
  }
}

}  // namespace

SourceList list_sources(const PrepareOptions& options, const Release& release) {
  SourceList list;
  if (release.has_masks) {
    list.codes = bcss_codes();
    list.sources = with_masks(options);
  } else {
    list.sources = options.sheet.empty() ? from_folders(options.source, release)
                                         : from_sheet(options, /*labelled=*/true);
  }
  auto& sources = list.sources;
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.name < b.name; });
  for (Source& source : sources) {
    if (source.group.empty()) {  // an image is a group of its own
      source.group = fs::path(source.name).replace_extension().generic_string();
    }
  }
  const bool split = std::all_of(sources.begin(), sources.end(),
                                 [](const Source& source) { return source.split.has_value(); });
  if (!split) {
    draw_splits(options, sources);
  }
  check_groups(sources);
  return list;
}

}  // namespace probedarts::data
