#include "exchange/pickle_tensors.hpp"

#include <fmt/format.h>

namespace probedarts::exchange {
namespace {

using Kind = PickleValue::Kind;

/// No tensor of a network has more dimensions; PyTorch's own limit is 64.
constexpr std::size_t kMostDimensions = 64;
/// PyTorch's keys are decimal numbers.
constexpr std::size_t kLongestKey = 256;

/// a * b + c, or nothing when that is beyond 64 bits.
bool multiply_add(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t& result) {
  std::uint64_t product = 0;
  return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(product, c, &result);
}

/// The item as a number that counts something, or nothing.
bool read_count(const Pickle& pickle, PickleRef ref, std::uint64_t& count) {
  const PickleValue& value = pickle.at(ref);
  count = static_cast<std::uint64_t>(value.integer);
  return value.kind == Kind::kInteger && value.integer >= 0;
}

bool read_counts(const Pickle& pickle, PickleRef ref, std::vector<std::int64_t>& counts) {
  const PickleValue& value = pickle.at(ref);
  if (value.kind != Kind::kTuple && value.kind != Kind::kList) {
    return false;
  }
  if (value.items.size() > kMostDimensions) {
    return false;
  }
  for (const PickleRef item : value.items) {
    std::uint64_t count = 0;
    if (!read_count(pickle, item, count)) {
      return false;
    }
    counts.push_back(static_cast<std::int64_t>(count));
  }
  return true;
}

/// Old legacy files name parts of a storage: (key of the part, first element, elements).
bool read_view(const Pickle& pickle, PickleRef ref, PickledStorage& storage) {
  const PickleValue& view = pickle.at(ref);
  if (view.kind == Kind::kNone) {
    return true;
  }
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t end_byte = 0;
  const std::size_t each = element_bytes(storage.type);
  return view.kind == Kind::kTuple && view.items.size() == 3 &&
         read_count(pickle, view.items[1], first) && read_count(pickle, view.items[2], count) &&
         multiply_add(first, each, 0, storage.view_byte) &&
         multiply_add(count, each, storage.view_byte, end_byte) && end_byte <= storage.bytes;
}

/// Whether the last element of the view lies in `available` bytes behind its first byte's origin.
bool lies_inside(const PickledTensor& tensor, std::uint64_t available) {
  std::uint64_t last = 0;  // elements between the first and the last
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    if (tensor.shape[d] == 0) {
      return true;
    }
    if (!multiply_add(static_cast<std::uint64_t>(tensor.shape[d] - 1),
                      static_cast<std::uint64_t>(tensor.strides[d]), last, last)) {
      return false;
    }
  }
  const std::size_t each = element_bytes(tensor.type);
  std::uint64_t end = 0;
  return multiply_add(last, each, tensor.first_byte, end) &&
         !__builtin_add_overflow(end, each, &end) && end <= available;
}

/// Total number of elements fits in 63 bits even with extents of zero set aside.
bool has_countable_shape(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent > 0 && __builtin_mul_overflow(count, extent, &count)) {
      return false;
    }
  }
  return true;
}

}  // namespace

PickleValue pickled_storage(Pickle& pickle, PickleRef id, const Allowance& allowance) {
  const auto malformed = [&allowance]() {
    refuse(allowance.name(), "its pickle names a storage in an unknown way");
  };
  const PickleValue& tuple = pickle.at(id);
  if (tuple.kind != Kind::kTuple || tuple.items.size() < 5 || tuple.items.size() > 6) {
    malformed();
  }
  const PickleValue& tag = pickle.at(tuple.items[0]);
  const PickleValue& type = pickle.at(tuple.items[1]);
  const PickleValue& key = pickle.at(tuple.items[2]);
  std::uint64_t count = 0;
  if (tag.kind != Kind::kText || tag.text != "storage" || type.global == nullptr ||
      type.global->role != PickleRole::kStorageType || key.kind != Kind::kText ||
      key.text.size() > kLongestKey || !read_count(pickle, tuple.items[4], count)) {
    malformed();
  }
  PickledStorage storage{type.global->type, key.text, 0, 0};
  if (!multiply_add(count, element_bytes(storage.type), 0, storage.bytes) ||
      (tuple.items.size() == 6 && !read_view(pickle, tuple.items[5], storage))) {
    malformed();
  }
  pickle.storages.push_back(storage);
  return {Kind::kStorage, static_cast<std::int64_t>(pickle.storages.size() - 1), {}, {}, nullptr};
}

PickleValue pickled_tensor(Pickle& pickle, const std::vector<PickleRef>& arguments, PickleRole role,
                           Allowance& allowance) {
  const auto malformed = [&allowance]() {
    refuse(allowance.name(), "its pickle makes a tensor of arguments of the wrong kind");
  };
  constexpr std::size_t kDtypePlace = 6;  // of _rebuild_tensor_v3
  const bool typed = role == PickleRole::kRebuildTensor;
  if (arguments.size() < (typed ? 4 : kDtypePlace + 1) ||
      pickle.at(arguments[0]).kind != Kind::kStorage) {
    malformed();
  }
  PickledTensor tensor;
  tensor.storage = static_cast<std::size_t>(pickle.at(arguments[0]).integer);
  const PickledStorage& storage = pickle.storages[tensor.storage];
  tensor.type = storage.type;
  if (!typed) {
    const PickleGlobal* dtype = pickle.at(arguments[kDtypePlace]).global;
    if (dtype == nullptr || dtype->role != PickleRole::kDtype) {
      malformed();
    }
    tensor.type = dtype->type;
  }
  std::uint64_t offset = 0;
  if (!read_count(pickle, arguments[1], offset) ||
      !read_counts(pickle, arguments[2], tensor.shape) ||
      !read_counts(pickle, arguments[3], tensor.strides) ||
      tensor.shape.size() != tensor.strides.size()) {
    malformed();
  }
  allowance.charge(sizeof(PickledTensor) + 2 * sizeof(std::int64_t) * tensor.shape.size());
  if (!has_countable_shape(tensor.shape) ||
      !multiply_add(offset, element_bytes(tensor.type), storage.view_byte, tensor.first_byte) ||
      !lies_inside(tensor, storage.bytes)) {
    refuse(allowance.name(),
           fmt::format("a tensor reaches beyond its storage '{}'", printable(storage.key)));
  }
  pickle.tensors.push_back(std::move(tensor));
  return {Kind::kTensor, static_cast<std::int64_t>(pickle.tensors.size() - 1), {}, {}, nullptr};
}

}  // namespace probedarts::exchange
