// The backward pass. By the time a state's turn comes, whoever takes it in a later cell has added
// to its gradient, and the nodes it feeds know theirs; then
//   1. its out-edges add their share (first blocks, pools, identities, factorised reduces), and one
//   pass over its gradient and its terms gives the
//      sums from which a, b, c of every term follow (fused_norms.hpp);
//   2. the second blocks on its in-edges run, and leave the gradient in their input where their own
//   output was;
//   3. if it is a cell input or a stem stage, its product runs.

#include <algorithm>

#include "nets/fused_passes.hpp"
#include "nets/fused_weights.hpp"

namespace probedarts::nets::fused {
namespace {

using kernels::Into;

kernels::Cotangent cotangent_of(const Context& context, const Slab& gradient, const Slab& y,
                                std::size_t site, int image) {
  const Coefficients& coefficients = context.memory.coefficients;
  const std::size_t slot = context.plan.sites[site].slot;
  const bool dropped = context.drops(context.plan.sites[site], image);
  return {context.image_of(gradient, image), context.image_of(y, image),
          dropped ? context.memory.zeros.data() : coefficients.a.data() + slot,
          coefficients.b.data() + slot, coefficients.c.data() + slot};
}

void settle(const Context& context, std::size_t site) {
  settle_backward(context.layout, context.plan, context.plan.sites[site], context.mode,
                  context.memory.partials, context.network, context.memory.coefficients);
}

kernels::BlockGradients gradients_of(const Context& context, const BlockUnit& unit, int chunk) {
  if (!context.for_weights()) {
    return {nullptr, nullptr};
  }
  float* depthwise = context.weight_partials(chunk) + unit.partial;
  return {depthwise, depthwise + unit.shape.kernel * unit.shape.kernel * unit.shape.in.channels};
}

void zero_partials(const Context& context, int image, int chunk, std::size_t floats) {
  if (context.for_weights() && image == context.first_image(chunk)) {
    std::fill_n(context.weight_partials(chunk), floats, 0.0F);
  }
}

template <typename Unit>
void unpack_gradient(const Context& context, const Unit& unit) {
  if (context.for_weights()) {
    unpack(context.layout, unit, context.memory.weight_partials.data(),
           context.memory.partials.chunks, context.plan.partial_floats,
           context.network.weight_gradient);
  }
}

void firsts_backward(const Context& context, const State& state, Into into_state, int image,
                     int chunk, Workspace& workspace) {
  if (state.firsts.empty()) {
    return;
  }
  const kernels::PaddedImage padded{workspace.padded.data(), state.value.shape, state.border};
  kernels::rectify_padded(context.image_of(state.value, image), nullptr, nullptr, padded);
  float* gradient = workspace.map.data();
  Into into = Into::kAssign;
  for (const BlockUnit& unit : state.firsts) {
    kernels::block_backward(unit.shape, padded, context.weights_of(unit),
                            cotangent_of(context, unit.gradient, unit.y, unit.site, image),
                            gradients_of(context, unit, chunk), workspace.scratch.data(), into,
                            gradient);
    into = Into::kAdd;
  }
  kernels::pass_where_positive(padded, gradient, into_state,
                               context.image_of(state.gradient, image));
}

/// The gradient in a pool's output: sum over consumers of a g + b y + c, where b and c were summed
/// at the pool's slot.
void pool_backward(const Context& context, const State& state, const PoolUnit& pool, int image,
                   Workspace& workspace) {
  const Coefficients& coefficients = context.memory.coefficients;
  workspace.mix_terms.clear();
  for (const Consumer& consumer : pool.consumers) {
    if (context.drops(context.plan.sites[consumer.site], image)) {
      continue;
    }
    workspace.mix_terms.push_back({context.image_of(consumer.gradient, image),
                                   coefficients.a.data() + context.plan.sites[consumer.site].slot});
  }
  const float* y = context.image_of(pool.y, image);
  workspace.mix_terms.push_back({y, coefficients.b.data() + pool.slot});
  float* dy = workspace.map.data();
  const kernels::MapShape& out = pool.shape.out;
  kernels::mix(workspace.mix_terms, coefficients.c.data() + pool.slot,
               static_cast<int>(out.pixels()), out.channels, Into::kAssign, dy);
  float* dx = context.image_of(state.gradient, image);
  if (pool.primitive == space::Primitive::kMaxPool3x3) {
    kernels::max_pool_backward(pool.shape, context.image_of(state.value, image), y, dy, dx);
  } else {
    kernels::average_pool_backward(pool.shape, dy, dx);
  }
}

void identities_backward(const Context& context, const State& state, int image,
                         Workspace& workspace) {
  if (state.identities.empty()) {
    return;
  }
  workspace.mix_terms.clear();
  for (const Consumer& consumer : state.identities) {
    workspace.mix_terms.push_back(
        {context.image_of(consumer.gradient, image),
         context.memory.coefficients.a.data() + context.plan.sites[consumer.site].slot});
  }
  const kernels::MapShape& shape = state.value.shape;
  kernels::mix(workspace.mix_terms, nullptr, static_cast<int>(shape.pixels()), shape.channels,
               Into::kAdd, context.image_of(state.gradient, image));
}

void product_backward(const Context& context, const GatherUnit& unit, SourceGradients gradients,
                      int image, int chunk, Workspace& workspace) {
  gather_sources(context, unit, image, gradients, workspace.sources);
  float* gradient = context.for_weights() ? context.weight_partials(chunk) + unit.partial : nullptr;
  kernels::gathered_backward(unit.shape, workspace.sources,
                             context.memory.packed.data() + unit.weights_transposed,
                             cotangent_of(context, unit.gradient, unit.y, unit.site, image),
                             workspace.scratch.data(), gradient);
}

void sum_terms(const Context& context, const State& state, int image, int chunk,
               Workspace& workspace) {
  float* sums = context.sums(chunk);
  workspace.product_terms.clear();
  for (const Term& term : state.terms) {
    const Site& site = context.plan.sites[term.site];
    if (context.drops(site, image)) {
      continue;
    }
    if (site.norm || (site.weight && context.for_alpha())) {
      workspace.product_terms.push_back({context.image_of(term.values, image),
                                         context.memory.coefficients.centre.data() + site.slot,
                                         sums + site.slot});
    }
  }
  const kernels::MapShape& shape = state.value.shape;
  const auto pixels = static_cast<int>(shape.pixels());
  const float* gradient = context.image_of(state.gradient, image);
  if (context.network.drop_path == nullptr) {
    kernels::sum_products(gradient, workspace.product_terms, pixels, shape.channels,
                          sums + state.gradient_sum);
    return;
  }
  float* of_image = workspace.channels.data();
  std::fill_n(of_image, shape.channels, 0.0F);
  kernels::sum_products(gradient, workspace.product_terms, pixels, shape.channels, of_image);
  const auto add_to = [&](std::size_t slot) {
    for (int c = 0; c < shape.channels; ++c) {
      sums[slot + static_cast<std::size_t>(c)] += of_image[c];
    }
  };
  add_to(state.gradient_sum);
  for (const Term& term : state.terms) {
    const Site& site = context.plan.sites[term.site];
    if (site.drop && !context.drops(site, image)) {
      add_to(site.kept_sum);
    }
  }
}

void sum_pool_coefficients(const Context& context, const PoolUnit& pool) {
  Coefficients& coefficients = context.memory.coefficients;
  for (std::size_t c = 0; c < static_cast<std::size_t>(pool.shape.in.channels); ++c) {
    double b = 0.0;
    double shift = 0.0;
    for (const Consumer& consumer : pool.consumers) {
      const std::size_t slot = context.plan.sites[consumer.site].slot;
      b += static_cast<double>(coefficients.b.data()[slot + c]);
      shift += static_cast<double>(coefficients.c.data()[slot + c]);
    }
    coefficients.b.data()[pool.slot + c] = static_cast<float>(b);
    coefficients.c.data()[pool.slot + c] = static_cast<float>(shift);
  }
}

/// Step 1.
void complete_gradient(const Context& context, std::size_t number) {
  const State& state = context.plan.states[number];
  context.memory.starting.clear();
  start_gradient(context, number);
  const bool starts = !context.memory.starting.empty();
  const Into into = starts && !state.firsts.empty() ? Into::kAssign : Into::kAdd;
  for (const PoolUnit& pool : state.pools) {
    sum_pool_coefficients(context, pool);
  }
  context.for_each_image([&](int image, int chunk, Workspace& workspace) {
    zero_partials(context, image, chunk, state.firsts_partial);
    if (into == Into::kAdd) {
      zero_started(context, image);
    }
    firsts_backward(context, state, into, image, chunk, workspace);
    for (const PoolUnit& pool : state.pools) {
      pool_backward(context, state, pool, image, workspace);
    }
    identities_backward(context, state, image, workspace);
    for (const GatherUnit& unit : state.reduces) {
      product_backward(context, unit, SourceGradients::kAdd, image, chunk, workspace);
    }
    sum_terms(context, state, image, chunk, workspace);
  });
  const int blocks = static_cast<int>(state.firsts.size());
  const int products = static_cast<int>(state.reduces.size());
  context.threads.run(
      blocks + products + static_cast<int>(state.terms.size()), [&](int index, int) {
        if (index < blocks) {
          unpack_gradient(context, state.firsts[static_cast<std::size_t>(index)]);
        } else if (index < blocks + products) {
          unpack_gradient(context, state.reduces[static_cast<std::size_t>(index - blocks)]);
        } else {
          settle(context, state.terms[static_cast<std::size_t>(index - blocks - products)].site);
        }
      });
}

void second_backward(const Context& context, const SecondBlock& second, int image, int chunk,
                     Workspace& workspace) {
  const Coefficients& coefficients = context.memory.coefficients;
  const Site& inner = context.plan.sites[second.inner];
  const BlockUnit& unit = second.block;
  const float* input = context.image_of(second.input, image);
  const kernels::PaddedImage padded{workspace.padded.data(), unit.shape.in, unit.shape.padding()};
  kernels::rectify_padded(input, coefficients.scale.data() + inner.slot,
                          coefficients.shift.data() + inner.slot, padded);
  float* gradient = workspace.map.data();
  kernels::block_backward(unit.shape, padded, context.weights_of(unit),
                          cotangent_of(context, unit.gradient, unit.y, unit.site, image),
                          gradients_of(context, unit, chunk), workspace.scratch.data(),
                          Into::kAssign, gradient);
  float* sums = context.sums(chunk);
  kernels::mask_and_sum(padded, gradient, input, coefficients.centre.data() + inner.slot,
                        context.image_of(unit.y, image), sums + inner.gradient_sum,
                        sums + inner.slot);
}

/// Step 2.
void run_incoming(const Context& context, const State& state) {
  const std::vector<bool>& wanted = context.memory.wants_gradient;
  context.for_each_image([&](int image, int chunk, Workspace& workspace) {
    zero_partials(context, image, chunk, state.incoming_partial);
    for (const SecondReference& reference : state.incoming) {
      if (wanted[reference.state]) {
        second_backward(context, context.plan.states[reference.state].seconds[reference.index],
                        image, chunk, workspace);
      }
    }
  });
  context.threads.run(static_cast<int>(state.incoming.size()), [&](int index, int) {
    const SecondReference& reference = state.incoming[static_cast<std::size_t>(index)];
    if (wanted[reference.state]) {
      const SecondBlock& second = context.plan.states[reference.state].seconds[reference.index];
      unpack_gradient(context, second.block);
      settle(context, second.inner);
    }
  });
}

/// Step 3.
void run_product(const Context& context, const GatherUnit& unit, std::size_t floats) {
  context.memory.starting.clear();
  for (const Source& source : unit.sources) {
    start_gradient(context, source.state);
  }
  // A concatenation takes every pixel of its states once, and so can write over what was there.
  const bool whole =
      std::all_of(unit.sources.begin(), unit.sources.end(), [](const Source& source) {
        return source.stride == 1 && source.down == 0 && source.right == 0;
      });
  const SourceGradients gradients = whole ? SourceGradients::kStart : SourceGradients::kAdd;
  context.for_each_image([&](int image, int chunk, Workspace& workspace) {
    zero_partials(context, image, chunk, floats);
    if (!whole) {
      zero_started(context, image);
    }
    product_backward(context, unit, gradients, image, chunk, workspace);
  });
  unpack_gradient(context, unit);
}

}  // namespace

void start_gradient(const Context& context, std::size_t state) {
  Memory& memory = context.memory;
  if (memory.wants_gradient[state] && !memory.has_gradient[state]) {
    memory.has_gradient[state] = true;
    memory.starting.push_back(state);
  }
}

void zero_started(const Context& context, int image) {
  for (const std::size_t state : context.memory.starting) {
    const Slab& gradient = context.plan.states[state].gradient;
    std::fill_n(context.image_of(gradient, image), gradient.shape.floats(), 0.0F);
  }
}

void run_backward(const Context& context) {
  for (std::size_t s = context.plan.states.size() - 1; s > 0; --s) {
    const State& state = context.plan.states[s];
    if (!context.memory.wants_gradient[s]) {
      continue;
    }
    complete_gradient(context, s);
    if (!state.incoming.empty()) {
      run_incoming(context, state);
    }
    if (state.made_by) {
      run_product(context, *state.made_by, state.product_partial);
    }
  }
}

}  // namespace probedarts::nets::fused
