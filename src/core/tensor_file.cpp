#include "core/tensor_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts {
namespace {

using nlohmann::json;

struct TypeRow {
  ElementType type;
  const char* name;
  std::size_t bytes;
  bool floating;
};
constexpr std::array kTypes = {
    TypeRow{ElementType::kF32, "F32", 4, true},  TypeRow{ElementType::kF64, "F64", 8, true},
    TypeRow{ElementType::kF16, "F16", 2, true},  TypeRow{ElementType::kBF16, "BF16", 2, true},
    TypeRow{ElementType::kI64, "I64", 8, false}, TypeRow{ElementType::kI32, "I32", 4, false},
    TypeRow{ElementType::kI16, "I16", 2, false}, TypeRow{ElementType::kI8, "I8", 1, false},
    TypeRow{ElementType::kU8, "U8", 1, false},   TypeRow{ElementType::kBool, "BOOL", 1, false}};

const TypeRow& row_of(ElementType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) {
      return row;
    }
  }
  report_bug("unknown element type", __FILE__, __LINE__);
}

[[noreturn]] void malformed(const std::string& name, const std::string& why) {
  throw UserError(fmt::format("{}: not a safetensors file: {}", name, why));
}

/// Product of the shape, refusing negative sizes and overflow.
std::uint64_t checked_numel(const std::vector<std::int64_t>& shape, const std::string& file,
                            const std::string& tensor) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 ||
        (extent > 0 && count > (std::uint64_t{1} << 48) / static_cast<std::uint64_t>(extent))) {
      malformed(file, fmt::format("tensor '{}' has an impossible shape", tensor));
    }
    count *= static_cast<std::uint64_t>(extent);
  }
  return count;
}

/// IEEE 754 binary16: 1 sign bit, 5 bits of exponent (bias 15), 10 of fraction.
float from_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  float magnitude = std::ldexp(static_cast<float>(fraction), -24);  // subnormal, or 0
  if (exponent == 0x1f) {
    magnitude = fraction == 0 ? std::numeric_limits<float>::infinity()
                              : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent > 0) {
    magnitude = std::ldexp(static_cast<float>(0x400 + fraction), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// bfloat16 is the upper half of a float32.
float from_bfloat(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// Calls `use(index, decode(element))` for every element, held in the file as a T.
template <typename T, typename Decode, typename Use>
void visit_as(const std::string& bytes, Decode decode, Use use) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    use(i, decode(value));
  }
}

/// Calls `use(index, number)` for every element, whatever its type.
template <typename Use>
void visit(const StoredTensor& tensor, Use use) {
  const auto same = [](auto value) { return value; };
  switch (tensor.type) {
    case ElementType::kF32:
      return visit_as<float>(tensor.bytes, same, use);
    case ElementType::kF64:
      return visit_as<double>(tensor.bytes, same, use);
    case ElementType::kF16:
      return visit_as<std::uint16_t>(tensor.bytes, from_half, use);
    case ElementType::kBF16:
      return visit_as<std::uint16_t>(tensor.bytes, from_bfloat, use);
    case ElementType::kI64:
      return visit_as<std::int64_t>(tensor.bytes, same, use);
    case ElementType::kI32:
      return visit_as<std::int32_t>(tensor.bytes, same, use);
    case ElementType::kI16:
      return visit_as<std::int16_t>(tensor.bytes, same, use);
    case ElementType::kI8:
      return visit_as<std::int8_t>(
          tensor.bytes, [](std::int8_t value) { return int{value}; }, use);
    case ElementType::kU8:
    case ElementType::kBool:
      return visit_as<std::uint8_t>(tensor.bytes, same, use);
  }
  report_bug("unknown element type", __FILE__, __LINE__);
}

/// The elements of `tensor`, each cast to T, as bytes.
template <typename T>
std::string cast_bytes(const StoredTensor& tensor) {
  std::string bytes(tensor.bytes.size() / element_bytes(tensor.type) * sizeof(T), '\0');
  visit(tensor, [&bytes](std::size_t i, auto value) {
    const T cast = static_cast<T>(value);
    std::memcpy(bytes.data() + i * sizeof(T), &cast, sizeof(T));
  });
  return bytes;
}

/// Where a tensor lies in the payload.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string tensor;
};

/// No byte may belong to two tensors: a small file could otherwise name a large payload often.
void refuse_overlap(std::vector<Extent> extents, const std::string& file) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  for (std::size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      malformed(file, fmt::format("tensors '{}' and '{}' share bytes", extents[i - 1].tensor,
                                  extents[i].tensor));
    }
  }
}

/// The header as JSON. No level below a tensor's shape is legal, and refusing one while it is read
/// keeps `[[[[...` from costing many times its length in memory.
json parse_header(std::string_view text, const std::string& file) {
  constexpr int kDeepest = 3;
  const auto watch = [&file](int depth, json::parse_event_t, const json&) {
    if (depth > kDeepest) {
      malformed(file, "its header is nested too deeply");
    }
    return true;
  };
  json header = json::parse(text, watch, false);
  if (!header.is_object()) {
    malformed(file, "its header is not JSON");
  }
  return header;
}

const TypeRow& parse_type(const std::string& type_name, const std::string& file,
                          const std::string& tensor) {
  std::string known;
  for (const TypeRow& row : kTypes) {
    if (type_name == row.name) {
      return row;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  malformed(file, fmt::format("tensor '{}' has type '{}', known are {}", tensor, type_name, known));
}

/// Type and shape of a tensor, without its bytes, and where these lie.
std::pair<StoredTensor, Extent> parse_tensor(const json& entry, std::uint64_t payload_bytes,
                                             const std::string& file, const std::string& tensor) {
  StoredTensor result;
  const TypeRow& type = parse_type(entry.at("dtype").get<std::string>(), file, tensor);
  result.type = type.type;
  const json& shape = entry.at("shape");
  if (!shape.is_array()) {
    malformed(file, fmt::format("tensor '{}' has an impossible shape", tensor));
  }
  for (const json& extent : shape) {
    if (!extent.is_number_integer()) {
      malformed(file, fmt::format("tensor '{}' has an impossible shape", tensor));
    }
    result.shape.push_back(extent.get<std::int64_t>());
  }
  const json& offsets = entry.at("data_offsets");
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    malformed(file, fmt::format("tensor '{}' has malformed offsets", tensor));
  }
  const Extent extent{offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>(), tensor};
  if (extent.begin > extent.end || extent.end > payload_bytes) {
    malformed(file, fmt::format("tensor '{}' ends beyond the file, which is truncated", tensor));
  }
  if (checked_numel(result.shape, file, tensor) * type.bytes != extent.end - extent.begin) {
    malformed(file, fmt::format("tensor '{}' has a size that does not fit its shape", tensor));
  }
  return {std::move(result), extent};
}

}  // namespace

std::size_t element_bytes(ElementType type) { return row_of(type).bytes; }

const char* element_name(ElementType type) { return row_of(type).name; }

bool is_floating(ElementType type) { return row_of(type).floating; }

std::int64_t StoredTensor::numel() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    count *= extent;
  }
  return count;
}

std::vector<double> StoredTensor::as_doubles() const {
  std::vector<double> values(bytes.size() / element_bytes(type));
  visit(*this, [&values](std::size_t i, auto value) { values[i] = static_cast<double>(value); });
  return values;
}

StoredTensor StoredTensor::converted_to(ElementType wanted) const {
  if (wanted == type) {
    return *this;
  }
  if (is_floating(type) && wanted == ElementType::kF32) {
    return {wanted, shape, cast_bytes<float>(*this)};
  }
  if (is_floating(type) && wanted == ElementType::kF64) {
    return {wanted, shape, cast_bytes<double>(*this)};
  }
  require(!is_floating(type) && wanted == ElementType::kI64, "conversion that would lose numbers");
  return {wanted, shape, cast_bytes<std::int64_t>(*this)};
}

const StoredTensor& TensorFile::at(const std::string& name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    throw UserError(fmt::format("tensor '{}' is missing", name));
  }
  return found->second;
}

TensorFile parse_tensor_file(std::string_view content, const std::string& name) {
  if (content.size() < 8) {
    malformed(name, fmt::format("{} bytes are too few for a header", content.size()));
  }
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, content.data(), 8);
  if (header_bytes > content.size() - 8) {
    malformed(name, "its header ends beyond the file");
  }
  const json header = parse_header(content.substr(8, header_bytes), name);
  const std::string_view payload = content.substr(8 + header_bytes);
  TensorFile file;
  std::vector<Extent> extents;
  try {
    for (const auto& [key, entry] : header.items()) {
      if (key == "__metadata__") {
        file.metadata = entry.get<std::map<std::string, std::string>>();
      } else {
        auto [tensor, extent] = parse_tensor(entry, payload.size(), name, key);
        file.tensors.emplace(key, std::move(tensor));
        extents.push_back(std::move(extent));
      }
    }
  } catch (const json::exception&) {
    malformed(name, "its header lacks a field or has one of the wrong kind");
  }
  refuse_overlap(extents, name);
  for (const Extent& extent : extents) {
    file.tensors.at(extent.tensor).bytes = payload.substr(extent.begin, extent.end - extent.begin);
  }
  return file;
}

TensorFile read_tensor_file(const std::filesystem::path& path) {
  return parse_tensor_file(read_file(path), path.string());
}

std::string format_tensor_file(const TensorFile& file) {
  json header = json::object();
  if (!file.metadata.empty()) {
    header["__metadata__"] = file.metadata;
  }
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    header[name] = {{"dtype", row_of(tensor.type).name},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the payload starts aligned, as the format asks
  const std::uint64_t header_bytes = text.size();
  std::string content(8, '\0');
  std::memcpy(content.data(), &header_bytes, 8);
  content.reserve(8 + text.size() + offset);
  content += text;
  for (const auto& [name, tensor] : file.tensors) {
    content += tensor.bytes;
  }
  return content;
}

}  // namespace probedarts
