// Reading patches: what a file claims to be is checked before a decoder sees it, because libjpeg
// fills the missing part of a truncated file with grey and goes on.
#include "data/image.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts::data {
namespace {

using namespace std::string_view_literals;

enum class Format { kPng, kJpeg, kTiff };

const char* name_of(Format format) {
  switch (format) {
    case Format::kPng:
      return "PNG";
    case Format::kJpeg:
      return "JPEG";
    case Format::kTiff:
      return "TIFF";
  }
  return "";
}

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n"sv;

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint32_t big_endian_32(std::string_view bytes, std::size_t at) {
  return byte_at(bytes, at) << 24 | byte_at(bytes, at + 1) << 16 | byte_at(bytes, at + 2) << 8 |
         byte_at(bytes, at + 3);
}

/// True when `bytes` is a beginning of `signature` or starts with it.
bool starts_like(std::string_view bytes, std::string_view signature) {
  const std::size_t length = std::min(bytes.size(), signature.size());
  return bytes.substr(0, length) == signature.substr(0, length);
}

Format format_of(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) {
    throw UserError(fmt::format("{}: the file is empty (0 bytes); replace or remove it", name));
  }
  if (starts_like(bytes, kPngSignature)) {
    return Format::kPng;
  }
  if (starts_like(bytes, "\xff\xd8\xff"sv)) {
    return Format::kJpeg;
  }
  for (const std::string_view signature : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (starts_like(bytes, signature)) {
      return Format::kTiff;
    }
  }
  throw UserError(
      fmt::format("{}: not a PNG, JPEG or TIFF file; convert, replace or remove it", name));
}

/// Whether the chunks of a PNG (length, type, data, CRC) reach IEND within the file (PNG
/// specification, section 5.3).
bool png_is_whole(std::string_view bytes) {
  std::size_t at = kPngSignature.size();
  while (bytes.size() >= at + 12) {
    const std::size_t length = big_endian_32(bytes, at);
    const std::string_view type = bytes.substr(at + 4, 4);
    if (bytes.size() - at - 12 < length) {
      return false;
    }
    if (type == "IEND") {
      return true;
    }
    at += length + 12;
  }
  return false;
}

/// Position behind the entropy-coded data that starts at `at`: FF is followed by 00 (a stuffed
/// byte), D0..D7 (a restart) or FF (fill) inside it, and by anything else in the next marker (ITU
/// T.81, B.1.1).
std::size_t skip_scan(std::string_view bytes, std::size_t at) {
  for (at = bytes.find('\xff', at); at != bytes.npos && at + 1 < bytes.size();
       at = bytes.find('\xff', at)) {
    const std::uint32_t next = byte_at(bytes, at + 1);
    if (next != 0x00 && next != 0xFF && (next < 0xD0 || next > 0xD7)) {
      return at;
    }
    at += next == 0xFF ? 1 : 2;
  }
  return bytes.size();
}

/// Whether the segments of a JPEG reach the end-of-image marker (ITU T.81, B.1.1). Thumbnails
/// inside segments do not count; bytes behind the marker do not harm.
bool jpeg_is_whole(std::string_view bytes) {
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    if (byte_at(bytes, at) != 0xFF) {
      return false;
    }
    const std::uint32_t marker = byte_at(bytes, at + 1);
    if (marker == 0xD9) {
      return true;
    }
    if (marker == 0xFF) {  // fill
      at += 1;
    } else if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) {  // no length
      at += 2;
    } else {
      if (at + 3 >= bytes.size()) {
        return false;
      }
      at += 2 + (byte_at(bytes, at + 2) << 8 | byte_at(bytes, at + 3));
      if (marker == 0xDA) {
        at = skip_scan(bytes, at);
      }
    }
  }
  return false;
}

bool is_whole(Format format, std::string_view bytes) {
  switch (format) {
    case Format::kPng:
      return png_is_whole(bytes);
    case Format::kJpeg:
      return jpeg_is_whole(bytes);
    case Format::kTiff:
      return bytes.size() > 8;  // libtiff reports what it misses later on
  }
  return false;
}

/// OpenCV's decoders, which return an empty matrix or throw for what they cannot read.
cv::Mat decode(std::string_view bytes, const std::string& name, Format format) {
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
    throw UserError(fmt::format("{}: the {} file is damaged or truncated; replace or remove it",
                                name, name_of(format)));
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
  const Format format = format_of(bytes, name);
  if (!is_whole(format, bytes)) {
    throw UserError(
        fmt::format("{}: the {} file is truncated; replace or remove it", name, name_of(format)));
  }
  const cv::Mat pixels = decode(bytes, name, format);
  if (pixels.channels() > 4 || (pixels.depth() != CV_8U && pixels.depth() != CV_16U)) {
    throw UserError(fmt::format(
        "{}: pixels are not 1 to 4 channels of 8 or 16 bits; convert it to 8-bit RGB", name));
  }
  if (pixels.depth() == CV_16U) {
    return to_rgb<std::uint16_t>(pixels, Alpha::kStraight);
  }
  return to_rgb<std::uint8_t>(pixels,
                              format == Format::kTiff ? Alpha::kPremultiplied : Alpha::kStraight);
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
