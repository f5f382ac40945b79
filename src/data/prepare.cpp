// Cuts the images of a release into tiles and writes them with labels and manifest.
#include "data/prepare.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/new_folder.hpp"
#include "core/progress.hpp"
#include "data/layouts.hpp"
#include "data/parallel.hpp"
#include "data/prepare_sources.hpp"

namespace probedarts::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Split kSplits[] = {Split::kTrain, Split::kValid, Split::kTest};

const Release& release_named(const std::string& name) {
  std::string known;
  for (const Release& release : releases()) {
    if (release.name == name) {
      return release;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", release.name);
  }
  throw UserError(fmt::format("--release: '{}' is unknown; use one of {}", name, known));
}

void check_range(const char* flag, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    throw UserError(fmt::format("{}: {} is out of range; use {} to {}", flag, value, low, high));
  }
}

/// Source pixels for one pixel of a tile.
double source_scale(const PrepareOptions& options, const Release& release) {
  if (options.mpp_um == 0.0) {
    return options.downsample;
  }
  if (options.downsample != 1.0) {
    throw UserError("--mpp goes without --downsample; give one of them");
  }
  const double source = options.source_mpp_um > 0.0 ? options.source_mpp_um : release.source_mpp_um;
  if (source == 0.0) {
    throw UserError(
        fmt::format("--mpp: the resolution of release '{}' is not known; give the micrometres per "
                    "pixel of its images with --source-mpp, or use --downsample",
                    release.name));
  }
  return options.mpp_um / source;
}

void check(const PrepareOptions& options) {
  check_range("--tile", options.tile_px, 8, 4096);
  check_range("--stride", options.stride_px, 0, 65536);
  check_range("--downsample", options.downsample, 0.125, 1024);
  check_range("--mpp", options.mpp_um, 0, 1000);
  check_range("--source-mpp", options.source_mpp_um, 0, 1000);
  check_range("--min-tissue", options.min_tissue, 0, 1);
  check_range("--min-share", options.min_share, 1e-6, 1);
  check_range("--min-labelled", options.min_labelled, 0, 1);
  check_range("--valid-share", options.valid_share, 0, 0.9);
  check_range("--test-share", options.test_share, 0, 0.9);
  check_range("--valid-share and --test-share together", options.valid_share + options.test_share,
              0, 0.95);
  check_range("--threads", options.threads, 1, 1024);
  if (!is_folder(options.source)) {
    throw UserError(fmt::format("{}: there is no such folder; give the folder of the release",
                                options.source.string()));
  }
}

/// Tiles of a source: side and step in its pixels.
struct Grid {
  double scale = 1.0;
  int side = 0;
  double step = 0.0;

  std::vector<int> starts(int length) const {
    std::vector<int> found;
    for (int i = 0;; ++i) {
      const double start = std::round(i * step);
      if (start + side > length) {
        return found;
      }
      found.push_back(static_cast<int>(start));
    }
  }
};

Grid grid_of(const PrepareOptions& options, const Release& release) {
  Grid grid;
  grid.scale = source_scale(options, release);
  check_range("--mpp: source pixels for one of a tile", grid.scale, 0.125, 1024);
  if (grid.scale < 1.0) {
    print_line(fmt::format(
        "data prepare: the images are coarser than asked for and are enlarged {:.3g} times, which "
        "adds no detail",
        1.0 / grid.scale));
  }
  grid.side = static_cast<int>(std::lround(options.tile_px * grid.scale));
  grid.step = (options.stride_px == 0 ? options.tile_px : options.stride_px) * grid.scale;
  check_range("--stride: step in pixels of the source", grid.step, 1, 1e9);
  return grid;
}

struct Tile {
  int x0 = 0, y0 = 0;
  std::vector<std::uint8_t> labels;  ///< several labels
  std::string file;
};

/// A source after cutting.
struct Cut {
  int width = 0, height = 0;
  std::string hash;
  std::size_t glass = 0, unlabelled = 0;
  bool too_small = false;
  std::vector<Tile> tiles;
};

/// The codes of a mask, one for each pixel.
Image read_mask(const Source& source, const Image& image) {
  Image mask = read_image(source.mask);
  if (mask.width != image.width || mask.height != image.height) {
    throw UserError(fmt::format(
        "{}: the mask has {} x {} pixels and its image {} x {}; give masks of the images' size",
        source.mask.string(), mask.width, mask.height, image.width, image.height));
  }
  for (std::size_t i = 0; i < mask.rgb.size(); i += 3) {
    if (mask.rgb[i] != mask.rgb[i + 1] || mask.rgb[i] != mask.rgb[i + 2]) {
      throw UserError(fmt::format(
          "{}: the mask is coloured; give an 8-bit grey PNG whose values are codes of classes",
          source.mask.string()));
    }
  }
  return mask;
}

int last_code(const MaskCodes& codes) {
  const auto known = std::find_if(codes.class_of.rbegin(), codes.class_of.rend(),
                                  [](int which) { return which != -2; });
  return static_cast<int>(codes.class_of.rend() - known) - 1;
}

/// How many pixels of a region each class has. \throws UserError for a code that is not known.
std::vector<std::size_t> class_areas(const Image& mask, const MaskCodes& codes, const Tile& tile,
                                     int side, const Source& source) {
  std::vector<std::size_t> areas(codes.classes.size());
  for (int y = tile.y0; y < tile.y0 + side; ++y) {
    for (int x = tile.x0; x < tile.x0 + side; ++x) {
      const std::uint8_t code = *mask.at(y, x);
      const int which = codes.class_of[code];
      if (which == -2) {
        throw UserError(
            fmt::format("{}: the mask holds code {}, which is no class of the release; give its "
                        "masks as they came, "
                        "with codes 0 to {}",
                        source.mask.string(), code, last_code(codes)));
      }
      if (which >= 0) {
        ++areas[static_cast<std::size_t>(which)];
      }
    }
  }
  return areas;
}

/// Cuts sources and writes their tiles.
class Cutter {
 public:
  Cutter(const PrepareOptions& options, const SourceList& list, const Grid& grid, fs::path folder)
      : options_(options), list_(list), grid_(grid), folder_(std::move(folder)) {
    std::set<std::string> taken;
    for (const Source& source : list.sources) {
      const std::string wanted = stem_of(source.name);
      std::string stem = wanted;
      for (int copy = 2; !taken.insert(stem).second; ++copy) {
        stem = fmt::format("{}-{}", wanted, copy);
      }
      stems_.push_back(stem);
    }
    for (const Split split : kSplits) {
      fs::create_directories(folder_ / "tiles" / name_of(split));
    }
  }

  Cut cut(std::size_t number) const {
    throw_if_interrupted("interrupted; nothing was written");
    const Source& source = list_.sources[number];
    const std::string bytes = read_file(source.file);
    const Image image = decode_image(bytes, source.file.string());
    Cut made;
    made.width = image.width;
    made.height = image.height;
    made.hash = content_hash(bytes);
    const Image mask = source.mask.empty() ? Image{} : read_mask(source, image);
    const std::vector<int> columns = grid_.starts(image.width);
    const std::vector<int> rows = grid_.starts(image.height);
    made.too_small = columns.empty() || rows.empty();
    for (const int y0 : rows) {
      for (const int x0 : columns) {
        try_tile(number, image, mask, {x0, y0, {}, {}}, made);
      }
    }
    return made;
  }

 private:
  static std::string stem_of(const std::string& name) {
    std::string stem = fs::path(name).replace_extension().generic_string();
    std::string made;
    for (const char c : stem) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
      made += c == '/' ? "__" : std::string(1, plain ? c : '_');
    }
    constexpr std::size_t kLongest = 180;  // file systems take 255 bytes
    return made.size() > kLongest ? made.substr(made.size() - kLongest) : made;
  }

  bool label(const Image& mask, const Source& source, Tile& tile) const {
    const auto areas = class_areas(mask, list_.codes, tile, grid_.side, source);
    const double all = static_cast<double>(grid_.side) * grid_.side;
    double labelled = 0.0;
    for (const std::size_t area : areas) {
      const double share = static_cast<double>(area) / all;
      labelled += share;
      tile.labels.push_back(share >= options_.min_share ? 1 : 0);
    }
    constexpr double kRounding = 1e-9;
    return labelled >= options_.min_labelled - kRounding;
  }

  void try_tile(std::size_t number, const Image& image, const Image& mask, Tile tile,
                Cut& made) const {
    const Source& source = list_.sources[number];
    if (!source.mask.empty() && !label(mask, source, tile)) {
      ++made.unlabelled;
      return;
    }
    Image patch = crop(image, tile.x0, tile.y0, grid_.side);
    if (grid_.side != options_.tile_px) {
      patch = resize_bicubic(patch, options_.tile_px, options_.tile_px);
    }
    if (tissue_share(patch) < options_.min_tissue) {
      ++made.glass;
      return;
    }
    tile.file = fmt::format("tiles/{}/{}_x{:05}_y{:05}.png", name_of(*source.split), stems_[number],
                            tile.x0, tile.y0);
    write_png(folder_ / tile.file, patch);
    made.tiles.push_back(std::move(tile));
  }

  const PrepareOptions& options_;
  const SourceList& list_;
  const Grid& grid_;
  fs::path folder_;
  std::vector<std::string> stems_;
};

/// Classes of a release with masks that some training tile has; the others cannot be learned.
std::vector<std::size_t> learnable(const SourceList& list, const std::vector<Cut>& cuts) {
  std::vector<std::size_t> kept;
  for (std::size_t c = 0; c < list.codes.classes.size(); ++c) {
    bool found = false;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      found = found || (list.sources[i].split == Split::kTrain &&
                        std::any_of(cuts[i].tiles.begin(), cuts[i].tiles.end(),
                                    [c](const Tile& tile) { return tile.labels[c] != 0; }));
    }
    if (found) {
      kept.push_back(c);
    }
  }
  return kept;
}

PrepareReport report_on(const SourceList& list, const std::vector<Cut>& cuts) {
  PrepareReport report;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    const Split split = *list.sources[i].split;
    PrepareReport::Counts& counts = split == Split::kTrain   ? report.train
                                    : split == Split::kValid ? report.valid
                                                             : report.test;
    ++counts.sources;
    counts.tiles += cuts[i].tiles.size();
    counts.glass += cuts[i].glass;
    counts.unlabelled += cuts[i].unlabelled;
    if (cuts[i].too_small) {
      report.too_small.push_back(list.sources[i].name);
    }
  }
  return report;
}

/// Classes of single labels, each with a training tile. \throws UserError
std::vector<std::string> trained_classes(const SourceList& list, const std::vector<Cut>& cuts) {
  std::map<std::string, std::size_t> tiles;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    tiles[list.sources[i].label] +=
        list.sources[i].split == Split::kTrain ? cuts[i].tiles.size() : 0;
  }
  std::vector<std::string> classes;
  for (const auto& [label, count] : tiles) {
    if (count == 0) {
      throw UserError(
          fmt::format("data prepare: class '{}' has no tile for training; lower --min-tissue or "
                      "--tile, or move images of it into the train split",
                      label));
    }
    classes.push_back(label);
  }
  sort_class_names(classes);
  return classes;
}

std::string labels_csv(const SourceList& list, const std::vector<Cut>& cuts,
                       const std::vector<std::size_t>& kept, bool masks) {
  std::string text = "file,split,";
  if (masks) {
    for (const std::size_t c : kept) {
      text += csv_field(list.codes.classes[c]) + ",";
    }
  } else {
    text += "label,";
  }
  text += "group,source,x0,y0\n";
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    const Source& source = list.sources[i];
    for (const Tile& tile : cuts[i].tiles) {
      text += fmt::format("{},{},", tile.file, name_of(*source.split));
      for (const std::size_t c : kept) {
        text += tile.labels[c] != 0 ? "1," : "0,";
      }
      if (!masks) {
        text += csv_field(source.label) + ",";
      }
      text += fmt::format("{},{},{},{}\n", csv_field(source.group), csv_field(source.name), tile.x0,
                          tile.y0);
    }
  }
  return text;
}

json settings_json(const PrepareOptions& options, const Grid& grid) {
  return {{"release", options.release},
          {"sheet", options.sheet.filename().string()},
          {"tile_px", options.tile_px},
          {"stride_px", options.stride_px == 0 ? options.tile_px : options.stride_px},
          {"source_px_per_tile_px", grid.scale},
          {"side_in_source_px", grid.side},
          {"min_tissue", options.min_tissue},
          {"min_share", options.min_share},
          {"min_labelled", options.min_labelled},
          {"valid_share", options.valid_share},
          {"test_share", options.test_share},
          {"seed", options.seed}};
}

std::string manifest(const PrepareOptions& options, const Grid& grid, const SourceList& list,
                     const std::vector<Cut>& cuts, const PrepareReport& report) {
  json sources = json::array();
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    const Source& source = list.sources[i];
    json tiles = json::array();
    for (const Tile& tile : cuts[i].tiles) {
      tiles.push_back({{"file", tile.file}, {"x0", tile.x0}, {"y0", tile.y0}});
    }
    sources.push_back({{"source", source.name},
                       {"hash", cuts[i].hash},
                       {"width", cuts[i].width},
                       {"height", cuts[i].height},
                       {"split", name_of(*source.split)},
                       {"group", source.group},
                       {"label", source.mask.empty() ? json(source.label) : json()},
                       {"glass", cuts[i].glass},
                       {"unlabelled", cuts[i].unlabelled},
                       {"tiles", std::move(tiles)}});
  }
  const json all = {{"format", "probedarts-tiles"},
                    {"format_version", 1},
                    {"settings", settings_json(options, grid)},
                    {"classes", report.classes},
                    {"classes_left_out", report.classes_left_out},
                    {"too_small", report.too_small},
                    {"sources", std::move(sources)}};
  return all.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

void name_classes(const SourceList& list, const std::vector<Cut>& cuts, const Release& release,
                  const std::vector<std::size_t>& kept, PrepareReport& report) {
  if (!release.has_masks) {
    report.classes = trained_classes(list, cuts);
    return;
  }
  for (std::size_t c = 0; c < list.codes.classes.size(); ++c) {
    const bool is_kept = std::find(kept.begin(), kept.end(), c) != kept.end();
    (is_kept ? report.classes : report.classes_left_out).push_back(list.codes.classes[c]);
  }
  if (kept.empty()) {
    throw UserError(
        "data prepare: no training tile has a class; lower --min-share, or check that the masks "
        "are of this release");
  }
}

}  // namespace

const std::vector<Release>& releases() {
  // Source of the resolutions: Aresta et al., "BACH", Medical Image Analysis 56, 2019 (0.42 um);
  // the MPP in the names of BCSS' files (0.25 um). Osteosarcoma says 10X only.
  static const std::vector<Release> known = {
      {"bach", "class folders of 2048 x 1536 TIFF at 0.42 um/px", 0.42, false},
      {"osteosarcoma", "1024 px JPEG, classes in folders or a sheet", 0.0, false},
      {"bcss", "folders images and masks (codes of classes, PNG), at 0.25 um/px", 0.25, true},
      {"images", "any large images: class folders, a sheet, or no classes", 0.0, false, true}};
  return known;
}

double tissue_share(const Image& image) {
  constexpr std::uint8_t kGlass = 210;
  std::size_t tissue = 0;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    tissue += std::min({image.rgb[i], image.rgb[i + 1], image.rgb[i + 2]}) < kGlass ? 1 : 0;
  }
  require(!image.rgb.empty(), "an image has pixels");
  return 3.0 * static_cast<double>(tissue) / static_cast<double>(image.rgb.size());
}

Image crop(const Image& image, int x0, int y0, int side) {
  require(x0 >= 0 && y0 >= 0 && side > 0 && x0 + side <= image.width && y0 + side <= image.height,
          "a crop lies inside its image");
  Image part{side, side, {}};
  part.rgb.reserve(3 * static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  for (int y = y0; y < y0 + side; ++y) {
    const std::uint8_t* row = image.at(y, x0);
    part.rgb.insert(part.rgb.end(), row, row + 3 * static_cast<std::ptrdiff_t>(side));
  }
  return part;
}

PrepareReport prepare_dataset(const PrepareOptions& options, const fs::path& out) {
  const Release& release = release_named(options.release);
  check(options);
  const Grid grid = grid_of(options, release);
  NewFolder folder(out);
  const SourceList list = list_sources(options, release);
  const Cutter cutter(options, list, grid, folder.path());
  std::vector<Cut> cuts(list.sources.size());
  parallel_in_order(cuts.size(), options.threads,
                    [&](std::size_t number) { cuts[number] = cutter.cut(number); });
  PrepareReport report = report_on(list, cuts);
  if (report.train.tiles + report.valid.tiles + report.test.tiles == 0) {
    throw UserError(fmt::format(
        "data prepare: no tile of {} px is left of {} images ({} too small, {} tiles of glass, {} "
        "outside the classes); lower --tile, --downsample, --min-tissue or --min-labelled",
        grid.side, cuts.size(), report.too_small.size(),
        report.train.glass + report.valid.glass + report.test.glass,
        report.train.unlabelled + report.valid.unlabelled + report.test.unlabelled));
  }
  const std::vector<std::size_t> kept =
      release.has_masks ? learnable(list, cuts) : std::vector<std::size_t>{};
  name_classes(list, cuts, release, kept, report);
  write_file_atomically(folder.path() / "labels.csv",
                        labels_csv(list, cuts, kept, release.has_masks));
  write_file_atomically(folder.path() / "manifest.json",
                        manifest(options, grid, list, cuts, report));
  folder.publish();
  return report;
}

}  // namespace probedarts::data
