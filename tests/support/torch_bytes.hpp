#pragma once

// For tests of exchange: pickles written opcode by opcode, and the two forms of file around them.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "exchange/little_endian.hpp"
#include "exchange/zip_writer.hpp"

namespace probedarts::testing {

using exchange::append_number;

/// 32-bit floats as bytes.
inline std::string float_bytes(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) {
    append_number<float>(bytes, value);
  }
  return bytes;
}

inline std::string py_text(const std::string& text) {
  std::string bytes = "X";
  append_number<std::uint32_t>(bytes, text.size());
  return bytes + text;
}

inline std::string py_int(std::int64_t value) {
  std::string bytes = "\x8a\x08";
  append_number<std::int64_t>(bytes, value);
  return bytes;
}

inline std::string py_global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

inline std::string py_tuple(const std::vector<std::string>& items) {
  std::string bytes = "(";
  for (const std::string& item : items) {
    bytes += item;
  }
  return bytes + "t";
}

inline std::string py_ints(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  for (const std::int64_t value : values) {
    items.push_back(py_int(value));
  }
  return py_tuple(items);
}

inline std::string py_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string bytes = "}(";
  for (const auto& [key, value] : items) {
    bytes += py_text(key) + value;
  }
  return bytes + "u";
}

/// The persistent id of a storage on a GPU, and the storage.
inline std::string py_storage(const std::string& key, std::int64_t numel,
                              const std::string& type = "FloatStorage",
                              const std::string& view = "") {
  std::vector<std::string> id = {py_text("storage"), py_global("torch", type), py_text(key),
                                 py_text("cuda:0"), py_int(numel)};
  if (!view.empty()) {
    id.push_back(view);
  }
  return py_tuple(id) + "Q";
}

inline std::string py_tensor(const std::string& storage, std::int64_t offset,
                             const std::vector<std::int64_t>& shape,
                             const std::vector<std::int64_t>& strides) {
  return py_global("torch._utils", "_rebuild_tensor_v2") +
         py_tuple({storage, py_int(offset), py_ints(shape), py_ints(strides), "\x89",
                   py_global("collections", "OrderedDict") + ")R"}) +
         "R";
}

/// A float32 vector that is the whole of storage `key`.
inline std::string py_vector(const std::string& key, std::int64_t numel) {
  return py_tensor(py_storage(key, numel), 0, {numel}, {1});
}

inline std::string pickle(const std::string& body) { return "\x80\x02" + body + "."; }

using Storages = std::vector<std::pair<std::string, std::string>>;  ///< key, bytes

/// Storage "0" with the numbers 0 to 11.
inline const Storages kTwelve = {{"0", float_bytes({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})}};

/// The zip form of an object.
inline std::string torch_zip(const std::string& object, const Storages& storages = {}) {
  exchange::ZipWriter zip;
  zip.add("some/data.pkl", pickle(object));
  for (const auto& [key, bytes] : storages) {
    zip.add("some/data/" + key, bytes);
  }
  zip.add("some/version", "3\n");
  return zip.finish();
}

/// The older form; storages of elements of 4 bytes.
inline std::string torch_legacy(const std::string& object, const Storages& storages = {}) {
  std::string bytes = pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") +
                      pickle(py_int(1001)) + pickle("}" + py_text("little_endian") + "\x88s") +
                      pickle(object);
  std::string keys = "](";
  for (const auto& storage : storages) {
    keys += py_text(storage.first);
  }
  bytes += pickle(keys + "e");
  for (const auto& storage : storages) {
    append_number<std::int64_t>(bytes, storage.second.size() / 4);
    bytes += storage.second;
  }
  return bytes;
}

/// The sentence of the UserError that `act` throws, or "accepted".
template <typename Act>
std::string refusal_of(Act act) {
  try {
    act();
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace probedarts::testing
