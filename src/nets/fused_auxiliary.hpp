#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "nets/fused_passes.hpp"

namespace probedarts::nets::fused {

/// The auxiliary head between the kernels' maps and LibTorch: it works on 2x2 pixels and is left to
/// plain ATen operations with autograd.
class AuxiliaryHead {
 public:
  /// Copies the states that its cell concatenates and moves its running statistics.
  /// \returns  logits [B, classes], outside of any graph.
  at::Tensor forward(const Context& context);

  /// Adds to the gradients of the states and writes those of the head's parameters, where the
  /// context has a place for them; once per forward. \param gradient  of the logits, [B, classes].
  void backward(const Context& context, const at::Tensor& gradient);

 private:
  at::Tensor features_, logits_;
  std::vector<at::Tensor> parameters_;  ///< as the layout's; undefined but for the head's own
};

}  // namespace probedarts::nets::fused
