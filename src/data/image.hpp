#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
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

/// Reads PNG, JPEG or TIFF. Grey becomes three equal channels, palettes are resolved, 16 bits become 8 (v / 257
/// rounded), alpha is blended over white (glass is white on a slide).
/// \throws UserError "<path>: <why>; <what to do>" for unreadable, truncated and zero-byte files.
Image read_image(const std::filesystem::path& path);

void write_png(const std::filesystem::path& path, const Image& image);

/// Resize identical to Pillow's Image.resize(BICUBIC) (antialiased; 8-bit fixed point, horizontal then vertical pass).
Image resize_bicubic(const Image& image, int height, int width);

/// Parameters of torchvision's affine.
struct Affine {
  double angle_degrees = 0.0;
  std::array<int, 2> translate_px = {0, 0};
  double scale = 1.0;
  std::array<double, 2> shear_degrees = {0.0, 0.0};
};

/// torchvision.transforms.functional.affine on a PIL image: nearest neighbour, black fill, about the centre.
Image affine_nearest(const Image& image, const Affine& affine);

Image flip_horizontal(const Image& image);
Image flip_vertical(const Image& image);

}  // namespace probedarts::data
