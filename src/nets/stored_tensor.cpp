#include "nets/stored_tensor.hpp"

#include <cstring>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "core/errors.hpp"

namespace probedarts::nets {
namespace {

at::ScalarType scalar_type(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return at::kFloat;
    case ElementType::kF64:
      return at::kDouble;
    case ElementType::kI64:
      return at::kLong;
    case ElementType::kU8:
      return at::kByte;
    case ElementType::kF16:
      return at::kHalf;
    case ElementType::kBF16:
      return at::kBFloat16;
    case ElementType::kI32:
      return at::kInt;
    case ElementType::kI16:
      return at::kShort;
    case ElementType::kI8:
      return at::kChar;
    case ElementType::kBool:
      return at::kBool;
  }
  report_bug("unknown element type", __FILE__, __LINE__);
}

ElementType element_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return ElementType::kF32;
    case at::kDouble:
      return ElementType::kF64;
    case at::kLong:
      return ElementType::kI64;
    case at::kByte:
      return ElementType::kU8;
    case at::kHalf:
      return ElementType::kF16;
    case at::kBFloat16:
      return ElementType::kBF16;
    case at::kInt:
      return ElementType::kI32;
    case at::kShort:
      return ElementType::kI16;
    case at::kChar:
      return ElementType::kI8;
    case at::kBool:
      return ElementType::kBool;
    default:
      report_bug("tensor of a type that files do not hold", __FILE__, __LINE__);
  }
}

}  // namespace

at::Tensor to_tensor(const StoredTensor& stored) {
  at::Tensor tensor = at::empty(stored.shape, scalar_type(stored.type));
  require(tensor.nbytes() == stored.bytes.size(), "stored tensor's bytes do not fit its shape");
  std::memcpy(tensor.data_ptr(), stored.bytes.data(), stored.bytes.size());
  return tensor;
}

StoredTensor to_stored(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().cpu().contiguous();
  StoredTensor stored;
  stored.type = element_type(plain.scalar_type());
  stored.shape = plain.sizes().vec();
  stored.bytes.assign(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
  return stored;
}

}  // namespace probedarts::nets
