#include "data/augment.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "support/noise_dataset.hpp"

namespace probedarts::data {
namespace {

using testing::noise_image;

constexpr int kSide = 24;
const NormalizationTable kPlain{Normalization{}};

/// The changed patch, without normalisation, as bytes.
Image changed(const Image& patch, const AugmentationDraw& draw) {
  std::vector<float> pixels(patch.rgb.size());
  augment_patch(patch.rgb.data(), patch.width, draw, kPlain, pixels.data());
  Image result{patch.height, patch.width, {}};
  for (const float value : pixels) {
    result.rgb.push_back(static_cast<std::uint8_t>(std::lround(value * 255.0F)));
  }
  return result;
}

TEST(AugmentPatch, EqualsFlipsThenAffine) {
  const Image patch = noise_image(kSide, kSide, 1);
  for (int index = 0; index < 50; ++index) {
    const AugmentationDraw draw = draw_augmentation({true, true, 45.0, 0.1, 0, 0}, kSide, 1,
                                                    "train", 0, static_cast<std::uint64_t>(index));
    Image expected = draw.flip_horizontal ? flip_horizontal(patch) : patch;
    expected = draw.flip_vertical ? flip_vertical(expected) : expected;
    expected = affine_nearest(expected, {draw.angle_degrees, draw.translate_px, 1.0, {0.0, 0.0}});
    ASSERT_EQ(changed(patch, draw).rgb, expected.rgb) << "draw " << index;
  }
}

TEST(AugmentPatch, LeavesAPatchThatStaysAsAWholeTurnDoes) {
  const Image patch = noise_image(kSide, kSide, 4);
  AugmentationDraw turned;  // goes through the affine map
  turned.angle_degrees = 360.0;
  EXPECT_EQ(changed(patch, {}).rgb, patch.rgb);
  EXPECT_EQ(changed(patch, turned).rgb, patch.rgb);
}

TEST(AugmentPatch, CropsBeforeItFlips) {
  const Image patch = noise_image(kSide, kSide, 2);
  AugmentationDraw draw;
  draw.crop_px = {3, -2};
  draw.flip_horizontal = true;
  const Image result = changed(patch, draw);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const int from_x = (kSide - 1 - x) + 3;
      const int from_y = y - 2;
      const bool inside = from_x < kSide && from_y >= 0;
      ASSERT_EQ(result.at(y, x)[1], inside ? patch.at(from_y, from_x)[1] : 0);
    }
  }
}

TEST(AugmentPatch, FillsBlackBeforeNormalisationAndCutsOutAfter) {
  const Image patch = noise_image(kSide, kSide, 3);
  const NormalizationTable table(Normalization{{0.5, 0.5, 0.5}, {0.25, 0.25, 0.25}});
  AugmentationDraw draw;
  draw.translate_px = {5, 0};
  draw.cutout_px = 4;
  draw.cutout_centre = {20, 12};
  std::vector<float> pixels(patch.rgb.size());
  augment_patch(patch.rgb.data(), kSide, draw, table, pixels.data());
  EXPECT_EQ(pixels[0], -2.0F);  // (0 - 0.5) / 0.25
  EXPECT_EQ(pixels[3 * (12 * kSide + 20)], 0.0F);
}

TEST(CutOut, LosesOnePixelOfAnOddSide) {
  std::vector<float> patch(3 * kSide * kSide, 1.0F);
  cut_out(7, {12, 12}, kSide, patch.data());
  EXPECT_EQ(std::count(patch.begin(), patch.end(), 0.0F), 3 * 6 * 6);
}

TEST(DrawAugmentation, IsAFunctionOfItsArguments) {
  const Augmentation all{true, true, 45.0, 0.1, 4, 8};
  const auto angle = [&](std::uint64_t seed, const char* stream, std::uint64_t epoch,
                         std::uint64_t sample) {
    return draw_augmentation(all, kSide, seed, stream, epoch, sample).angle_degrees;
  };
  const double first = angle(1, "train", 2, 3);
  EXPECT_EQ(angle(1, "train", 2, 3), first);
  EXPECT_NE(angle(2, "train", 2, 3), first);
  EXPECT_NE(angle(1, "valid", 2, 3), first);
  EXPECT_NE(angle(1, "train", 3, 3), first);
  EXPECT_NE(angle(1, "train", 2, 4), first);
}

TEST(DrawAugmentation, KeepsOtherChangesWhenOneIsSwitchedOff) {
  const AugmentationDraw all =
      draw_augmentation({true, true, 45.0, 0.1, 4, 8}, kSide, 1, "t", 0, 9);
  const AugmentationDraw some =
      draw_augmentation({false, true, 0.0, 0.1, 0, 8}, kSide, 1, "t", 0, 9);
  EXPECT_EQ(some.translate_px, all.translate_px);
  EXPECT_EQ(some.flip_vertical, all.flip_vertical);
  EXPECT_EQ(some.cutout_centre, all.cutout_centre);
}

TEST(DrawAugmentation, StaysInItsRangesAndReachesThem) {
  const Augmentation augmentation{true, true, 45.0, 0.1, 4, 8};
  std::set<int> shifts, crops, centres;
  int mirrored = 0;
  double least = 0.0, most = 0.0;
  constexpr int kDraws = 4000;
  for (std::uint64_t sample = 0; sample < kDraws; ++sample) {
    const AugmentationDraw draw = draw_augmentation(augmentation, 64, 1, "train", 0, sample);
    shifts.insert(draw.translate_px[0]);
    crops.insert(draw.crop_px[1]);
    centres.insert(draw.cutout_centre[0]);
    mirrored += draw.flip_horizontal ? 1 : 0;
    least = std::min(least, draw.angle_degrees);
    most = std::max(most, draw.angle_degrees);
  }
  EXPECT_EQ(*shifts.begin(), -6);  // round(0.1 * 64)
  EXPECT_EQ(*shifts.rbegin(), 6);
  EXPECT_EQ(*crops.begin(), -4);
  EXPECT_EQ(*crops.rbegin(), 4);
  EXPECT_EQ(*centres.begin(), 0);
  EXPECT_EQ(*centres.rbegin(), 63);
  EXPECT_GE(least, -45.0);
  EXPECT_LE(most, 45.0);
  EXPECT_GT(most - least, 89.0);
  EXPECT_NEAR(mirrored, kDraws / 2, 5 * std::sqrt(kDraws) / 2);  // five standard deviations
}

TEST(DrawAugmentation, OfNothingIsNothing) {
  const AugmentationDraw draw = draw_augmentation({}, kSide, 1, "t", 0, 5);
  const Image patch = noise_image(kSide, kSide, 4);
  EXPECT_EQ(changed(patch, draw).rgb, patch.rgb);
}

}  // namespace
}  // namespace probedarts::data
