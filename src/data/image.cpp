// Reading patches: what a file claims to be is checked before a decoder sees it, because libjpeg
// fills the missing part of a truncated file with grey and goes on.
#include "data/image.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "data/image_format.hpp"

namespace probedarts::data {
namespace {

const char* name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kTiff:
      return "TIFF";
  }
  return "";
}

ImageFormat checked_format(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) {
    throw UserError(fmt::format("{}: the file is empty (0 bytes); replace or remove it", name));
  }
  const std::optional<ImageFormat> format = image_format(bytes);
  if (!format) {
    throw UserError(
        fmt::format("{}: not a PNG, JPEG or TIFF file; convert, replace or remove it", name));
  }
  if (!is_whole_image(*format, bytes)) {
    throw UserError(
        fmt::format("{}: the {} file is truncated; replace or remove it", name, name_of(*format)));
  }
  return *format;
}

/// OpenCV's decoders, which return an empty matrix or throw for what they cannot read.
cv::Mat decode(std::string_view bytes, const std::string& name, ImageFormat format) {
  static const bool silenced = [] {  // what is wrong goes into our exception, not to stderr
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    return true;
  }();
  (void)silenced;
  cv::Mat pixels;
  try {
    const cv::Mat view(1, static_cast<int>(bytes.size()), CV_8UC1,
                       const_cast<char*>(bytes.data()));  // OpenCV has no matrix of const bytes
    pixels = cv::imdecode(view, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception&) {
    pixels.release();
  }
  if (pixels.empty()) {
    throw UserError(
        fmt::format("{}: the {} file is damaged; replace or remove it", name, name_of(format)));
  }
  return pixels;
}

/// How alpha relates to the colours of a pixel.
enum class Alpha { kStraight, kPremultiplied };

/// Colour over white, both in 0..top.
std::uint32_t over_white(std::uint32_t colour, std::uint32_t alpha, std::uint32_t top, Alpha kind) {
  if (kind == Alpha::kPremultiplied) {
    return std::min(top, colour + (top - alpha));
  }
  const std::uint64_t sum = std::uint64_t{colour} * alpha + std::uint64_t{top} * (top - alpha);
  return static_cast<std::uint32_t>((sum + top / 2) / top);
}

template <typename Value>
Image to_rgb(const cv::Mat& pixels, Alpha kind) {
  constexpr std::uint32_t kTop = static_cast<Value>(~Value{0});
  const int channels = pixels.channels();
  const bool coloured = channels >= 3;
  const int alpha_channel = channels == 4 ? 3 : channels == 2 ? 1 : -1;
  Image image{pixels.rows, pixels.cols, {}};
  image.rgb.resize(3 * pixels.total());
  std::uint8_t* dst = image.rgb.data();
  for (int y = 0; y < pixels.rows; ++y) {
    const Value* src = pixels.ptr<Value>(y);
    for (int x = 0; x < pixels.cols; ++x, src += channels, dst += 3) {
      for (int c = 0; c < 3; ++c) {
        std::uint32_t value = src[coloured ? 2 - c : 0];  // OpenCV keeps blue first
        if (alpha_channel >= 0) {
          value = over_white(value, src[alpha_channel], kTop, kind);
        }
        dst[c] = static_cast<std::uint8_t>(kTop == 255 ? value : (value + 128) / 257);
      }
    }
  }
  return image;
}

}  // namespace

Image decode_image(std::string_view bytes, const std::string& name) {
  const ImageFormat format = checked_format(bytes, name);
  const cv::Mat pixels = decode(bytes, name, format);
  if (pixels.channels() > 4 || (pixels.depth() != CV_8U && pixels.depth() != CV_16U)) {
    throw UserError(fmt::format(
        "{}: pixels are not 1 to 4 channels of 8 or 16 bits; convert it to 8-bit RGB", name));
  }
  if (pixels.depth() == CV_16U) {
    return to_rgb<std::uint16_t>(pixels, Alpha::kStraight);
  }
  return to_rgb<std::uint8_t>(
      pixels, format == ImageFormat::kTiff ? Alpha::kPremultiplied : Alpha::kStraight);
}

Image read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path), path.string());
}

void write_png(const std::filesystem::path& path, const Image& image) {
  require(image.height > 0 && image.width > 0 &&
              image.rgb.size() == 3 * static_cast<std::size_t>(image.height) *
                                      static_cast<std::size_t>(image.width),
          "write_png needs an image whose size fits its sides");
  cv::Mat bgr(image.height, image.width, CV_8UC3);
  std::uint8_t* dst = bgr.data;  // a new matrix is continuous
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    dst[i] = image.rgb[i + 2];
    dst[i + 1] = image.rgb[i + 1];
    dst[i + 2] = image.rgb[i];
  }
  std::vector<std::uint8_t> bytes;
  require(cv::imencode(".png", bgr, bytes), "OpenCV encodes PNG");
  write_file_atomically(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace probedarts::data
