#include <algorithm>
#include <cstring>

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
  gather_sources(context, unit, image, SourceGradients::kNone, workspace.sources);
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

void gather_sources(const Context& context, const GatherUnit& unit, int image,
                    SourceGradients gradients, std::vector<kernels::GatherSource>& sources) {
  const Memory& memory = context.memory;
  sources.clear();
  for (const Source& source : unit.sources) {
    const State& from = context.plan.states[source.state];
    const bool wanted = gradients != SourceGradients::kNone && memory.wants_gradient[source.state];
    const bool starts = gradients == SourceGradients::kStart &&
                        std::find(memory.starting.begin(), memory.starting.end(), source.state) !=
                            memory.starting.end();
    sources.push_back({context.image_of(from.value, image),
                       wanted ? context.image_of(from.gradient, image) : nullptr, from.value.shape,
                       source.stride, source.down, source.right,
                       starts ? Into::kAssign : Into::kAdd});
  }
}

void load_patches(const NetworkLayout& layout, const Plan& plan, const at::Tensor& images,
                  int image, float* to) {
  const ConvUnit& conv = layout.stem.convs.front();
  const int kernel = conv.kernel;
  const int colours = conv.in_channels;
  const int used = plan.states[0].channels;
  const kernels::MapShape& shape = plan.states[0].value.shape;
  const float* pixels = images.data_ptr<float>() + image * images.stride(0);
  const std::int64_t across = images.stride(1);
  const std::int64_t down = images.stride(2);
  const std::int64_t right = images.stride(3);
  const auto load_pixel = [&](int y, int x, float* patch) {
    const float* pixel = pixels + y * down + x * right;
    for (int c = 0; c < colours; ++c) {
      patch[c] = pixel[c * across];
    }
  };
  const auto load_border_patch = [&](int top, int left, float* patch) {
    for (int y = top; y < top + kernel; ++y) {
      for (int x = left; x < left + kernel; ++x, patch += colours) {
        if (y >= 0 && y < plan.height && x >= 0 && x < plan.width) {
          load_pixel(y, x, patch);
        } else {
          std::fill_n(patch, colours, 0.0F);
        }
      }
    }
  };
  // A row of the window lies together in images that the loaders hand out.
  constexpr int kTogether = 9;
  const bool together = across == 1 && right == colours && kernel * colours == kTogether;
  const auto load_inner_patch = [&](int top, int left, float* patch) {
    for (int y = top; y < top + kernel; ++y) {
      if (together) {
        std::memcpy(patch, pixels + y * down + left * right, kTogether * sizeof(float));
        patch += kTogether;
        continue;
      }
      for (int x = left; x < left + kernel; ++x, patch += colours) {
        load_pixel(y, x, patch);
      }
    }
  };
  for (int row = 0; row < shape.height; ++row) {
    const int top = row * conv.stride - conv.padding;
    const bool rows_inside = top >= 0 && top + kernel <= plan.height;
    for (int column = 0; column < shape.width; ++column, to += shape.channels) {
      const int left = column * conv.stride - conv.padding;
      if (rows_inside && left >= 0 && left + kernel <= plan.width) {
        load_inner_patch(top, left, to);
      } else {
        load_border_patch(top, left, to);
      }
      std::fill(to + used, to + shape.channels, 0.0F);
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
