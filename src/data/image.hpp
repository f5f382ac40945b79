#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace probedarts::data {

/// An 8-bit RGB image, rows top to bottom, pixels interleaved.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> rgb;  ///< height * width * 3
  const std::uint8_t* at(int y, int x) const {
    return rgb.data() + 3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                             static_cast<std::size_t>(x));
  }
};

/// Reads PNG, JPEG or TIFF (its first page), told apart by content, not by name. Grey becomes three
/// equal channels, palettes are resolved, 16 bits become 8 (v / 257 rounded), alpha is blended over
/// white (glass is white on a slide); a TIFF of 8 bits holds premultiplied colours, as TIFF's
/// associated alpha means. EXIF orientation is ignored, as PIL's Image.open does: a patch has no
/// upright. \throws UserError "<path>: <why>; <what to do>" for files that are empty, truncated (a
/// missing end marker counts), damaged, of another format or of another pixel type.
Image read_image(const std::filesystem::path& path);

/// The same from memory; `name` stands for the path in messages.
Image decode_image(std::string_view bytes, const std::string& name);

/// Writes an image as PNG (8-bit RGB, without loss): under another name first, then renamed.
/// \throws UserError  the file cannot be written.
/// \throws Bug        the image has no pixels, or not three bytes for each.
void write_png(const std::filesystem::path& path, const Image& image);

/// Resize identical to Pillow's Image.resize(BICUBIC): a = -0.5, support widened by the scale when
/// shrinking (antialias), weights in 8-bit fixed point (22 fraction bits), horizontal pass first,
/// rounded to 8 bits in between. \throws Bug when a side is not positive. Cost: O(taps) per output
/// pixel, taps = 4 * max(1, scale).
Image resize_bicubic(const Image& image, int height, int width);

/// Parameters of torchvision's affine.
struct Affine {
  double angle_degrees = 0.0;                ///< positive turns clockwise on the screen
  std::array<int, 2> translate_px = {0, 0};  ///< right, down
  double scale = 1.0;
  std::array<double, 2> shear_degrees = {0.0, 0.0};
};

/// The map from output to source pixels, m = [a b c; d e f]: x_source = a x + b y + c, y_source = d
/// x + e y + f, as torchvision computes it about the centre (width/2, height/2).
std::array<double, 6> inverse_affine_matrix(const Affine& affine, int height, int width);

/// The same map at pixel centres in 16.16 fixed point, which is what Pillow samples with:
/// x_source = (x0 + xx * x + xy * y) >> 16, y_source = (y0 + yx * x + yy * y) >> 16.
struct FixedAffine {
  std::int64_t x0 = 0, xx = 0, xy = 0;
  std::int64_t y0 = 0, yx = 0, yy = 0;
};
FixedAffine fixed_affine(const std::array<double, 6>& matrix);

/// torchvision.transforms.functional.affine on a PIL image: nearest neighbour, black fill, about
/// the centre. Identical to Pillow for sides below 32768 px. \throws Bug for a scale that is not
/// positive.
Image affine_nearest(const Image& image, const Affine& affine);

Image flip_horizontal(const Image& image);  ///< left and right exchanged
Image flip_vertical(const Image& image);    ///< top and bottom exchanged

}  // namespace probedarts::data
