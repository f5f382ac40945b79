#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "kernels/memory.hpp"
#include "kernels/mix.hpp"
#include "kernels/thread_pool.hpp"
#include "nets/executor.hpp"
#include "nets/fused_norms.hpp"
#include "nets/fused_plan.hpp"

namespace probedarts::nets::fused {

/// The network with running statistics and no gradients. Without statistics of the batch no image
/// waits for another: a thread takes one image through the whole network, in a small arena of its
/// own whose maps give way to later ones, so that most of it stays in cache and memory does not
/// grow with the batch. With fewer images than threads all threads share an image, a band of rows
/// of each map each; every pixel is computed as before, so the bits are the same. A cell's inputs
/// and the stem have their BN folded into weights and a bias.
class Inference {
 public:
  /// `layout` and `threads` must outlive this.
  Inference(const NetworkLayout& layout, kernels::ThreadPool& threads)
      : layout_(layout), threads_(threads) {}

  /// \param edge_weights  softmax(alpha), empty when derived. \returns  logits [B, classes].
  at::Tensor logits(const NetworkState& state, std::span<const double> edge_weights,
                    const at::Tensor& images);

 private:
  struct Prepared {
    Plan plan;  ///< of one image, its arena shared by maps that do not live at the same time
    Coefficients coefficients;
    kernels::FloatBuffer packed;
    std::vector<float> weights, statistics;  ///< what was folded
    std::vector<double> edge_weights;
  };
  struct Workspace {
    kernels::FloatBuffer arena, padded, scratch;
    bool shared = false;  ///< one image for all threads: each output is computed in bands of rows
    std::vector<kernels::MixTerm> mix_terms;
    std::vector<kernels::GatherSource> sources;
    std::vector<float> features;
  };

  Prepared& prepared_for(int height, int width);
  void fold(Prepared& prepared, const NetworkState& state, std::span<const double> edge_weights);
  void run_image(const Prepared& prepared, Workspace& workspace);
  void run_state(const Prepared& prepared, const State& state, Workspace& workspace);
  void classify(const Prepared& prepared, Workspace& workspace, float* logits) const;
  /// Calls body(first row, rows, workspace of the thread) for the bands of `height` rows.
  template <typename Body>
  void in_bands(Workspace& workspace, int height, const Body& body);

  const NetworkLayout& layout_;
  kernels::ThreadPool& threads_;
  std::map<std::pair<int, int>, Prepared> prepared_;  ///< by image size
  std::vector<Workspace> workspaces_;
};

/// Gives slabs that do not live at the same time the same place; gradients get none. \returns
/// floats of the arena. For a plan of one image that only runs forward.
std::size_t share_arena(Plan& plan);

}  // namespace probedarts::nets::fused
