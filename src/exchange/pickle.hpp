#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/tensor_file.hpp"
#include "exchange/allowance.hpp"
#include "exchange/pickle_globals.hpp"

namespace probedarts::exchange {

/// A value of a pickle, by its place in Pickle::values. Containers refer to their items, which may
/// be shared and may form circles: walk them with a bound.
using PickleRef = std::uint32_t;

struct PickleValue {
  enum class Kind {
    kNone,
    kInteger,  ///< bool as well
    kText,
    kTuple,
    kList,
    kDict,     ///< items: key, value, key, value, ...
    kGlobal,   ///< a name of Python, one of those of pickle_globals.hpp
    kStorage,  ///< integer: index into Pickle::storages
    kTensor,   ///< integer: index into Pickle::tensors
    kOpaque,   ///< any other plain value; of integers beyond 64 bits, `text` holds the bytes
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;
  std::string_view text;  ///< points into the pickle
  std::vector<PickleRef> items;
  const PickleGlobal* global = nullptr;
};

/// A storage as a pickle names it; its bytes lie elsewhere in the file.
struct PickledStorage {
  ElementType type = ElementType::kU8;
  std::string_view key;         ///< points into the pickle
  std::uint64_t bytes = 0;      ///< of the storage in the file
  std::uint64_t view_byte = 0;  ///< where this view of it begins; 0 but for old legacy files
};

/// A strided view of a storage, checked: every element lies inside it.
struct PickledTensor {
  std::size_t storage = 0;  ///< index into Pickle::storages
  ElementType type = ElementType::kF32;
  std::uint64_t first_byte = 0;  ///< of element 0, in the storage in the file
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  ///< in elements, never negative
};

struct Pickle {
  std::vector<PickleValue> values;
  std::vector<PickledStorage> storages;
  std::vector<PickledTensor> tensors;
  PickleRef root = 0;
  std::size_t end = 0;  ///< the first byte behind it

  const PickleValue& at(PickleRef ref) const { return values[ref]; }
};

/// Reads one pickle of protocol 2 to 5 as PyTorch writes them, as data: opcodes build the values
/// above and nothing else. Source of the opcodes: CPython's Lib/pickletools.py; of the persistent
/// ids and rebuilders: torch/serialization.py and torch/_utils.py.
///
/// \param content    the pickle begins at `begin` and may be followed by other bytes. Must outlive
///                   the result, whose text points into it.
/// \param allowance  charged for every value made.
/// \throws UserError  for anything malformed, for an opcode that PyTorch does not write, and for a
///                    name that is not of pickle_globals.hpp, naming it.
Pickle parse_pickle(std::string_view content, std::size_t begin, Allowance& allowance);

}  // namespace probedarts::exchange
