#include "data/image.hpp"

#include <cmath>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>

#include "core/files.hpp"
#include "support/noise_dataset.hpp"
#include "support/stored_png.hpp"

namespace probedarts::data {
namespace {

using testing::noise_image;
using testing::ScratchFolder;
using testing::sentence_of;
using testing::stored_png;

cv::Mat bgr_of(const Image& image) {
  cv::Mat bgr(image.height, image.width, CV_8UC3);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    bgr.data[i] = image.rgb[i - i % 3 + 2 - i % 3];
  }
  return bgr;
}

/// A smooth picture, so that lossy formats stay near it.
Image ramp(int height, int width) {
  Image image{height, width, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.push_back(static_cast<std::uint8_t>(x * 255 / width));
      image.rgb.push_back(static_cast<std::uint8_t>(y * 255 / height));
      image.rgb.push_back(128);
    }
  }
  return image;
}

std::string encoded(const std::string& ending, const cv::Mat& pixels,
                    const std::vector<int>& options = {}) {
  std::vector<std::uint8_t> bytes;
  EXPECT_TRUE(cv::imencode(ending, pixels, bytes, options));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::uint8_t> decoded(const std::string& bytes) {
  return decode_image(bytes, "image").rgb;
}

TEST(ReadImage, ReadsPngAsItWasWritten) {
  const ScratchFolder folder;
  const Image image = noise_image(7, 5, 1);
  write_png(folder.path() / "a.png", image);
  const Image read = read_image(folder.path() / "a.png");
  EXPECT_EQ(read.height, 7);
  EXPECT_EQ(read.width, 5);
  EXPECT_EQ(read.rgb, image.rgb);
}

TEST(ReadImage, ReadsTiffAsItWasWritten) {
  const Image image = noise_image(9, 4, 2);
  EXPECT_EQ(decoded(encoded(".tiff", bgr_of(image))), image.rgb);
  EXPECT_EQ(decoded(encoded(".tiff", bgr_of(image), {cv::IMWRITE_TIFF_COMPRESSION, 1})), image.rgb);
}

TEST(ReadImage, ReadsJpegNearlyAsItWasWritten) {
  const Image image = ramp(64, 48);
  const Image read =
      decode_image(encoded(".jpg", bgr_of(image), {cv::IMWRITE_JPEG_QUALITY, 98}), "");
  ASSERT_EQ(read.rgb.size(), image.rgb.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < read.rgb.size(); ++i) {
    sum += std::abs(read.rgb[i] - image.rgb[i]);
  }
  // Quality 98 quantises in steps of at most 5; exchanged channels would differ by about 80 levels.
  EXPECT_LT(sum / static_cast<double>(read.rgb.size()), 3.0);
}

TEST(ReadImage, TellsFormatsApartByContentNotByName) {
  const ScratchFolder folder;
  const Image image = noise_image(3, 3, 3);
  write_png(folder.path() / "a.jpg", image);
  EXPECT_EQ(read_image(folder.path() / "a.jpg").rgb, image.rgb);
}

TEST(ReadImage, MakesGreyThreeEqualChannels) {
  const cv::Mat grey = (cv::Mat_<std::uint8_t>(1, 2) << 10, 200);
  const std::vector<std::uint8_t> expected = {10, 10, 10, 200, 200, 200};
  EXPECT_EQ(decoded(encoded(".png", grey)), expected);
  EXPECT_EQ(decoded(encoded(".tiff", grey)), expected);
}

TEST(ReadImage, MakesSixteenBitsEightByRounding) {
  const cv::Mat deep = (cv::Mat_<std::uint16_t>(1, 4) << 0, 128, 129, 65535);
  const std::vector<std::uint8_t> expected = {0, 0, 0, 0, 0, 0, 1, 1, 1, 255, 255, 255};
  EXPECT_EQ(decoded(encoded(".png", deep)), expected);  // 128 / 257 = 0.498, 129 / 257 = 0.502
  EXPECT_EQ(decoded(encoded(".tiff", deep)), expected);
}

TEST(ReadImage, ReadsSixteenBitColourInOrder) {
  cv::Mat deep(1, 1, CV_16UC3);
  deep.at<cv::Vec3w>(0, 0) = {3 * 257, 2 * 257, 1 * 257};  // blue, green, red
  EXPECT_EQ(decoded(encoded(".png", deep)), (std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_EQ(decoded(encoded(".tiff", deep)), (std::vector<std::uint8_t>{1, 2, 3}));
}

TEST(ReadImage, BlendsAlphaOverWhite) {
  cv::Mat pixels(1, 3, CV_8UC4);
  pixels.at<cv::Vec4b>(0, 0) = {30, 20, 10, 255};
  pixels.at<cv::Vec4b>(0, 1) = {30, 20, 10, 0};
  pixels.at<cv::Vec4b>(0, 2) = {0, 100, 255, 51};  // a fifth
  EXPECT_EQ(decoded(encoded(".png", pixels)),
            (std::vector<std::uint8_t>{10, 20, 30, 255, 255, 255, 255, 224, 204}));
}

TEST(ReadImage, BlendsGreyWithAlpha) {
  // Colour type 4: grey 100 at alpha 51, grey 0 opaque.
  EXPECT_EQ(decoded(stored_png(2, 1, 8, 4, std::string("\x64\x33\x00\xff", 4))),
            (std::vector<std::uint8_t>{224, 224, 224, 0, 0, 0}));
}

TEST(ReadImage, ResolvesPalettes) {
  // Colour type 3 with 4-bit indices 2, 0, 1 of a palette of three colours.
  EXPECT_EQ(decoded(stored_png(3, 1, 4, 3, "\x20\x10", "\x01\x02\x03\x0a\x14\x1e\xff\x80\x40")),
            (std::vector<std::uint8_t>{255, 128, 64, 1, 2, 3, 10, 20, 30}));
}

TEST(ReadImage, ResolvesPalettesWithTransparentColours) {
  // tRNS: the first colour is clear, the second a fifth, the third (not listed) opaque.
  EXPECT_EQ(decoded(stored_png(3, 1, 8, 3, std::string("\x00\x01\x02", 3),
                               std::string("\x01\x02\x03\x64\x64\x64\xff\x80\x40", 9),
                               std::string("\x00\x33", 2))),
            (std::vector<std::uint8_t>{255, 255, 255, 224, 224, 224, 255, 128, 64}));
}

TEST(ReadImage, ResolvesOneBitImages) {
  EXPECT_EQ(decoded(stored_png(3, 1, 1, 0, "\xa0")),
            (std::vector<std::uint8_t>{255, 255, 255, 0, 0, 0, 255, 255, 255}));
}

TEST(ReadImage, SaysThatAFileIsEmpty) {
  const ScratchFolder folder;
  folder.write("a.png", "");
  EXPECT_EQ(sentence_of([&] { read_image(folder.path() / "a.png"); }),
            folder.text() + "/a.png: the file is empty (0 bytes); replace or remove it");
}

TEST(ReadImage, SaysThatAFileIsAbsent) {
  EXPECT_EQ(sentence_of([] { read_image("/nowhere/a.png"); }),
            "cannot read '/nowhere/a.png': No such file or directory; check the path");
}

TEST(ReadImage, SaysThatAFileIsNoImage) {
  EXPECT_EQ(sentence_of([] { decode_image("GIF89a......", "a.gif"); }),
            "a.gif: not a PNG, JPEG or TIFF file; convert, replace or remove it");
}

TEST(ReadImage, RefusesPixelsOfOtherTypes) {
  const cv::Mat real(2, 2, CV_32FC3, cv::Scalar(0.5, 0.5, 0.5));
  EXPECT_EQ(sentence_of([&] { decode_image(encoded(".tiff", real), "a.tif"); }),
            "a.tif: pixels are not 1 to 4 channels of 8 or 16 bits; convert it to 8-bit RGB");
}

TEST(ReadImage, RefusesAPngCutAtAnyLength) {
  const std::string whole = encoded(".png", bgr_of(noise_image(9, 9, 4)));
  for (std::size_t length = 1; length < whole.size(); ++length) {
    ASSERT_EQ(sentence_of([&] { decode_image(whole.substr(0, length), "a.png"); }),
              "a.png: the PNG file is truncated; replace or remove it")
        << length << " of " << whole.size();
  }
}

TEST(ReadImage, RefusesAJpegCutAtAnyLength) {
  for (const int progressive : {0, 1}) {
    const std::string whole =
        encoded(".jpg", bgr_of(noise_image(24, 40, 5)),
                {cv::IMWRITE_JPEG_PROGRESSIVE, progressive, cv::IMWRITE_JPEG_RST_INTERVAL, 2});
    for (std::size_t length = 1; length < whole.size(); ++length) {
      ASSERT_EQ(sentence_of([&] { decode_image(whole.substr(0, length), "a.jpg"); }),
                "a.jpg: the JPEG file is truncated; replace or remove it")
          << length << " of " << whole.size();
    }
  }
}

TEST(ReadImage, RefusesATiffCutAtAnyLength) {
  for (const int compression : {1, 5}) {  // none, LZW
    const std::string whole = encoded(".tiff", bgr_of(noise_image(20, 30, 6)),
                                      {cv::IMWRITE_TIFF_COMPRESSION, compression});
    for (std::size_t length = 1; length < whole.size(); ++length) {
      ASSERT_EQ(sentence_of([&] { decode_image(whole.substr(0, length), "a.tif"); }),
                "a.tif: the TIFF file is truncated; replace or remove it")
          << length << " of " << whole.size();
    }
  }
}

TEST(ReadImage, RefusesAJpegWhoseThumbnailAloneIsWhole) {
  const std::string thumbnail = encoded(".jpg", bgr_of(ramp(8, 8)));
  std::string whole = encoded(".jpg", bgr_of(ramp(64, 64)));
  const std::size_t length = thumbnail.size() + 2;
  const std::string segment = std::string("\xff\xe1") + static_cast<char>(length >> 8) +
                              static_cast<char>(length & 0xFF) + thumbnail;
  whole.insert(2, segment);
  EXPECT_EQ(decode_image(whole, "").height, 64);
  EXPECT_EQ(sentence_of([&] { decode_image(whole.substr(0, segment.size() + 300), "a.jpg"); }),
            "a.jpg: the JPEG file is truncated; replace or remove it");
}

TEST(ReadImage, ForgivesBytesBehindTheEnd) {
  const Image image = noise_image(5, 5, 8);
  EXPECT_EQ(decoded(encoded(".png", bgr_of(image)) + "trailing"), image.rgb);
  EXPECT_EQ(decode_image(encoded(".jpg", bgr_of(image)) + "trailing", "").width, 5);
}

TEST(ReadImage, NeverCrashesOnDamagedBytes) {
  for (const char* ending : {".png", ".jpg", ".tiff"}) {
    const std::string whole = encoded(ending, bgr_of(noise_image(16, 16, 9)));
    Stream random(1, ending);
    int refused = 0;
    for (int round = 0; round < 300; ++round) {
      std::string damaged = whole;
      damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
      try {
        const Image image = decode_image(damaged, "damaged");
        EXPECT_EQ(image.rgb.size(), std::size_t{3} * static_cast<std::size_t>(image.height) *
                                        static_cast<std::size_t>(image.width));
      } catch (const UserError&) {
        ++refused;  // the only exception there may be
      }
    }
    EXPECT_GT(refused, 0) << ending;
  }
}

TEST(WritePng, RefusesAnImageThatDoesNotFitItsSides) {
  EXPECT_THROW(write_png("/tmp/never.png", Image{2, 2, {1, 2, 3}}), Bug);
}

TEST(ResizeBicubic, KeepsAnImageOfTheSameSize) {
  const Image image = noise_image(6, 8, 1);
  EXPECT_EQ(resize_bicubic(image, 6, 8).rgb, image.rgb);
}

TEST(ResizeBicubic, KeepsAConstantImageConstant) {
  const Image constant{11, 7, std::vector<std::uint8_t>(3 * 77, 201)};
  EXPECT_EQ(resize_bicubic(constant, 4, 19).rgb, std::vector<std::uint8_t>(3 * 76, 201));
}

TEST(ResizeBicubic, CommutesWithFlips) {
  const Image image = noise_image(13, 9, 2);
  EXPECT_EQ(resize_bicubic(flip_horizontal(image), 5, 20).rgb,
            flip_horizontal(resize_bicubic(image, 5, 20)).rgb);
  EXPECT_EQ(resize_bicubic(flip_vertical(image), 5, 20).rgb,
            flip_vertical(resize_bicubic(image, 5, 20)).rgb);
}

TEST(ResizeBicubic, RefusesAnEmptySize) {
  EXPECT_THROW(resize_bicubic(noise_image(3, 3, 1), 0, 3), Bug);
}

TEST(AffineNearest, WithoutMotionKeepsTheImage) {
  const Image image = noise_image(9, 6, 3);
  EXPECT_EQ(affine_nearest(image, {}).rgb, image.rgb);
}

TEST(AffineNearest, OfAHalfTurnIsBothFlips) {
  const Image image = noise_image(9, 6, 3);
  EXPECT_EQ(affine_nearest(image, {180.0, {0, 0}, 1.0, {0.0, 0.0}}).rgb,
            flip_vertical(flip_horizontal(image)).rgb);
}

TEST(AffineNearest, OfFourQuarterTurnsKeepsASquare) {
  const Image image = noise_image(8, 8, 4);
  Image turned = image;
  for (int turn = 0; turn < 4; ++turn) {
    turned = affine_nearest(turned, {90.0, {0, 0}, 1.0, {0.0, 0.0}});
  }
  EXPECT_EQ(turned.rgb, image.rgb);
}

TEST(AffineNearest, MovesRightAndDownWithBlackFill) {
  const Image image = noise_image(4, 5, 5);
  const Image moved = affine_nearest(image, {0.0, {2, 1}, 1.0, {0.0, 0.0}});
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 5; ++x) {
      for (int c = 0; c < 3; ++c) {
        ASSERT_EQ(moved.at(y, x)[c], x >= 2 && y >= 1 ? image.at(y - 1, x - 2)[c] : 0);
      }
    }
  }
}

TEST(AffineNearest, DoublesEveryPixelAtScaleTwo) {
  const Image image = noise_image(4, 4, 6);
  const Image doubled = affine_nearest(image, {0.0, {0, 0}, 2.0, {0.0, 0.0}});
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {
      ASSERT_EQ(doubled.at(y, x)[0], image.at(1 + y / 2, 1 + x / 2)[0]);
    }
  }
}

TEST(AffineNearest, ShearsRowsAgainstEachOther) {
  // Source x of output pixel (x, y): x + 0.5 + tan(44 degrees) * (y + 0.5 - 3).
  const Image image = noise_image(6, 6, 7);
  const Image sheared = affine_nearest(image, {0.0, {0, 0}, 1.0, {44.0, 0.0}});
  EXPECT_EQ(sheared.at(2, 3)[0], image.at(2, 3)[0]);  // 3.5 - 0.48 = 3.02
  EXPECT_EQ(sheared.at(1, 3)[0], image.at(1, 2)[0]);  // 3.5 - 1.45 = 2.05
  EXPECT_EQ(sheared.at(4, 3)[0], image.at(4, 4)[0]);  // 3.5 + 1.45 = 4.95
}

TEST(AffineNearest, RefusesAScaleOfZero) {
  EXPECT_THROW(affine_nearest(noise_image(3, 3, 1), {0.0, {0, 0}, 0.0, {0.0, 0.0}}), Bug);
}

TEST(Flips, AreTheirOwnInverses) {
  const Image image = noise_image(5, 8, 8);
  EXPECT_EQ(flip_horizontal(flip_horizontal(image)).rgb, image.rgb);
  EXPECT_EQ(flip_vertical(flip_vertical(image)).rgb, image.rgb);
  EXPECT_NE(flip_horizontal(image).rgb, image.rgb);
}

}  // namespace
}  // namespace probedarts::data
