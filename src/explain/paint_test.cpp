#include "explain/paint.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts::explain {
namespace {

TEST(Overlay, IsGreyAndViridisHalfAndHalf) {
  // Viridis begins at (68, 1, 84) and ends at (253, 231, 37); OpenCV's table rounds to within 1.
  const data::Image image{1, 2, {100, 100, 100, 255, 0, 0}};
  const data::Image painted = overlay(image, {1, 2, {0.0F, 1.0F}});
  const int wanted[] = {84, 51, 92, (76 + 253) / 2, (76 + 231) / 2, (76 + 37) / 2};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(painted.rgb[i], wanted[i], 1) << i;
  }
}

TEST(Overlay, GrowsBrighterWithHeatEverywhere) {
  data::Image image{1, 256, {}};
  HeatMap heat{1, 256, {}};
  for (int i = 0; i < 256; ++i) {
    image.rgb.insert(image.rgb.end(), {120, 120, 120});
    heat.values.push_back(static_cast<float>(i) / 255.0F);
  }
  const data::Image painted = overlay(image, heat);
  double before = -1.0;
  for (std::size_t i = 0; i < 256; i += 8) {
    const double luminance = 0.2126 * painted.rgb[3 * i] + 0.7152 * painted.rgb[3 * i + 1] +
                             0.0722 * painted.rgb[3 * i + 2];
    EXPECT_GT(luminance, before) << i;
    before = luminance;
  }
}

TEST(Overlay, RefusesAMapOfAnotherSize) {
  EXPECT_THROW(overlay({1, 1, {0, 0, 0}}, {1, 2, {0.0F, 0.0F}}), Bug);
}

TEST(DataUri, IsBase64) {
  // RFC 4648, section 10
  EXPECT_EQ(data_uri(""), "data:image/jpeg;base64,");
  EXPECT_EQ(data_uri("f"), "data:image/jpeg;base64,Zg==");
  EXPECT_EQ(data_uri("fo"), "data:image/jpeg;base64,Zm8=");
  EXPECT_EQ(data_uri("foo"), "data:image/jpeg;base64,Zm9v");
  EXPECT_EQ(data_uri("foobar"), "data:image/jpeg;base64,Zm9vYmFy");
  EXPECT_EQ(data_uri("\xff\xfe\xfd"), "data:image/jpeg;base64,//79");
}

TEST(EncodeJpeg, KeepsColoursInTheirPlaces) {
  data::Image image{16, 16, {}};
  for (int i = 0; i < 256; ++i) {
    image.rgb.insert(image.rgb.end(), {200, 40, 90});
  }
  const data::Image read = data::decode_image(encode_jpeg(image), "a.jpg");
  EXPECT_NEAR(read.rgb[0], 200, 4);
  EXPECT_NEAR(read.rgb[1], 40, 4);
  EXPECT_NEAR(read.rgb[2], 90, 4);
}

TEST(LegendGradient, HasNineStops) {
  const std::string text = legend_gradient();
  EXPECT_EQ(std::count(text.begin(), text.end(), '#'), 9);
}

}  // namespace
}  // namespace probedarts::explain
