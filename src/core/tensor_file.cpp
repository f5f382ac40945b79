#include "core/tensor_file.hpp"

#include <array>
#include <cstring>
#include <limits>

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
};
constexpr std::array kTypes = {
    TypeRow{ElementType::kF32, "F32", 4}, TypeRow{ElementType::kF64, "F64", 8},
    TypeRow{ElementType::kI64, "I64", 8}, TypeRow{ElementType::kU8, "U8", 1}};

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

template <typename T>
std::vector<double> converted(const std::string& bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

StoredTensor parse_tensor(const json& entry, std::string_view payload, const std::string& file,
                          const std::string& tensor) {
  StoredTensor result;
  const std::string type_name = entry.at("dtype").get<std::string>();
  const TypeRow* type = nullptr;
  for (const TypeRow& row : kTypes) {
    if (type_name == row.name) {
      type = &row;
    }
  }
  if (type == nullptr) {
    malformed(file, fmt::format("tensor '{}' has type '{}', known are F32, F64, I64, U8", tensor,
                                type_name));
  }
  result.type = type->type;
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
  const auto begin = offsets[0].get<std::uint64_t>();
  const auto end = offsets[1].get<std::uint64_t>();
  if (begin > end || end > payload.size()) {
    malformed(file, fmt::format("tensor '{}' ends beyond the file, which is truncated", tensor));
  }
  if (checked_numel(result.shape, file, tensor) * type->bytes != end - begin) {
    malformed(file, fmt::format("tensor '{}' has a size that does not fit its shape", tensor));
  }
  result.bytes = payload.substr(begin, end - begin);
  return result;
}

}  // namespace

std::size_t element_bytes(ElementType type) { return row_of(type).bytes; }

std::int64_t StoredTensor::numel() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    count *= extent;
  }
  return count;
}

std::vector<double> StoredTensor::as_doubles() const {
  switch (type) {
    case ElementType::kF32:
      return converted<float>(bytes);
    case ElementType::kF64:
      return converted<double>(bytes);
    case ElementType::kI64:
      return converted<std::int64_t>(bytes);
    case ElementType::kU8:
      return converted<std::uint8_t>(bytes);
  }
  report_bug("unknown element type", __FILE__, __LINE__);
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
  const json header = json::parse(content.substr(8, header_bytes), nullptr, false);
  if (!header.is_object()) {
    malformed(name, "its header is not JSON");
  }
  const std::string_view payload = content.substr(8 + header_bytes);
  TensorFile file;
  try {
    for (const auto& [key, entry] : header.items()) {
      if (key == "__metadata__") {
        file.metadata = entry.get<std::map<std::string, std::string>>();
      } else {
        file.tensors.emplace(key, parse_tensor(entry, payload, name, key));
      }
    }
  } catch (const json::exception&) {
    malformed(name, "its header lacks a field or has one of the wrong kind");
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
