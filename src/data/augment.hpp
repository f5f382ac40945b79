#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "data/loader.hpp"

namespace probedarts::data {

/// One draw of an `Augmentation`: what happens to one patch.
struct AugmentationDraw {
  bool flip_horizontal = false;
  bool flip_vertical = false;
  double angle_degrees = 0.0;
  std::array<int, 2> translate_px = {0, 0};  ///< right, down
  std::array<int, 2> crop_px = {0,
                                0};  ///< corner of the crop from the unpadded patch's: x, y in ±pad
  int cutout_px = 0;                 ///< side; 0: none
  std::array<int, 2> cutout_centre = {0, 0};  ///< x, y
};

/// Draws the changes of sample `sample` in epoch `epoch`: a pure function of the arguments, and
/// every kind of change has its own place in the stream, so that switching one off leaves the
/// others as they were.
///
/// As torchvision's RandomHorizontalFlip and RandomVerticalFlip (p = 0.5) and RandomAffine: the
/// angle is uniform in ±max_rotation_degrees, the shifts are uniform in ±max_shift_share * side and
/// rounded half to even.
AugmentationDraw draw_augmentation(const Augmentation& augmentation, int size_px,
                                   std::uint64_t seed, std::string_view stream, std::uint64_t epoch,
                                   std::uint64_t sample);

/// (v / 255 - mean) / sd in float32 for all bytes v: ToTensor and Normalize of torchvision.
struct NormalizationTable {
  explicit NormalizationTable(const Normalization& normalization);
  std::array<std::array<float, 3>, 256> value;
};

/// Zeroes the square of `length_px` (halves rounded down) about a centre (x, y) of [size_px,
/// size_px, 3] floats.
void cut_out(int length_px, std::array<int, 2> centre, int size_px, float* patch);

/// Writes one patch, changed and normalised, in one pass. Order: pad and crop, flips, affine
/// (nearest, black fill), normalisation, cutout (which writes 0, the mean colour; an odd side loses
/// one pixel, as in the published code).
///
/// \param src  [size_px, size_px, 3] bytes   \param dst  [size_px, size_px, 3] floats, all written
/// Cost: one look-up per pixel, no allocation. Thread-safe.
void augment_patch(const std::uint8_t* src, int size_px, const AugmentationDraw& draw,
                   const NormalizationTable& table, float* dst);

}  // namespace probedarts::data
