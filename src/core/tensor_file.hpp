#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace probedarts {

/// Element types of a safetensors file that probedarts reads and writes.
enum class ElementType { kF32, kF64, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

/// Bytes of one element.
std::size_t element_bytes(ElementType type);

/// The name that safetensors gives the type: "F32", "BF16", "BOOL", ...
const char* element_name(ElementType type);

/// Whether elements are floating-point numbers.
bool is_floating(ElementType type);

/// One tensor of a file: row-major, little endian.
struct StoredTensor {
  ElementType type = ElementType::kF32;
  std::vector<std::int64_t> shape;
  std::string bytes;

  std::int64_t numel() const;
  /// Elements converted to double, in order (exact for all types but I64 beyond 2^53).
  std::vector<double> as_doubles() const;
  /// The same numbers as another type, rounded to nearest: floating-point numbers as F32 or F64,
  /// integers as I64. \throws Bug for any other pair of different types.
  StoredTensor converted_to(ElementType type) const;
};

/// A safetensors file: 8-byte little-endian header length, JSON header, raw bytes
/// (github.com/huggingface/safetensors, "Format"). `metadata` is the header's `__metadata__`.
struct TensorFile {
  std::map<std::string, StoredTensor> tensors;
  std::map<std::string, std::string> metadata;

  const StoredTensor& at(
      const std::string& name) const;  ///< \throws UserError naming the missing tensor
  bool has(const std::string& name) const { return tensors.count(name) != 0; }
};

/// Reads a safetensors file, checking every offset, size and type against the file's length and
/// against each other: tensors that share bytes are refused, so no file grows in memory.
/// \throws UserError "<path>: not a safetensors file: <why>" for anything malformed or truncated.
TensorFile read_tensor_file(const std::filesystem::path& path);

/// The same from memory; `name` stands for the path in messages.
TensorFile parse_tensor_file(std::string_view content, const std::string& name);

/// The bytes of a file with these tensors in order of name: equal content gives equal bytes.
std::string format_tensor_file(const TensorFile& file);

}  // namespace probedarts
