#include "explain/paint.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "core/base64.hpp"
#include "core/errors.hpp"

namespace probedarts::explain {
namespace {

struct Colour {
  std::uint8_t red, green, blue;
};

/// Viridis at 256 steps.
const std::vector<Colour>& palette() {
  static const std::vector<Colour> colours = [] {
    cv::Mat steps(1, 256, CV_8UC1);
    for (int i = 0; i < 256; ++i) {
      steps.at<std::uint8_t>(0, i) = static_cast<std::uint8_t>(i);
    }
    cv::Mat bgr;
    cv::applyColorMap(steps, bgr, cv::COLORMAP_VIRIDIS);
    std::vector<Colour> made;
    for (int i = 0; i < 256; ++i) {
      const auto& pixel = bgr.at<cv::Vec3b>(0, i);
      made.push_back({pixel[2], pixel[1], pixel[0]});
    }
    return made;
  }();
  return colours;
}

std::uint8_t half_way(double a, double b) {
  return static_cast<std::uint8_t>(std::lround(0.5 * a + 0.5 * b));
}

}  // namespace

data::Image overlay(const data::Image& image, const HeatMap& heat) {
  require(image.height == heat.height && image.width == heat.width,
          "a heat map is as large as its image");
  data::Image painted{image.height, image.width, {}};
  painted.rgb.reserve(image.rgb.size());
  for (std::size_t i = 0; i < heat.values.size(); ++i) {
    const std::uint8_t* rgb = image.rgb.data() + 3 * i;
    const double grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];  // ITU-R BT.601
    const double value = std::clamp(static_cast<double>(heat.values[i]), 0.0, 1.0);
    const Colour& colour = palette()[static_cast<std::size_t>(std::lround(255.0 * value))];
    for (const std::uint8_t part : {colour.red, colour.green, colour.blue}) {
      painted.rgb.push_back(half_way(grey, part));
    }
  }
  return painted;
}

std::string legend_gradient() {
  constexpr double kGrey = 160.0;
  std::string text;
  for (std::size_t i = 0; i <= 8; ++i) {
    const Colour& colour = palette()[std::min<std::size_t>(32 * i, 255)];
    text +=
        fmt::format("{}#{:02x}{:02x}{:02x}", text.empty() ? "" : ", ", half_way(kGrey, colour.red),
                    half_way(kGrey, colour.green), half_way(kGrey, colour.blue));
  }
  return text;
}

std::string encode_jpeg(const data::Image& image) {
  cv::Mat rgb(image.height, image.width, CV_8UC3);
  std::copy(image.rgb.begin(), image.rgb.end(), rgb.data);  // a new matrix is continuous
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<std::uint8_t> bytes;
  require(cv::imencode(".jpg", bgr, bytes, {cv::IMWRITE_JPEG_QUALITY, 90}), "OpenCV encodes JPEG");
  return {bytes.begin(), bytes.end()};
}

std::string data_uri(const std::string& jpeg) { return "data:image/jpeg;base64," + base64(jpeg); }

}  // namespace probedarts::explain
