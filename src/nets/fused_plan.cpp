#include "nets/fused_plan.hpp"

#include <algorithm>
#include <utility>

#include "core/errors.hpp"

namespace probedarts::nets::fused {
namespace {

/// A phase that writes less leaves its results to the level-3 cache, where the next one finds them
/// (16 MiB: half of what a server gives a few threads).
constexpr std::size_t kCachedFloats = std::size_t{4} << 20;

using kernels::MapShape;
using kernels::padded_channels;
using kernels::strided_extent;

MapShape strided(const MapShape& shape, int stride, int channels) {
  return {strided_extent(shape.height, stride), strided_extent(shape.width, stride), channels};
}

/// What an edge does to its candidates: weighs them, or may be dropped for an image.
struct EdgeRole {
  std::optional<AlphaPlace> weight;
  std::optional<int> drop;
};

class Builder {
 public:
  Builder(const NetworkLayout& layout, int batch, int height, int width) : layout_(layout) {
    plan_.batch = batch;
    plan_.height = height;
    plan_.width = width;
  }

  Plan build() {
    const ConvUnit& first = layout_.stem.convs.front();
    State patches;
    patches.channels = first.in_channels * first.kernel * first.kernel;
    patches.value = slab(
        strided({plan_.height, plan_.width, 0}, first.stride, padded_channels(patches.channels)));
    plan_.states.push_back(std::move(patches));
    std::vector<std::size_t> last = {stem()};
    std::vector<std::size_t> before = last;
    for (const CellUnit& unit : layout_.cells) {
      std::vector<std::size_t> out = cell(unit, before, last);
      before = std::exchange(last, std::move(out));
      if (layout_.auxiliary && &unit == &layout_.cells[layout_.auxiliary->cell]) {
        plan_.auxiliary = last;
      }
    }
    plan_.head = last;
    place_partials();
    place_outputs();
    return std::move(plan_);
  }

 private:
  Slab slab(const MapShape& shape) {
    const Slab made{plan_.arena_floats, shape};
    plan_.arena_floats += static_cast<std::size_t>(plan_.batch) * shape.floats();
    plan_.map_floats = std::max(plan_.map_floats, shape.floats());
    return made;
  }
  std::size_t slots(int padded) { return take(plan_.slots, static_cast<std::size_t>(padded)); }
  std::size_t moments(int padded) {
    return take(plan_.moment_slots, static_cast<std::size_t>(padded));
  }
  std::size_t packed(int rows, int columns) {
    return take(plan_.packed_floats,
                static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  }
  static std::size_t take(std::size_t& counter, std::size_t count) {
    const std::size_t at = counter;
    counter += count;
    return at;
  }

  std::size_t site(std::optional<std::size_t> norm, int channels, std::size_t moment_slot,
                   std::size_t gradient_sum, const EdgeRole& role) {
    const int padded = padded_channels(channels);
    plan_.sites.push_back({norm, channels, padded, slots(padded), moment_slot, gradient_sum,
                           role.weight, role.drop, role.drop ? slots(padded) : 0});
    return plan_.sites.size() - 1;
  }

  /// An empty state of this shape; its terms come later.
  std::size_t state(const MapShape& shape, int channels) {
    State made;
    made.value = slab(shape);
    made.gradient = slab(shape);
    made.channels = channels;
    plan_.most_channels = std::max(plan_.most_channels, shape.channels);
    made.shift = slots(shape.channels);
    made.gradient_sum = slots(shape.channels);
    plan_.states.push_back(std::move(made));
    return plan_.states.size() - 1;
  }

  /// A product over `sources`; depth and packed weights follow from them.
  GatherUnit gather(std::vector<Source> sources, const MapShape& out, int out_channels,
                    kernels::Rectify rectify) {
    GatherUnit unit{};
    const State& first = plan_.states[sources.front().state];
    const int depth = static_cast<int>(sources.size()) * first.channels;
    unit.shape = {out, depth, rectify, first.value.shape.channels, first.channels, out_channels};
    for (const Source& source : sources) {
      require(plan_.states[source.state].channels == first.channels,
              "sources of one product have the same channels");
    }
    unit.sources = std::move(sources);
    unit.weights = packed(unit.shape.depth, out.channels);
    unit.weights_transposed = packed(unit.shape.depth_pitch(), out.channels);
    unit.y = slab(out);
    unit.moments = moments(out.channels);
    plan_.scratch_floats =
        std::max(plan_.scratch_floats, kernels::gather_scratch_floats(unit.shape));
    return unit;
  }

  /// Rows of the packed weights for a 1x1 convolution over the concatenation of `states`;
  /// `first_source` is the place of the first of them among the unit's sources.
  void add_pieces(GatherUnit& unit, const ConvUnit& conv, std::size_t first_source,
                  std::size_t count, int out_first) {
    int row = static_cast<int>(first_source) * unit.shape.source_used;
    int in_first = 0;
    for (std::size_t s = first_source; s < first_source + count; ++s) {
      const State& from = plan_.states[unit.sources[s].state];
      unit.pieces.push_back({conv.parameter, row, in_first, from.channels, conv.in_channels,
                             out_first, conv.out_channels, 0, 1});
      row += from.channels;
      in_first += from.channels;
    }
    require(in_first == conv.in_channels, "a product's sources have its input channels");
  }

  GatherUnit relu_conv(const ReluConvNorm& unit, const std::vector<std::size_t>& from) {
    std::vector<Source> sources;
    for (const std::size_t state_index : from) {
      sources.push_back({state_index, 1, 0, 0});
    }
    const MapShape& in = plan_.states[from.front()].value.shape;
    GatherUnit made =
        gather(std::move(sources), strided(in, 1, padded_channels(unit.conv.out_channels)),
               unit.conv.out_channels, kernels::Rectify::kYes);
    add_pieces(made, unit.conv, 0, from.size(), 0);
    return made;
  }

  GatherUnit reduce(const FactorizedReduce& unit, const std::vector<std::size_t>& from) {
    std::vector<Source> sources;
    for (const int shift : {0, 1}) {
      for (const std::size_t state_index : from) {
        sources.push_back({state_index, 2, shift, shift});
      }
    }
    const MapShape& in = plan_.states[from.front()].value.shape;
    const int channels = unit.even.out_channels + unit.odd.out_channels;
    GatherUnit made = gather(std::move(sources), strided(in, 2, padded_channels(channels)),
                             channels, kernels::Rectify::kYes);
    add_pieces(made, unit.even, 0, from.size(), 0);
    add_pieces(made, unit.odd, from.size(), from.size(), unit.even.out_channels);
    return made;
  }

  /// A state that is the normalised output of one product.
  std::size_t input_state(GatherUnit unit, std::size_t norm, int channels) {
    const std::size_t index = state(unit.y.shape, channels);
    State& made = plan_.states[index];
    unit.gradient = made.gradient;
    unit.site = site(norm, channels, unit.moments, made.gradient_sum, {});
    made.terms.push_back({unit.y, unit.site});
    made.made_by = std::move(unit);
    return index;
  }

  /// The weights of a convolution whose taps are gathered one after the other.
  static void add_taps(GatherUnit& unit, const ConvUnit& conv) {
    const int taps = conv.kernel * conv.kernel;
    for (int tap = 0; tap < taps; ++tap) {
      unit.pieces.push_back({conv.parameter, tap * conv.in_channels, 0, conv.in_channels,
                             conv.in_channels, 0, conv.out_channels, tap, taps});
    }
  }

  /// The first convolution of the stem: a 1x1 product over the patches of the images.
  std::size_t first_convolution() {
    const ConvUnit& conv = layout_.stem.convs.front();
    GatherUnit unit = gather(
        {{0, 1, 0, 0}}, strided(plan_.states[0].value.shape, 1, padded_channels(conv.out_channels)),
        conv.out_channels, kernels::Rectify::kNo);
    add_taps(unit, conv);
    return input_state(std::move(unit), layout_.stem.norms.front().norm, conv.out_channels);
  }

  std::size_t stem() {
    std::size_t from = first_convolution();
    for (std::size_t i = 1; i < layout_.stem.convs.size(); ++i) {
      const ConvUnit& conv = layout_.stem.convs[i];
      const MapShape in = plan_.states[from].value.shape;
      std::vector<Source> sources;
      for (int ky = 0; ky < conv.kernel; ++ky) {
        for (int kx = 0; kx < conv.kernel; ++kx) {
          sources.push_back({from, conv.stride, ky - conv.padding, kx - conv.padding});
        }
      }
      GatherUnit unit =
          gather(std::move(sources), strided(in, conv.stride, padded_channels(conv.out_channels)),
                 conv.out_channels, kernels::Rectify::kYes);
      add_taps(unit, conv);
      from = input_state(std::move(unit), layout_.stem.norms[i].norm, conv.out_channels);
    }
    return from;
  }

  std::vector<std::size_t> cell(const CellUnit& unit, const std::vector<std::size_t>& before,
                                const std::vector<std::size_t>& last) {
    const int channels = unit.plan.channels;
    std::vector<std::size_t> states;
    if (const auto* reduced = std::get_if<FactorizedReduce>(&unit.input0)) {
      states.push_back(input_state(reduce(*reduced, before), reduced->norm.norm, channels));
    } else {
      const auto& plain = std::get<ReluConvNorm>(unit.input0);
      states.push_back(input_state(relu_conv(plain, before), plain.norm.norm, channels));
    }
    states.push_back(input_state(relu_conv(unit.input1, last), unit.input1.norm.norm, channels));
    const int stride = unit.plan.kind == space::CellKind::kReduce ? 2 : 1;
    const MapShape out =
        strided(plan_.states[states[1]].value.shape, stride, padded_channels(channels));
    for (int to = 2; to < 2 + layout_.spec.nodes; ++to) {
      states.push_back(state(out, channels));
    }
    for (std::size_t e = 0; e < unit.edges.size(); ++e) {
      const EdgeUnit& edge = unit.edges[e];
      for (const CandidateUnit& candidate_unit : edge.candidates) {
        EdgeRole role{{}, edge.drop};
        if (candidate_unit.slot) {
          role.weight = AlphaPlace{unit.plan.kind == space::CellKind::kReduce ? 1 : 0,
                                   static_cast<int>(e), *candidate_unit.slot};
        }
        candidate(candidate_unit, states[static_cast<std::size_t>(edge.from)],
                  states[static_cast<std::size_t>(edge.to)], role);
      }
    }
    std::vector<std::size_t> kept;
    for (const int index : unit.concat) {
      kept.push_back(states[static_cast<std::size_t>(index)]);
    }
    return kept;
  }

  void candidate(const CandidateUnit& unit, std::size_t from, std::size_t to,
                 const EdgeRole& role) {
    switch (space::info_of(unit.primitive).kind) {
      case space::PrimitiveKind::kZero:
        return;
      case space::PrimitiveKind::kMaxPool:
      case space::PrimitiveKind::kAvgPool:
        return pool(unit, from, to, role);
      case space::PrimitiveKind::kIdentity:
        return unit.reduce ? skip_reduce(*unit.reduce, from, to, role) : identity(from, to, role);
      case space::PrimitiveKind::kSeparable:
      case space::PrimitiveKind::kDilated:
        return blocks(unit, from, to, role);
    }
    report_bug("unknown primitive kind", __FILE__, __LINE__);
  }

  void pool(const CandidateUnit& unit, std::size_t from, std::size_t to, const EdgeRole& role) {
    State& source = plan_.states[from];
    State& target = plan_.states[to];
    auto shared =
        std::find_if(source.pools.begin(), source.pools.end(), [&](const PoolUnit& pool_unit) {
          return pool_unit.primitive == unit.primitive && pool_unit.shape.stride == unit.stride;
        });
    if (shared == source.pools.end()) {
      const MapShape in = source.value.shape;
      const MapShape out = strided(in, unit.stride, in.channels);
      source.pools.push_back({unit.primitive,
                              {in, out, unit.stride},
                              slab(out),
                              moments(in.channels),
                              {},
                              slots(in.channels)});
      shared = source.pools.end() - 1;
    }
    std::optional<std::size_t> norm;
    if (unit.pool_norm) {
      norm = unit.pool_norm->norm;
    }
    const std::size_t index =
        site(norm, source.channels, shared->moments, target.gradient_sum, role);
    shared->consumers.push_back({target.gradient, index});
    source.sites_after_firsts.push_back(index);
    target.terms.push_back({shared->y, index});
  }

  void identity(std::size_t from, std::size_t to, const EdgeRole& role) {
    State& source = plan_.states[from];
    State& target = plan_.states[to];
    const std::size_t index = site(std::nullopt, source.channels, 0, target.gradient_sum, role);
    source.identities.push_back({target.gradient, index});
    source.sites_after_firsts.push_back(index);
    target.terms.push_back({source.value, index});
  }

  void skip_reduce(const FactorizedReduce& unit, std::size_t from, std::size_t to,
                   const EdgeRole& role) {
    GatherUnit made = reduce(unit, {from});
    State& source = plan_.states[from];
    State& target = plan_.states[to];
    made.site = site(unit.norm.norm, source.channels, made.moments, target.gradient_sum, role);
    made.gradient = target.gradient;
    source.sites_after_firsts.push_back(made.site);
    target.terms.push_back({made.y, made.site});
    source.reduces.push_back(std::move(made));
  }

  BlockUnit block(const SeparableBlock& unit, const MapShape& in) {
    BlockUnit made{};
    const int stride = unit.depthwise.stride;
    made.shape = {
        in,     strided(in, stride, in.channels), unit.depthwise.kernel, unit.depthwise.dilation,
        stride, unit.depthwise.out_channels};
    made.depthwise_parameter = unit.depthwise.parameter;
    made.pointwise_parameter = unit.pointwise.parameter;
    made.channels = unit.depthwise.out_channels;
    made.depthwise = packed(unit.depthwise.kernel * unit.depthwise.kernel, in.channels);
    made.pointwise = packed(in.channels, in.channels);
    made.pointwise_transposed = packed(in.channels, in.channels);
    made.y = slab(made.shape.out);
    made.moments = moments(in.channels);
    plan_.scratch_floats =
        std::max(plan_.scratch_floats, kernels::block_scratch_floats(made.shape));
    plan_.padded_floats =
        std::max(plan_.padded_floats, kernels::padded_floats(in, made.shape.padding()));
    return made;
  }

  void blocks(const CandidateUnit& unit, std::size_t from, std::size_t to, const EdgeRole& role) {
    State& source = plan_.states[from];
    State& target = plan_.states[to];
    BlockUnit first = block(unit.blocks[0], source.value.shape);
    source.border = std::max(source.border, first.shape.padding());
    plan_.padded_floats =
        std::max(plan_.padded_floats, kernels::padded_floats(source.value.shape, source.border));
    const bool twice = unit.blocks.size() == 2;
    const std::size_t first_sum = twice ? slots(first.y.shape.channels) : target.gradient_sum;
    first.site = site(unit.blocks[0].norm.norm, source.channels, first.moments, first_sum,
                      twice ? EdgeRole{} : role);
    source.sites_after_firsts.push_back(first.site);
    if (!twice) {
      first.gradient = target.gradient;
      target.terms.push_back({first.y, first.site});
      source.firsts.push_back(std::move(first));
      return;
    }
    SecondBlock second{block(unit.blocks[1], first.y.shape), first.y, first.site};
    second.block.site = site(unit.blocks[1].norm.norm, source.channels, second.block.moments,
                             target.gradient_sum, role);
    second.block.gradient = target.gradient;
    source.sites_after_seconds.push_back(second.block.site);
    target.terms.push_back({second.block.y, second.block.site});
    first.gradient = second.block.y;
    source.firsts.push_back(std::move(first));
    target.incoming.push_back({from, source.seconds.size()});
    source.seconds.push_back(std::move(second));
  }

  void place_outputs() {
    const auto batch = static_cast<std::size_t>(plan_.batch);
    for (State& made : plan_.states) {
      std::size_t firsts = 0;
      std::size_t seconds = 0;
      for (const BlockUnit& unit : made.firsts) {
        firsts += batch * unit.y.shape.floats();
      }
      for (const SecondBlock& second : made.seconds) {
        seconds += batch * second.block.y.shape.floats();
      }
      made.firsts_to =
          firsts > kCachedFloats ? kernels::Destination::kMemory : kernels::Destination::kCache;
      made.seconds_to =
          seconds > kCachedFloats ? kernels::Destination::kMemory : kernels::Destination::kCache;
    }
  }

  /// Weight gradients live for one phase: of the first blocks of a state, of the second blocks into
  /// it, and of its own product.
  void place_partials() {
    for (State& made : plan_.states) {
      std::size_t used = 0;
      for (BlockUnit& unit : made.firsts) {
        unit.partial = take(used, gradient_floats(unit));
      }
      for (GatherUnit& unit : made.reduces) {
        unit.partial = take(used, gradient_floats(unit));
      }
      std::size_t used_by_seconds = 0;
      for (const SecondReference& reference : made.incoming) {
        BlockUnit& unit = plan_.states[reference.state].seconds[reference.index].block;
        unit.partial = take(used_by_seconds, gradient_floats(unit));
      }
      const std::size_t used_by_product = made.made_by ? gradient_floats(*made.made_by) : 0;
      made.firsts_partial = used;
      made.incoming_partial = used_by_seconds;
      made.product_partial = used_by_product;
      plan_.partial_floats =
          std::max({plan_.partial_floats, used, used_by_seconds, used_by_product});
    }
  }

  const NetworkLayout& layout_;
  Plan plan_{};
};

}  // namespace

std::size_t gradient_floats(const BlockUnit& unit) {
  const auto channels = static_cast<std::size_t>(unit.shape.in.channels);
  return channels * (channels + static_cast<std::size_t>(unit.shape.kernel * unit.shape.kernel));
}

std::size_t gradient_floats(const GatherUnit& unit) {
  return static_cast<std::size_t>(unit.shape.depth_pitch()) *
         static_cast<std::size_t>(unit.shape.out.channels);
}

Plan make_plan(const NetworkLayout& layout, int batch, int height, int width) {
  return Builder(layout, batch, height, width).build();
}

}  // namespace probedarts::nets::fused
