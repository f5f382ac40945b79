#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/feature_map.hpp"

namespace probedarts::kernels {

/// An image with `border` zero pixels on each side.
struct PaddedImage {
  float* first;    ///< top left of the border
  MapShape shape;  ///< without the border
  int border;
  std::ptrdiff_t pitch() const {
    return static_cast<std::ptrdiff_t>(shape.width + 2 * border) * shape.channels;
  }
  /// Pixel (row, column) of the image; -border is the smallest legal value of both.
  float* at(int row, int column) const {
    return first + (row + border) * pitch() +
           static_cast<std::ptrdiff_t>(column + border) * shape.channels;
  }
};
constexpr std::size_t padded_floats(const MapShape& shape, int border) {
  return static_cast<std::size_t>(shape.height + 2 * border) *
         static_cast<std::size_t>(shape.width + 2 * border) *
         static_cast<std::size_t>(shape.channels);
}

/// Writes zeros into the border and leaves the image alone.
inline void zero_border(const PaddedImage& image) {
  const MapShape& shape = image.shape;
  const auto margin =
      static_cast<std::size_t>(image.border) * static_cast<std::size_t>(shape.channels);
  const auto band =
      static_cast<std::size_t>(image.border) * static_cast<std::size_t>(image.pitch());
  std::fill_n(image.first, band + margin, 0.0F);
  for (int row = 0; row + 1 < shape.height;
       ++row) {  // the right margin and the next row's left one
    std::fill_n(image.at(row, shape.width), 2 * margin, 0.0F);
  }
  std::fill_n(image.at(shape.height - 1, shape.width), margin + band, 0.0F);
}

}  // namespace probedarts::kernels
