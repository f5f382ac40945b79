#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

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

/// Drop-path: whole edges are left out at random, image by image, and what is kept is divided by
/// the probability of being kept (Larsson et al., "FractalNet", 2017, as in DARTS). Edges that may
/// be dropped are numbered by `EdgeUnit::drop`: all but identities.
struct DropPath {
  double keep_probability;         ///< in (0, 1]
  std::vector<std::uint8_t> kept;  ///< [layout.droppable_edges][batch]; 0 dropped, 1 kept
};

/// What a forward pass is for.
struct ForwardOptions {
  Mode mode = Mode::kTrain;
  Wanted wanted = Wanted::kNothing;
  const DropPath* drop_path =
      nullptr;  ///< training of a derived network only; must outlive `backward`
};

/// Logits [B, classes]; `auxiliary` is undefined without an auxiliary head and in kEvaluate.
struct Logits {
  at::Tensor main, auxiliary;
};

/// Runs a network forward and backward. The state comes in with every call, so one executor serves
/// the network and its unrolled copy. Two implementations with the same results: *composed* (plain
/// ATen operations, any device and dtype) and *fused* (our kernels, CPU float32).
class Executor {
 public:
  virtual ~Executor() = default;

  /// \param images  [B, 3, H, W] of the state's dtype; channels-last memory is fastest.
  /// In kTrain the running statistics of `state` move and its `batches_tracked` is raised by one.
  virtual Logits forward(NetworkState& state, const at::Tensor& images,
                         const ForwardOptions& options) = 0;

  /// Gradients of the loss whose gradient in the logits of the last `forward` is given; once per
  /// forward.
  /// \param gradient  [B, classes] each; an undefined `auxiliary` counts as zero.
  virtual Gradients backward(const Logits& gradient) = 0;
};

/// Whether the composed executor joins the separable convolutions of one kind on all out-edges of a
/// state into grouped ones: the same results from a quarter of the operations. That pays where
/// starting an operation is what costs; LibTorch's grouped convolutions on the CPU are slow.
enum class Grouping {
  kOffTheCpu,  ///< when the weights lie on another device
  kAlways,
};

/// The plain executor. Keeps a reference to `layout`, which must outlive it.
std::unique_ptr<Executor> make_composed_executor(const NetworkLayout& layout,
                                                 Grouping grouping = Grouping::kOffTheCpu);

/// The executor on our own kernels: states and images float32 on the CPU. Keeps a reference to
/// `layout`, which must outlive it. Results are the same bits for any number of threads.
/// \param threads  at least 1.
std::unique_ptr<Executor> make_fused_executor(const NetworkLayout& layout, int threads);

}  // namespace probedarts::nets
