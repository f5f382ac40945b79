#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/image.hpp"

/// From large images as they are released to folders of patches that `open_dataset` reads.
namespace probedarts::data {

/// A kind of release and what is known of it.
struct Release {
  const char* name;
  const char* summary;            ///< for help texts
  double source_mpp_um;           ///< micrometres per pixel of its images; 0: not known
  bool has_masks;                 ///< classes come from masks of pixels, several for a patch
  bool may_lack_classes = false;  ///< images without class folders or sheet are taken as they are
};

/// bach, osteosarcoma, bcss, images.
const std::vector<Release>& releases();

/// What to make of a release.
struct PrepareOptions {
  std::string release = "images";
  std::filesystem::path source;  ///< folder of the release
  std::filesystem::path sheet;   ///< CSV with a row for each image; empty: folders tell classes
  std::string file_column = "file";
  std::string label_column = "label";
  std::string split_column = "split";
  std::string group_column = "group";
  int tile_px = 272;
  int stride_px = 0;           ///< between tiles, in pixels of a tile; 0: one beside the other
  double downsample = 1.0;     ///< source pixels for one pixel of a tile
  double mpp_um = 0.0;         ///< or: micrometres per pixel of a tile
  double source_mpp_um = 0.0;  ///< of the source; 0: the release's
  double min_tissue = 0.3;     ///< share of a tile that is tissue (tissue_share)
  double min_share = 0.05;     ///< share of a tile that a class of a mask must cover to count
  double min_labelled = 0.5;   ///< share of a tile that lies in classes of the mask
  double valid_share = 0.15, test_share = 0.15;  ///< of the images, where nothing tells the splits
  std::uint64_t seed = 1;                        ///< of that choice
  int threads = 2;
};

/// What came of it.
struct PrepareReport {
  std::vector<std::string> classes;
  struct Counts {
    std::size_t sources = 0;
    std::size_t tiles = 0;
    std::size_t glass = 0;       ///< tiles left out for having too little tissue
    std::size_t unlabelled = 0;  ///< tiles left out for lying outside the classes of the mask
  };
  Counts train, valid, test;
  std::vector<std::string> too_small;         ///< images in which not even one tile fits
  std::vector<std::string> classes_left_out;  ///< of a mask's: no training tile has them
};

/// Cuts every image of a release into square tiles, drops those of glass, and makes the folder
/// `out`:
///
///     labels.csv      file, split, label (or one 0/1 column for each class), group, source, x0, y0
///     manifest.json   settings, each source with its content's hash and counts, each tile with its
///                     place in the source
///     tiles/SPLIT/SOURCE_xXXXXX_yYYYYY.png
///
/// The folder appears whole or not at all, and is a function of source and options alone.
/// \throws UserError one sentence for everything in the release or the options that does not fit.
/// \throws Interrupted.
PrepareReport prepare_dataset(const PrepareOptions& options, const std::filesystem::path& out);

/// Share of pixels that are tissue, not glass: the darkest of red, green and blue is below 210.
/// Stains take light from at least one channel (eosin from green, haematoxylin from red and green);
/// empty glass is bright in all three. Source: ours; on tiles cut from the osteosarcoma originals
/// it agrees with the eye (docs/data.md).
double tissue_share(const Image& image);

/// Region [x0, x0 + side) x [y0, y0 + side) of an image. \throws Bug when it does not lie inside.
Image crop(const Image& image, int x0, int y0, int side);

}  // namespace probedarts::data
