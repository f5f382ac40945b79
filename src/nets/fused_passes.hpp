#pragma once

#include <vector>

#include "kernels/memory.hpp"
#include "kernels/mix.hpp"
#include "kernels/thread_pool.hpp"
#include "nets/fused_norms.hpp"

/// The forward and the backward pass over a plan.
///
/// The batch is cut into chunks, as many as there are images but at most kMaxChunks, whatever the
/// number of threads. A chunk's images are worked through in order by one thread, and what is
/// summed over images (moments, sums, weight gradients) is kept per chunk and added up in order:
/// results are the same bits for any number of threads.
namespace probedarts::nets::fused {

inline constexpr int kMaxChunks = 16;

/// Scratch of one thread; grows to the plan's needs and is kept.
struct Workspace {
  kernels::FloatBuffer padded, map, scratch;
  kernels::FloatBuffer channels;  ///< one value per channel of a state
  std::vector<kernels::MixTerm> mix_terms;
  std::vector<kernels::ProductTerm> product_terms;
  std::vector<kernels::GatherSource> sources;
};

/// Memory that outlives a pass: sized by `prepare`, which allocates only when a plan is larger than
/// any before.
struct Memory {
  kernels::FloatBuffer arena, packed, weight_partials;
  kernels::FloatBuffer zeros;  ///< one per channel: the `a` of an edge that an image drops
  Coefficients coefficients;
  Partials partials;
  std::vector<Workspace> workspaces;
  std::vector<bool>
      wants_gradient;  ///< per state: it depends on something whose gradient is asked for
  std::vector<bool> has_gradient;  ///< per state: somebody has added to its gradient in this pass
  std::vector<std::size_t> starting;  ///< states whose gradient the running phase adds to first

  void prepare(const Plan& plan, int threads);
};

/// One pass's surroundings.
struct Context {
  const NetworkLayout& layout;
  const Plan& plan;
  Memory& memory;
  kernels::ThreadPool& threads;
  Mode mode;
  Wanted wanted;
  NetworkMemory network;

  bool for_weights() const { return wanted == Wanted::kWeights || wanted == Wanted::kBoth; }
  bool for_alpha() const { return wanted == Wanted::kAlpha || wanted == Wanted::kBoth; }
  bool drops(const Site& site, int image) const {
    return site.drop && network.drop_path != nullptr &&
           network.drop_path->kept[static_cast<std::size_t>(*site.drop * plan.batch + image)] == 0;
  }
  float* image_of(const Slab& slab, int image) const {
    return memory.arena.data() + slab.offset +
           static_cast<std::size_t>(image) * slab.shape.floats();
  }
  int first_image(int chunk) const { return chunk * plan.batch / memory.partials.chunks; }
  float* sums(int chunk) const {
    return memory.partials.sums.data() + static_cast<std::size_t>(chunk) * plan.slots;
  }
  float* weight_partials(int chunk) const {
    return memory.weight_partials.data() + static_cast<std::size_t>(chunk) * plan.partial_floats;
  }
  kernels::BlockWeights weights_of(const BlockUnit& unit) const {
    const float* packed = memory.packed.data();
    return {packed + unit.depthwise, packed + unit.pointwise, packed + unit.pointwise_transposed};
  }
  /// body(image, chunk, workspace) for every image; a chunk's images in order.
  template <typename Body>
  void for_each_image(const Body& body) const {
    threads.run(memory.partials.chunks, [&](int chunk, int thread) {
      Workspace& workspace = memory.workspaces[static_cast<std::size_t>(thread)];
      for (int image = first_image(chunk); image < first_image(chunk + 1); ++image) {
        body(image, chunk, workspace);
      }
    });
  }
};

/// What a gathered product does with the gradients of its sources: nothing (forward), add to them,
/// or take the place of those that start in this phase (Memory::starting) and add to the others.
enum class SourceGradients { kNone, kAdd, kStart };

/// The gathered product's sources for one image; gradients where the source wants one.
void gather_sources(const Context& context, const GatherUnit& unit, int image,
                    SourceGradients gradients, std::vector<kernels::GatherSource>& sources);

/// Writes the patches of one image, whatever its strides: to[pixel of the first convolution's
/// output][row and column of the window, channel], zeros outside of the image and in the padding.
void load_patches(const NetworkLayout& layout, const Plan& plan, const at::Tensor& images,
                  int image, float* to);

/// Whoever adds to a state's gradient first zeroes it, image by image, while it is in cache, or
/// writes over it. A phase that adds to a state calls `start_gradient` before it and, unless it
/// writes over all that starts, `zero_started` for each image.
void start_gradient(const Context& context, std::size_t state);
void zero_started(const Context& context, int image);

/// Runs every state; the patches of the images lie in states[0] already.
void run_forward(const Context& context);

/// Runs every state in reverse; the gradients of the head's states were added already.
void run_backward(const Context& context);

}  // namespace probedarts::nets::fused
