// Resize, affine and flips, bit for bit what Pillow does: the published networks were trained on
// its output.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/errors.hpp"
#include "data/image.hpp"

namespace probedarts::data {
namespace {

// Whole numbers, so that the bits are those of the plain code on every machine; vectors of 32-bit
// products need more than the x86-64 that all else is compiled for.
// The choice is made while the program is loaded, before the thread sanitizer can run.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define PROBEDARTS_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define PROBEDARTS_WIDE
#endif

constexpr int kFractionBits = 32 - 8 - 2;  // 8-bit pixels, two bits of room for the overshoot
constexpr double kBicubicSupport = 2.0;

/// Keys's cubic with a = -0.5 (IEEE Trans. ASSP 29(6), 1981).
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) {
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  }
  if (x < 2.0) {
    return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  }
  return 0.0;
}

/// The source pixels that an output pixel sums up, and their fixed-point weights.
struct Taps {
  int first = 0;
  std::vector<int> weights;
};

std::vector<Taps> bicubic_taps(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kBicubicSupport * filter_scale;
  std::vector<Taps> all(static_cast<std::size_t>(out));
  std::vector<double> weights;
  for (int o = 0; o < out; ++o) {
    const double centre = (o + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), in);
    weights.clear();
    double sum = 0.0;
    for (int i = first; i < last; ++i) {
      weights.push_back(bicubic((i - centre + 0.5) * (1.0 / filter_scale)));
      sum += weights.back();
    }
    Taps& taps = all[static_cast<std::size_t>(o)];
    taps.first = first;
    for (const double weight : weights) {
      const double fixed = weight / sum * (1 << kFractionBits);
      taps.weights.push_back(static_cast<int>(fixed < 0.0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return all;
}

std::uint8_t to_byte(int sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

PROBEDARTS_WIDE Image resize_rows(const Image& src, int width) {
  using Pixel = int __attribute__((vector_size(16)));  // with a fourth channel it fills a vector
  constexpr int kHalf = 1 << (kFractionBits - 1);
  const std::vector<Taps> all = bicubic_taps(src.width, width);
  Image dst{src.height, width, {}};
  dst.rgb.resize(3 * static_cast<std::size_t>(src.height) * static_cast<std::size_t>(width));
  std::vector<Pixel> row(static_cast<std::size_t>(src.width));
  std::uint8_t* out = dst.rgb.data();
  for (int y = 0; y < src.height; ++y) {
    const std::uint8_t* bytes = src.at(y, 0);
    for (Pixel& pixel : row) {
      pixel = Pixel{bytes[0], bytes[1], bytes[2], 0};
      bytes += 3;
    }
    for (const Taps& taps : all) {
      Pixel sum = {kHalf, kHalf, kHalf, 0};
      const Pixel* from = row.data() + taps.first;
      for (const int weight : taps.weights) {
        sum += weight * *from++;
      }
      for (int c = 0; c < 3; ++c) {
        *out++ = to_byte(sum[c]);
      }
    }
  }
  return dst;
}

PROBEDARTS_WIDE Image resize_columns(const Image& src, int height) {
  const std::vector<Taps> all = bicubic_taps(src.height, height);
  const std::size_t row = 3 * static_cast<std::size_t>(src.width);
  Image dst{height, src.width, {}};
  dst.rgb.resize(row * static_cast<std::size_t>(height));
  std::uint8_t* out = dst.rgb.data();
  std::vector<int> sums(row);
  for (const Taps& taps : all) {
    std::fill(sums.begin(), sums.end(), 1 << (kFractionBits - 1));
    const std::uint8_t* pixels = src.at(taps.first, 0);
    for (const int weight : taps.weights) {
      for (std::size_t i = 0; i < row; ++i) {
        sums[i] += weight * pixels[i];
      }
      pixels += row;
    }
    out = std::transform(sums.begin(), sums.end(), out, to_byte);
  }
  return dst;
}

/// Source positions along one axis of a map without rotation or shear; -1 outside. Pillow steps in
/// double here.
std::vector<int> scaled_positions(double offset, double step, int out, int in) {
  std::vector<int> positions(static_cast<std::size_t>(out), -1);
  double at = offset + step * 0.5;
  for (int& position : positions) {
    if (at >= 0.0 && at < in) {
      position = static_cast<int>(at);
    }
    at += step;
  }
  return positions;
}

Image scale_nearest(const Image& src, const std::array<double, 6>& matrix) {
  const std::vector<int> columns = scaled_positions(matrix[2], matrix[0], src.width, src.width);
  const std::vector<int> rows = scaled_positions(matrix[5], matrix[4], src.height, src.height);
  Image dst{src.height, src.width, std::vector<std::uint8_t>(src.rgb.size(), 0)};
  std::uint8_t* pixel = dst.rgb.data();
  for (const int y : rows) {
    for (const int x : columns) {
      if (y >= 0 && x >= 0) {
        std::copy_n(src.at(y, x), 3, pixel);
      }
      pixel += 3;
    }
  }
  return dst;
}

std::int64_t to_fixed(double value) {
  return static_cast<std::int64_t>(std::floor(value * 65536.0 + 0.5));
}

}  // namespace

Image resize_bicubic(const Image& image, int height, int width) {
  require(height > 0 && width > 0 && image.height > 0 && image.width > 0,
          "resize_bicubic needs positive sides");
  Image resized = image.width == width ? image : resize_rows(image, width);
  return resized.height == height ? resized : resize_columns(resized, height);
}

std::array<double, 6> inverse_affine_matrix(const Affine& affine, int height, int width) {
  require(affine.scale > 0.0, "an affine map needs a positive scale");
  constexpr double kRadians = std::numbers::pi / 180.0;
  const double angle = affine.angle_degrees * kRadians;
  const double shear_x = affine.shear_degrees[0] * kRadians;
  const double shear_y = affine.shear_degrees[1] * kRadians;
  // Rotation times shear, R S = [a b; c d] with determinant 1, so its inverse is [d -b; -c a].
  const double a = std::cos(angle - shear_y) / std::cos(shear_y);
  const double b =
      -std::cos(angle - shear_y) * std::tan(shear_x) / std::cos(shear_y) - std::sin(angle);
  const double c = std::sin(angle - shear_y) / std::cos(shear_y);
  const double d =
      -std::sin(angle - shear_y) * std::tan(shear_x) / std::cos(shear_y) + std::cos(angle);
  std::array<double, 6> m = {d / affine.scale,  -b / affine.scale, 0.0,
                             -c / affine.scale, a / affine.scale,  0.0};
  const double centre_x = width * 0.5;
  const double centre_y = height * 0.5;
  const double x = -centre_x - affine.translate_px[0];
  const double y = -centre_y - affine.translate_px[1];
  m[2] = m[0] * x + m[1] * y + centre_x;
  m[5] = m[3] * x + m[4] * y + centre_y;
  return m;
}

FixedAffine fixed_affine(const std::array<double, 6>& m) {
  return {to_fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), to_fixed(m[0]), to_fixed(m[1]),
          to_fixed(m[5] + m[3] * 0.5 + m[4] * 0.5), to_fixed(m[3]), to_fixed(m[4])};
}

Image affine_nearest(const Image& image, const Affine& affine) {
  const std::array<double, 6> matrix = inverse_affine_matrix(affine, image.height, image.width);
  if (matrix[1] == 0.0 && matrix[3] == 0.0) {
    return scale_nearest(image, matrix);
  }
  const FixedAffine fixed = fixed_affine(matrix);
  Image dst{image.height, image.width, std::vector<std::uint8_t>(image.rgb.size(), 0)};
  std::uint8_t* pixel = dst.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    std::int64_t x_fixed = fixed.x0 + fixed.xy * y;
    std::int64_t y_fixed = fixed.y0 + fixed.yy * y;
    for (int x = 0; x < image.width; ++x) {
      const std::int64_t x_source = x_fixed >> 16;
      const std::int64_t y_source = y_fixed >> 16;
      if (x_source >= 0 && x_source < image.width && y_source >= 0 && y_source < image.height) {
        std::copy_n(image.at(static_cast<int>(y_source), static_cast<int>(x_source)), 3, pixel);
      }
      pixel += 3;
      x_fixed += fixed.xx;
      y_fixed += fixed.yx;
    }
  }
  return dst;
}

Image flip_horizontal(const Image& image) {
  Image dst = image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::ptrdiff_t offset = dst.at(y, x) - dst.rgb.data();
      std::copy_n(image.at(y, image.width - 1 - x), 3, dst.rgb.begin() + offset);
    }
  }
  return dst;
}

Image flip_vertical(const Image& image) {
  Image dst = image;
  const std::size_t row = 3 * static_cast<std::size_t>(image.width);
  for (int y = 0; y < image.height; ++y) {
    const std::ptrdiff_t offset = dst.at(y, 0) - dst.rgb.data();
    std::copy_n(image.rgb.begin() + (image.at(image.height - 1 - y, 0) - image.rgb.data()), row,
                dst.rgb.begin() + offset);
  }
  return dst;
}

}  // namespace probedarts::data
