#pragma once

#include "core/tensor_file.hpp"
#include "core/tensor_fwd.hpp"

namespace probedarts::nets {

/// A copy of a stored tensor as a CPU tensor of the same type and shape.
at::Tensor to_tensor(const StoredTensor& stored);

/// A tensor's elements in row-major order, for a file. Every type of ElementType; any device,
/// any strides.
StoredTensor to_stored(const at::Tensor& tensor);

}  // namespace probedarts::nets
