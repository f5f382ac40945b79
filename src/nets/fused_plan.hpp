#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "kernels/gathered_pointwise.hpp"
#include "kernels/pool.hpp"
#include "kernels/separable_block.hpp"
#include "nets/layout.hpp"

/// What the fused executor does for one network, image size and batch: every map's place in one
/// arena, every kernel's shape, and who feeds whom. Built once; a step only walks it. The network
/// is a list of *states* in topological order: the images as patches of the stem's first
/// convolution, the stages of the stem, and of every cell its two inputs and its nodes. A state is
/// a weighted sum of *terms*; the forward pass goes through the states in order, the backward pass
/// in reverse.
namespace probedarts::nets::fused {

/// [batch] images of one map, in the arena.
struct Slab {
  std::size_t offset = 0;  ///< floats
  kernels::MapShape shape{};
};

/// Entry of softmax(alpha).
struct AlphaPlace {
  int kind;  ///< 0 normal, 1 reduction
  int edge;
  int column;
};

/// One use of a map as a summand: through a batch normalisation or as it is, weighted or not. Its
/// coefficients are `padded` floats at `slot` of the arrays of Coefficients.
struct Site {
  std::optional<std::size_t> norm;  ///< of the layout
  int channels, padded;
  std::size_t slot;
  std::size_t moments;       ///< slot of the map's moments; with a norm only
  std::size_t gradient_sum;  ///< slot of the sum of the gradient this site feeds
  std::optional<AlphaPlace> weight;
  std::optional<int> drop;   ///< number of the edge among those that drop-path may drop
  std::size_t kept_sum = 0;  ///< slot of the sum of the gradient over the images that keep the edge
};

/// A summand of a state: indices into Plan::sites.
struct Term {
  Slab values;
  std::size_t site;
};

/// A piece of a gathered product's weights: parameter [out, in, taps] to rows of the packed matrix.
struct WeightPiece {
  std::size_t parameter;
  int row;  ///< first gathered channel
  int in_first, in_count, in_total;
  int out_first, out_count;
  int tap, taps;
};

struct Source {
  std::size_t state;
  int stride, down, right;
};

struct GatherUnit {
  kernels::GatherShape shape;
  std::vector<Source> sources;
  std::vector<WeightPiece> pieces;
  std::size_t weights,
      weights_transposed;  ///< places in the packed weights: [depth][out], [out][depth_pitch]
  std::size_t partial;     ///< place of [out][depth_pitch] among a phase's weight gradients
  Slab y;
  std::size_t moments;
  Slab gradient;  ///< of what the product's site feeds
  std::size_t site;
};

struct BlockUnit {
  kernels::BlockShape shape;
  std::size_t depthwise_parameter, pointwise_parameter;
  int channels;                                            ///< without padding
  std::size_t depthwise, pointwise, pointwise_transposed;  ///< places in the packed weights
  std::size_t partial;  ///< place of the depthwise, then the pointwise gradient
  Slab y;
  std::size_t moments;
  Slab gradient;
  std::size_t site;
};

/// Second block of a sep_conv: its input is y of the first block, normalised by `inner` (the first
/// block's site). Backward, the gradient in that normalised value takes the place of this block's
/// y, which is not needed any more.
struct SecondBlock {
  BlockUnit block;
  Slab input;
  std::size_t inner;
};

/// Whoever takes a shared map: gradient of a node, and the site.
struct Consumer {
  Slab gradient;
  std::size_t site;
};

struct PoolUnit {
  space::Primitive primitive;
  kernels::PoolShape shape;
  Slab y;
  std::size_t moments;
  std::vector<Consumer> consumers;
  std::size_t slot;  ///< sums of the consumers' b and c
};

struct SecondReference {
  std::size_t state, index;  ///< states[state].seconds[index]
};

struct State {
  Slab value, gradient;
  int channels = 0;  ///< without padding
  std::vector<Term> terms;
  std::size_t shift = 0;              ///< slot of the sum of the terms' shifts
  std::size_t gradient_sum = 0;       ///< slot
  std::optional<GatherUnit> made_by;  ///< stem stages and cell inputs

  std::vector<PoolUnit> pools;  ///< what its out-edges share and own
  std::vector<Consumer> identities;
  std::vector<GatherUnit> reduces;
  std::vector<BlockUnit> firsts;
  std::vector<SecondBlock> seconds;
  /// Floats of weight gradients in each of the state's phases.
  std::size_t firsts_partial = 0, incoming_partial = 0, product_partial = 0;
  /// Where the blocks' outputs go: memory when the phase writes more than the caches keep.
  kernels::Destination firsts_to = kernels::Destination::kCache;
  kernels::Destination seconds_to = kernels::Destination::kCache;
  int border = 0;  ///< of the padded copy that the first blocks read
  std::vector<std::size_t> sites_after_firsts, sites_after_seconds;

  std::vector<SecondReference> incoming;  ///< second blocks on its in-edges
};

struct Plan {
  int batch, height, width;
  std::vector<State> states;
  std::vector<std::size_t> head;       ///< states that the last cell concatenates
  std::vector<std::size_t> auxiliary;  ///< states that the auxiliary head's cell concatenates
  std::vector<Site> sites;
  std::size_t arena_floats = 0;
  std::size_t slots = 0;         ///< floats of each array of coefficients
  std::size_t moment_slots = 0;  ///< floats of means; as many deviations
  std::size_t packed_floats = 0;
  std::size_t partial_floats = 0;  ///< the largest phase's weight gradients
  std::size_t padded_floats = 0, map_floats = 0, scratch_floats = 0;  ///< scratch of a thread
  int most_channels = 0;                                              ///< padded, of any state
};

/// Floats of a unit's packed weight gradient, from its `partial` on.
std::size_t gradient_floats(const BlockUnit& unit);
std::size_t gradient_floats(const GatherUnit& unit);

/// \param batch, height, width  of the images; the caller has checked that the size survives the
/// network.
Plan make_plan(const NetworkLayout& layout, int batch, int height, int width);

}  // namespace probedarts::nets::fused
