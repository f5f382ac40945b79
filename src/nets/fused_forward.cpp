#include <algorithm>

#include "nets/fused_passes.hpp"

namespace probedarts::nets::fused {
namespace {

using kernels::Into;

/// Moments of a map for one chunk; null with running statistics, where nobody asks for them.
class MomentsOf {
 public:
  MomentsOf(const Context& context, std::size_t slot, int chunk)
      : wanted_(context.mode == Mode::kTrain) {
    const Plan& plan = context.plan;
    Partials& partials = context.memory.partials;
    const std::size_t part = static_cast<std::size_t>(chunk);
    const std::size_t groups = plan.moment_slots / kernels::kChannelBlock;
    moments_ = {partials.means.data() + part * plan.moment_slots + slot,
                partials.deviations.data() + part * plan.moment_slots + slot,
                partials.counts.data() + part * groups + slot / kernels::kChannelBlock};
  }
  const kernels::Moments* get() const { return wanted_ ? &moments_ : nullptr; }

 private:
  bool wanted_;
  kernels::Moments moments_;
};

void settle(const Context& context, std::span<const std::size_t> sites) {
  context.threads.run(static_cast<int>(sites.size()), [&](int index, int) {
    const Site& site = context.plan.sites[sites[static_cast<std::size_t>(index)]];
    settle_forward(context.layout, context.plan, site, context.mode, context.memory.partials,
                   context.network, context.memory.coefficients);
  });
}

void gather_forward(const Context& context, const GatherUnit& unit, int image, int chunk,
                    Workspace& workspace) {
  gather_sources(context, unit, image, false, workspace.sources);
  const MomentsOf moments(context, unit.moments, chunk);
  kernels::gathered_forward(
      unit.shape, workspace.sources, context.memory.packed.data() + unit.weights, nullptr,
      workspace.scratch.data(), context.image_of(unit.y, image), moments.get());
}

/// The sum of the shifts of the terms that an image keeps.
const float* sum_kept_shifts(const Context& context, const State& state, int image,
                             Workspace& workspace) {
  const float* shifts = context.memory.coefficients.shift.data();
  float* sum = workspace.channels.data();
  std::fill_n(sum, state.value.shape.channels, 0.0F);
  for (const Term& term : state.terms) {
    const Site& site = context.plan.sites[term.site];
    if (!context.drops(site, image)) {
      for (int c = 0; c < state.channels; ++c) {
        sum[c] += shifts[site.slot + static_cast<std::size_t>(c)];
      }
    }
  }
  return sum;
}

void mix_state(const Context& context, const State& state, int image, Workspace& workspace) {
  const Coefficients& coefficients = context.memory.coefficients;
  const float* shift = coefficients.shift.data() + state.shift;
  if (context.network.drop_path != nullptr) {
    shift = sum_kept_shifts(context, state, image, workspace);
  }
  workspace.mix_terms.clear();
  for (const Term& term : state.terms) {
    if (context.drops(context.plan.sites[term.site], image)) {
      continue;
    }
    workspace.mix_terms.push_back({context.image_of(term.values, image),
                                   coefficients.scale.data() + context.plan.sites[term.site].slot});
  }
  const kernels::MapShape& shape = state.value.shape;
  kernels::mix(workspace.mix_terms, shift, static_cast<int>(shape.pixels()), shape.channels,
               Into::kAssign, context.image_of(state.value, image));
}

/// What the out-edges of a state need first: pools, factorised reduces, first blocks.
void run_firsts(const Context& context, const State& state, int image, int chunk,
                Workspace& workspace) {
  const float* value = context.image_of(state.value, image);
  for (const PoolUnit& pool : state.pools) {
    const MomentsOf moments(context, pool.moments, chunk);
    float* y = context.image_of(pool.y, image);
    if (pool.primitive == space::Primitive::kMaxPool3x3) {
      kernels::max_pool(pool.shape, value, y, moments.get());
    } else {
      kernels::average_pool(pool.shape, value, y, moments.get());
    }
  }
  for (const GatherUnit& unit : state.reduces) {
    gather_forward(context, unit, image, chunk, workspace);
  }
  if (state.firsts.empty()) {
    return;
  }
  const kernels::PaddedImage padded{workspace.padded.data(), state.value.shape, state.border};
  kernels::rectify_padded(value, nullptr, nullptr, padded);
  for (const BlockUnit& unit : state.firsts) {
    const MomentsOf moments(context, unit.moments, chunk);
    kernels::block_forward(unit.shape, padded, context.weights_of(unit), workspace.scratch.data(),
                           context.image_of(unit.y, image), moments.get(), state.firsts_to);
  }
}

void run_second(const Context& context, const SecondBlock& second, kernels::Destination to,
                int image, int chunk, Workspace& workspace) {
  const Coefficients& coefficients = context.memory.coefficients;
  const std::size_t slot = context.plan.sites[second.inner].slot;
  const BlockUnit& unit = second.block;
  const kernels::PaddedImage padded{workspace.padded.data(), unit.shape.in, unit.shape.padding()};
  kernels::rectify_padded(context.image_of(second.input, image), coefficients.scale.data() + slot,
                          coefficients.shift.data() + slot, padded);
  const MomentsOf moments(context, unit.moments, chunk);
  kernels::block_forward(unit.shape, padded, context.weights_of(unit), workspace.scratch.data(),
                         context.image_of(unit.y, image), moments.get(), to);
}

}  // namespace

void gather_sources(const Context& context, const GatherUnit& unit, int image, bool with_gradients,
                    std::vector<kernels::GatherSource>& sources) {
  sources.clear();
  for (const Source& source : unit.sources) {
    const State& from = context.plan.states[source.state];
    const bool wanted = with_gradients && context.memory.wants_gradient[source.state];
    sources.push_back({context.image_of(from.value, image),
                       wanted ? context.image_of(from.gradient, image) : nullptr, from.value.shape,
                       source.stride, source.down, source.right});
  }
}

void load_patches(const NetworkLayout& layout, const Plan& plan, const at::Tensor& images,
                  int image, float* to) {
  const ConvUnit& conv = layout.stem.convs.front();
  const kernels::MapShape& shape = plan.states[0].value.shape;
  const std::ptrdiff_t row_floats = static_cast<std::ptrdiff_t>(shape.width) * shape.channels;
  const float* pixels = images.data_ptr<float>() + image * images.stride(0);
  std::fill_n(to, shape.floats(), 0.0F);
  for (int row = 0; row < shape.height; ++row, to += row_floats) {
    for (int k = 0; k < plan.states[0].channels; ++k) {  // channel, window row, window column
      const int kx = k % conv.kernel;
      const int ky = k / conv.kernel % conv.kernel;
      const int y = row * conv.stride + ky - conv.padding;
      if (y < 0 || y >= plan.height) {
        continue;
      }
      const float* from =
          pixels + k / (conv.kernel * conv.kernel) * images.stride(1) + y * images.stride(2);
      const int shift = kx - conv.padding;  // of the window's column against the pixel's
      const int first = shift < 0 ? (-shift + conv.stride - 1) / conv.stride : 0;
      const int last = std::min(shape.width - 1, (plan.width - 1 - shift) / conv.stride);
      const std::ptrdiff_t step = conv.stride * images.stride(3);
      const float* pixel = from + shift * images.stride(3) + first * step;
      float* patch = to + static_cast<std::ptrdiff_t>(first) * shape.channels + k;
      for (int column = first; column <= last; ++column) {
        *patch = *pixel;
        patch += shape.channels;
        pixel += step;
      }
    }
  }
}

void Memory::prepare(const Plan& plan, int threads) {
  arena.reserve(plan.arena_floats);
  packed.reserve(plan.packed_floats);
  std::fill_n(packed.data(), plan.packed_floats, 0.0F);
  partials.chunks = std::min(plan.batch, kMaxChunks);
  const auto chunks = static_cast<std::size_t>(partials.chunks);
  weight_partials.reserve(chunks * plan.partial_floats);
  partials.means.reserve(chunks * plan.moment_slots);
  partials.deviations.reserve(chunks * plan.moment_slots);
  partials.counts.assign(chunks * (plan.moment_slots / kernels::kChannelBlock), 0);
  partials.sums.reserve(chunks * plan.slots);
  for (kernels::FloatBuffer* buffer :
       {&coefficients.centre, &coefficients.inverse, &coefficients.scale, &coefficients.shift,
        &coefficients.a, &coefficients.b, &coefficients.c}) {
    buffer->reserve(plan.slots);
    std::fill_n(buffer->data(), plan.slots, 0.0F);
  }
  zeros.reserve(static_cast<std::size_t>(plan.most_channels));
  std::fill_n(zeros.data(), plan.most_channels, 0.0F);
  workspaces.resize(static_cast<std::size_t>(threads));
  std::size_t most_terms = 0;
  for (const State& state : plan.states) {
    most_terms = std::max(most_terms, state.terms.size() + 1);
    most_terms = std::max(most_terms, state.identities.size() + 1);
    if (state.made_by) {
      most_terms = std::max(most_terms, state.made_by->sources.size());
    }
  }
  for (Workspace& workspace : workspaces) {
    workspace.padded.reserve(plan.padded_floats);
    workspace.map.reserve(plan.map_floats);
    workspace.scratch.reserve(plan.scratch_floats);
    workspace.channels.reserve(static_cast<std::size_t>(plan.most_channels));
    workspace.mix_terms.reserve(most_terms);
    workspace.product_terms.reserve(most_terms);
    workspace.sources.reserve(most_terms);
  }
  wants_gradient.assign(plan.states.size(), false);
  has_gradient.assign(plan.states.size(), false);
  starting.reserve(plan.states.size());
}

void run_forward(const Context& context) {
  std::fill(context.memory.partials.counts.begin(), context.memory.partials.counts.end(), 0);
  for (std::size_t s = 1; s < context.plan.states.size(); ++s) {
    const State& state = context.plan.states[s];
    if (state.made_by) {
      context.for_each_image([&](int image, int chunk, Workspace& workspace) {
        gather_forward(context, *state.made_by, image, chunk, workspace);
      });
      settle(context, {&state.made_by->site, 1});
    }
    sum_shifts(context.plan, state, context.memory.coefficients);
    context.for_each_image([&](int image, int chunk, Workspace& workspace) {
      mix_state(context, state, image, workspace);
      run_firsts(context, state, image, chunk, workspace);
    });
    settle(context, state.sites_after_firsts);
    if (!state.seconds.empty()) {
      context.for_each_image([&](int image, int chunk, Workspace& workspace) {
        for (const SecondBlock& second : state.seconds) {
          run_second(context, second, state.seconds_to, image, chunk, workspace);
        }
      });
      settle(context, state.sites_after_seconds);
    }
  }
}

}  // namespace probedarts::nets::fused
