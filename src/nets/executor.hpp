#pragma once

#include <memory>

#include "core/tensor_fwd.hpp"
#include "nets/layout.hpp"
#include "nets/network_state.hpp"

namespace probedarts::nets {

/// What `backward` will be asked for: an executor saves and computes only that.
enum class Wanted { kNothing, kWeights, kAlpha, kBoth };

/// Which statistics a batch normalisation uses.
enum class Mode {
  kTrain,     ///< those of the batch; the running ones move by momentum 0.1
  kEvaluate,  ///< the running ones
};

/// Runs a network forward and backward. The state comes in with every call, so one executor serves
/// the network and its unrolled copy. Two implementations with the same results: *composed* (plain
/// ATen operations, any device and dtype) and, later, *fused* (our kernels, CPU float32).
class Executor {
 public:
  virtual ~Executor() = default;

  /// \param images  [B, 3, H, W] of the state's dtype; channels-last memory is fastest.
  /// \returns       logits [B, classes].
  /// In kTrain the running statistics of `state` move and its `batches_tracked` is raised by one.
  virtual at::Tensor forward(NetworkState& state, const at::Tensor& images, Mode mode,
                             Wanted wanted) = 0;

  /// Gradients of the loss whose gradient in the logits of the last `forward` is given; once per
  /// forward. \param logits_gradient  [B, classes].
  virtual Gradients backward(const at::Tensor& logits_gradient) = 0;
};

/// The plain executor. Keeps a reference to `layout`, which must outlive it.
std::unique_ptr<Executor> make_composed_executor(const NetworkLayout& layout);

/// The executor on our own kernels: states and images float32 on the CPU. Keeps a reference to
/// `layout`, which must outlive it. Results are the same bits for any number of threads. \param
/// threads  at least 1.
std::unique_ptr<Executor> make_fused_executor(const NetworkLayout& layout, int threads);

}  // namespace probedarts::nets
