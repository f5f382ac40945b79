#include "data/augment.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/random.hpp"
#include "data/image.hpp"

namespace probedarts::data {
namespace {

/// From pixels of the flipped patch to pixels of the stored one, along one axis.
struct AxisMap {
  std::int64_t offset = 0;
  std::int64_t sign = 1;
};

AxisMap axis_map(bool flipped, int crop_px, int size_px) {
  return flipped ? AxisMap{size_px - 1 + crop_px, -1} : AxisMap{crop_px, 1};
}

}  // namespace

AugmentationDraw draw_augmentation(const Augmentation& augmentation, int size_px,
                                   std::uint64_t seed, std::string_view stream, std::uint64_t epoch,
                                   std::uint64_t sample) {
  Stream random(seed, fmt::format("{}/augment", stream), epoch, sample);
  AugmentationDraw draw;
  const double mirror = random.uniform();
  const double upside_down = random.uniform();
  const double angle = random.uniform(-1.0, 1.0);
  const double shift_x = random.uniform(-1.0, 1.0);
  const double shift_y = random.uniform(-1.0, 1.0);
  const double crop_x = random.uniform();
  const double crop_y = random.uniform();
  const double cut_x = random.uniform();
  const double cut_y = random.uniform();
  draw.flip_horizontal = augmentation.flip_horizontal && mirror < 0.5;
  draw.flip_vertical = augmentation.flip_vertical && upside_down < 0.5;
  draw.angle_degrees = augmentation.max_rotation_degrees * angle;
  const double max_shift = augmentation.max_shift_share * size_px;
  draw.translate_px = {static_cast<int>(std::nearbyint(max_shift * shift_x)),
                       static_cast<int>(std::nearbyint(max_shift * shift_y))};
  const auto among = [](double share, int count) {
    return static_cast<int>(share * count);  // share < 1, so below count
  };
  const int pad = augmentation.pad_crop_px;
  draw.crop_px = {among(crop_x, 2 * pad + 1) - pad, among(crop_y, 2 * pad + 1) - pad};
  draw.cutout_px = augmentation.cutout_px;
  draw.cutout_centre = {among(cut_x, size_px), among(cut_y, size_px)};
  return draw;
}

NormalizationTable::NormalizationTable(const Normalization& normalization) {
  for (std::size_t v = 0; v < value.size(); ++v) {
    for (std::size_t c = 0; c < 3; ++c) {
      value[v][c] = (static_cast<float>(v) / 255.0F - static_cast<float>(normalization.mean[c])) /
                    static_cast<float>(normalization.sd[c]);
    }
  }
}

void cut_out(int length_px, std::array<int, 2> centre, int size_px, float* patch) {
  const int half = length_px / 2;
  const int left = std::clamp(centre[0] - half, 0, size_px);
  const int right = std::clamp(centre[0] + half, 0, size_px);
  const int top = std::clamp(centre[1] - half, 0, size_px);
  const int bottom = std::clamp(centre[1] + half, 0, size_px);
  for (int y = top; y < bottom; ++y) {
    float* row = patch + 3 * static_cast<std::ptrdiff_t>(y) * size_px;
    std::fill(row + 3 * left, row + 3 * right, 0.0F);
  }
}

namespace {

/// Nothing moves: the patch is only normalised.
bool stays(const AugmentationDraw& draw) {
  return draw.angle_degrees == 0.0 && draw.translate_px[0] == 0 && draw.translate_px[1] == 0 &&
         !draw.flip_horizontal && !draw.flip_vertical && draw.crop_px[0] == 0 &&
         draw.crop_px[1] == 0;
}

void normalize_patch(const std::uint8_t* src, int size_px, const NormalizationTable& table,
                     float* dst) {
  const std::uint8_t* end = src + 3 * static_cast<std::ptrdiff_t>(size_px) * size_px;
  for (; src != end; src += 3, dst += 3) {
    dst[0] = table.value[src[0]][0];
    dst[1] = table.value[src[1]][1];
    dst[2] = table.value[src[2]][2];
  }
}

}  // namespace

void augment_patch(const std::uint8_t* src, int size_px, const AugmentationDraw& draw,
                   const NormalizationTable& table, float* dst) {
  if (stays(draw)) {
    normalize_patch(src, size_px, table, dst);
    cut_out(draw.cutout_px, draw.cutout_centre, size_px, dst);
    return;
  }
  const Affine affine{draw.angle_degrees, draw.translate_px, 1.0, {0.0, 0.0}};
  const FixedAffine fixed = fixed_affine(inverse_affine_matrix(affine, size_px, size_px));
  const AxisMap columns = axis_map(draw.flip_horizontal, draw.crop_px[0], size_px);
  const AxisMap rows = axis_map(draw.flip_vertical, draw.crop_px[1], size_px);
  const auto inside = [side = static_cast<std::uint64_t>(size_px)](std::int64_t position) {
    return static_cast<std::uint64_t>(position) < side;  // negative positions wrap to huge ones
  };
  const std::array<float, 3> black = {table.value[0][0], table.value[0][1], table.value[0][2]};
  float* out = dst;
  for (int y = 0; y < size_px; ++y) {
    std::int64_t x_fixed = fixed.x0 + fixed.xy * y;
    std::int64_t y_fixed = fixed.y0 + fixed.yy * y;
    for (int x = 0; x < size_px; ++x, out += 3, x_fixed += fixed.xx, y_fixed += fixed.yx) {
      const std::int64_t x_turned = x_fixed >> 16;
      const std::int64_t y_turned = y_fixed >> 16;
      const std::int64_t x_source = columns.offset + columns.sign * x_turned;
      const std::int64_t y_source = rows.offset + rows.sign * y_turned;
      // Both frames count: the affine fills outside the cropped patch, the crop outside the stored
      // one.
      if (inside(x_turned) && inside(y_turned) && inside(x_source) && inside(y_source)) {
        const std::uint8_t* pixel = src + 3 * (y_source * size_px + x_source);
        out[0] = table.value[pixel[0]][0];
        out[1] = table.value[pixel[1]][1];
        out[2] = table.value[pixel[2]][2];
      } else {
        std::copy(black.begin(), black.end(), out);
      }
    }
  }
  cut_out(draw.cutout_px, draw.cutout_centre, size_px, dst);
}

}  // namespace probedarts::data
