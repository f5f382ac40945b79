#pragma once

// The only forward declaration of LibTorch's tensor: headers that merely name it cost nothing to
// include.
namespace at {
class Tensor;
}  // namespace at
