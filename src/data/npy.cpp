#include "data/npy.hpp"

#include <bit>
#include <cctype>
#include <charconv>
#include <string>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts::data {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

[[noreturn]] void refuse(const std::filesystem::path& named, const std::string& why) {
  throw UserError(
      fmt::format("{}: {}; save the indices as a one-dimensional integer array with "
                  "numpy.save",
                  named.string(), why));
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t k = bytes.size(); k-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(bytes[k]);
  }
  return value;
}

/// What the header says about the array.
struct NpyHeader {
  bool is_signed = true;
  std::size_t element_bytes = 0;
  std::size_t count = 0;
};

/// Reads the header's Python dictionary: the three keys, each once, in any order.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::filesystem::path& named)
      : text_(text), named_(named) {}

  NpyHeader read() {
    need('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      need(':');
      if (key == "descr" && !has_type_) {
        read_type();
      } else if (key == "fortran_order" && !has_order_) {
        read_order();
      } else if (key == "shape" && !has_shape_) {
        read_shape();
      } else {
        malformed();
      }
      if (!take(',')) {
        need('}');
        break;
      }
    }
    skip_spaces();
    if (at_ != text_.size() || !has_type_ || !has_order_ || !has_shape_) {
      malformed();
    }
    return header_;
  }

 private:
  [[noreturn]] void malformed() const { refuse(named_, "the header is malformed"); }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) {
      ++at_;
    }
  }

  bool take(char wanted) {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == wanted) {
      ++at_;
      return true;
    }
    return false;
  }

  void need(char wanted) {
    if (!take(wanted)) {
      malformed();
    }
  }

  std::string_view quoted() {
    const char quote = take('\'') ? '\'' : '"';
    if (quote == '"') {
      need('"');
    }
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) {
      malformed();
    }
    const std::string_view inside = text_.substr(at_, end - at_);
    at_ = end + 1;
    return inside;
  }

  void read_type() {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '[') {
      refuse(named_, "the array holds records, not whole numbers");
    }
    const std::string_view type = quoted();
    const bool known = type.size() == 3 && (type[1] == 'i' || type[1] == 'u') &&
                       std::string_view("1248").find(type[2]) != std::string_view::npos &&
                       (type[0] == '<' || (type[0] == '|' && type[2] == '1'));
    if (!known) {
      refuse(named_, fmt::format("element type '{}' is no little-endian integer", type));
    }
    header_.is_signed = type[1] == 'i';
    header_.element_bytes = static_cast<std::size_t>(type[2] - '0');
    has_type_ = true;
  }

  void read_order() {
    skip_spaces();
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("True")) {
      refuse(named_, "the array is in Fortran order");
    }
    if (!rest.starts_with("False")) {
      malformed();
    }
    at_ += std::string_view("False").size();
    has_order_ = true;
  }

  void read_shape() {
    need('(');
    std::size_t dimensions = 0;
    while (!take(')')) {
      skip_spaces();
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), header_.count);
      if (error != std::errc()) {
        malformed();
      }
      at_ += static_cast<std::size_t>(end - begin);
      ++dimensions;
      if (!take(',')) {
        need(')');
        break;
      }
    }
    if (dimensions != 1) {
      refuse(named_, fmt::format("the array has {} dimensions, not 1", dimensions));
    }
    has_shape_ = true;
  }

  std::string_view text_;
  const std::filesystem::path& named_;
  std::size_t at_ = 0;
  NpyHeader header_;
  bool has_type_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

std::int64_t element(std::string_view bytes, const NpyHeader& header,
                     const std::filesystem::path& named) {
  std::uint64_t value = little_endian(bytes);
  const std::size_t bits = 8 * bytes.size();
  if (header.is_signed && bits < 64 && ((value >> (bits - 1)) & 1U) != 0) {
    value |= ~std::uint64_t{0} << bits;  // extend the sign
  }
  if (!header.is_signed && (value >> 63) != 0) {
    refuse(named, fmt::format("the value {} is too large for an index", value));
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::vector<std::int64_t> parse_npy_indices(std::string_view bytes,
                                            const std::filesystem::path& named) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + 4) {
    refuse(named, "this is no .npy file");
  }
  const int version = static_cast<unsigned char>(bytes[kMagic.size()]);
  if (version < 1 || version > 3) {
    refuse(named, fmt::format("the .npy format version {} is unknown", version));
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t header_at = kMagic.size() + 2 + length_bytes;
  const std::size_t header_bytes = little_endian(bytes.substr(kMagic.size() + 2, length_bytes));
  if (bytes.size() < header_at || bytes.size() - header_at < header_bytes) {
    refuse(named, "the file ends inside the header");
  }
  const NpyHeader header = HeaderReader(bytes.substr(header_at, header_bytes), named).read();
  const std::string_view body = bytes.substr(header_at + header_bytes);
  if (body.size() % header.element_bytes != 0 ||
      body.size() / header.element_bytes != header.count) {
    refuse(named, fmt::format("the header promises {} elements of {} bytes, but {} bytes follow",
                              header.count, header.element_bytes, body.size()));
  }
  std::vector<std::int64_t> values;
  values.reserve(header.count);
  for (std::size_t k = 0; k < header.count; ++k) {
    values.push_back(
        element(body.substr(k * header.element_bytes, header.element_bytes), header, named));
  }
  return values;
}

std::vector<std::int64_t> read_npy_indices(const std::filesystem::path& file) {
  return parse_npy_indices(read_file(file), file);
}

std::string format_npy(std::span<const float> values, const std::vector<std::size_t>& shape) {
  std::string sides;
  std::size_t count = 1;
  for (const std::size_t side : shape) {
    sides += fmt::format("{}{}", sides.empty() ? "" : ", ", side);
    count *= side;
  }
  require(count == values.size(), "an array's values fill its shape");
  if (shape.size() == 1) {
    sides += ',';  // a tuple of one
  }
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sides);
  constexpr std::size_t kBefore = 10;  // magic, version, length of the header
  while ((kBefore + header.size() + 1) % 64 != 0) {
    header += ' ';
  }
  header += '\n';
  std::string bytes(kMagic);
  for (const std::size_t byte :
       {std::size_t{1}, std::size_t{0}, header.size() & 0xFF, header.size() >> 8}) {
    bytes += static_cast<char>(byte);
  }
  bytes += header;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int k = 0; k < 4; ++k) {
      bytes += static_cast<char>((bits >> (8 * k)) & 0xFFU);
    }
  }
  return bytes;
}

}  // namespace probedarts::data
