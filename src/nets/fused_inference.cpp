#include "nets/fused_inference.hpp"

#include <algorithm>
#include <cstring>

#include <ATen/ops/empty.h>

#include "kernels/pool.hpp"
#include "nets/fused_passes.hpp"
#include "nets/fused_weights.hpp"

namespace probedarts::nets::fused {
namespace {

/// From the state at which a map is written to the last one that reads it.
struct Life {
  std::size_t first, last, floats;
};

class Lives {
 public:
  void born(const Slab& slab, std::size_t at) {
    lives_.insert({slab.offset, {at, at, slab.shape.floats()}});
  }
  void used(const Slab& slab, std::size_t at) {
    Life& life = lives_.at(slab.offset);
    life.last = std::max(life.last, at);
  }
  /// Places in order of birth, each at the lowest gap among the maps alive then.
  std::map<std::size_t, std::size_t> place(std::size_t& arena_floats) const {
    std::vector<std::pair<std::size_t, Life>> order(lives_.begin(), lives_.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.second.first < b.second.first; });
    struct Placed {
      std::size_t offset;
      Life life;
    };
    std::vector<Placed> placed;  // sorted by offset
    std::map<std::size_t, std::size_t> places;
    arena_floats = 0;
    for (const auto& [slab, life] : order) {
      std::size_t at = 0;
      for (const Placed& other : placed) {
        if (other.life.last < life.first || other.life.first > life.last) {
          continue;
        }
        if (at + life.floats <= other.offset) {
          break;
        }
        at = std::max(at, other.offset + other.life.floats);
      }
      const auto after = std::find_if(placed.begin(), placed.end(),
                                      [at](const Placed& other) { return other.offset > at; });
      placed.insert(after, {at, life});
      places[slab] = at;
      arena_floats = std::max(arena_floats, at + life.floats);
    }
    return places;
  }

 private:
  std::map<std::size_t, Life> lives_;  // by offset in the plan
};

Lives lives_of(const Plan& plan) {
  Lives lives;
  for (std::size_t s = 0; s < plan.states.size(); ++s) {
    const State& state = plan.states[s];
    lives.born(state.value, s);
    for (const PoolUnit& unit : state.pools) {
      lives.born(unit.y, s);
    }
    for (const GatherUnit& unit : state.reduces) {
      lives.born(unit.y, s);
    }
    for (const BlockUnit& unit : state.firsts) {
      lives.born(unit.y, s);
    }
    for (const SecondBlock& unit : state.seconds) {
      lives.born(unit.block.y, s);
    }
  }
  for (std::size_t s = 1; s < plan.states.size(); ++s) {
    const State& state = plan.states[s];
    if (state.made_by) {
      for (const Source& source : state.made_by->sources) {
        lives.used(plan.states[source.state].value, s);
      }
      continue;
    }
    for (const Term& term : state.terms) {
      lives.used(term.values, s);
    }
  }
  for (const std::size_t s : plan.head) {
    lives.used(plan.states[s].value, plan.states.size());
  }
  return lives;
}

/// Calls visit(slab) for each use of a map that a forward pass makes.
template <typename Visit>
void for_each_slab(Plan& plan, const Visit& visit) {
  for (State& state : plan.states) {
    visit(state.value);
    if (!state.made_by) {  // a product writes its state's value itself
      for (Term& term : state.terms) {
        visit(term.values);
      }
    }
    for (PoolUnit& unit : state.pools) {
      visit(unit.y);
    }
    for (GatherUnit& unit : state.reduces) {
      visit(unit.y);
    }
    for (BlockUnit& unit : state.firsts) {
      visit(unit.y);
    }
    for (SecondBlock& unit : state.seconds) {
      visit(unit.input);
      visit(unit.block.y);
    }
  }
}

template <typename T>
bool same(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

std::span<const float> values_of(const at::Tensor& flat) {
  return {flat.data_ptr<float>(), static_cast<std::size_t>(flat.numel())};
}

/// Columns of a packed product times the scale of its site.
void scale_columns(const GatherUnit& unit, const float* scale, float* packed) {
  const int columns = unit.shape.out.channels;
  float* row = packed + unit.weights;
  for (int k = 0; k < unit.shape.depth; ++k, row += columns) {
    for (int o = 0; o < columns; ++o) {
      row[o] *= scale[o];
    }
  }
}

}  // namespace

std::size_t share_arena(Plan& plan) {
  std::size_t floats = 0;
  const std::map<std::size_t, std::size_t> places = lives_of(plan).place(floats);
  for_each_slab(plan, [&](Slab& slab) { slab.offset = places.at(slab.offset); });
  return floats;
}

Inference::Prepared& Inference::prepared_for(int height, int width) {
  const auto found = prepared_.find({height, width});
  if (found != prepared_.end()) {
    return found->second;
  }
  Prepared& made = prepared_[{height, width}];
  made.plan = make_plan(layout_, 1, height, width);
  made.plan.arena_floats = share_arena(made.plan);
  made.packed.reserve(made.plan.packed_floats);
  std::fill_n(made.packed.data(), made.plan.packed_floats, 0.0F);
  for (kernels::FloatBuffer* buffer : {&made.coefficients.centre, &made.coefficients.inverse,
                                       &made.coefficients.scale, &made.coefficients.shift}) {
    buffer->reserve(made.plan.slots);
    std::fill_n(buffer->data(), made.plan.slots, 0.0F);
  }
  return made;
}

void Inference::fold(Prepared& prepared, const NetworkState& state,
                     std::span<const double> edge_weights) {
  const std::span<const float> weights = values_of(state.weights);
  const std::span<const float> statistics = values_of(state.statistics);
  if (same<float>(prepared.weights, weights) && same<float>(prepared.statistics, statistics) &&
      same<double>(prepared.edge_weights, edge_weights)) {
    return;
  }
  prepared.weights.assign(weights.begin(), weights.end());
  prepared.statistics.assign(statistics.begin(), statistics.end());
  prepared.edge_weights.assign(edge_weights.begin(), edge_weights.end());
  const Plan& plan = prepared.plan;
  const NetworkMemory memory{prepared.weights.data(),
                             prepared.statistics.data(),
                             edge_weights.empty() ? nullptr : prepared.edge_weights.data(),
                             nullptr,
                             nullptr,
                             nullptr};
  const Partials none;
  for (const Site& site : plan.sites) {
    settle_forward(layout_, plan, site, Mode::kEvaluate, none, memory, prepared.coefficients);
  }
  float* packed = prepared.packed.data();
  for (const State& made : plan.states) {
    pack(layout_, made, memory.weights, packed);
    if (made.made_by) {
      scale_columns(*made.made_by,
                    prepared.coefficients.scale.data() + plan.sites[made.made_by->site].slot,
                    packed);
    }
    sum_shifts(plan, made, prepared.coefficients);
  }
}

template <typename Body>
void Inference::in_bands(Workspace& workspace, int height, const Body& body) {
  if (!workspace.shared) {
    body(0, height, workspace);
    return;
  }
  const int bands = std::min(height, threads_.threads());
  threads_.run(bands, [&](int band, int thread) {
    const int first = band * height / bands;
    body(first, (band + 1) * height / bands - first, workspaces_[static_cast<std::size_t>(thread)]);
  });
}

void Inference::run_state(const Prepared& prepared, const State& state, Workspace& workspace) {
  const Plan& plan = prepared.plan;
  const Coefficients& coefficients = prepared.coefficients;
  const auto at = [&](const Slab& slab) { return workspace.arena.data() + slab.offset; };
  const auto row_of = [](const kernels::MapShape& shape, int row) {
    return static_cast<std::ptrdiff_t>(row) * shape.width * shape.channels;
  };
  const auto product = [&](const GatherUnit& unit, const float* bias, float* y) {
    in_bands(workspace, unit.shape.out.height, [&](int first, int rows, Workspace& mine) {
      mine.sources.clear();
      for (const Source& source : unit.sources) {
        const Slab& from = plan.states[source.state].value;
        mine.sources.push_back({at(from), nullptr, from.shape, source.stride,
                                source.down + first * source.stride, source.right});
      }
      kernels::GatherShape band = unit.shape;
      band.out.height = rows;
      kernels::gathered_forward(band, mine.sources, prepared.packed.data() + unit.weights, bias,
                                mine.scratch.data(), y + row_of(band.out, first), nullptr);
    });
  };
  const auto block = [&](const BlockUnit& unit, const kernels::PaddedImage& padded) {
    const float* packed = prepared.packed.data();
    in_bands(workspace, unit.shape.out.height, [&](int first, int rows, Workspace& mine) {
      kernels::BlockShape band = unit.shape;
      band.out.height = rows;
      kernels::PaddedImage from = padded;
      from.first += first * band.stride * padded.pitch();
      kernels::block_forward(
          band, from,
          {packed + unit.depthwise, packed + unit.pointwise, packed + unit.pointwise_transposed},
          mine.scratch.data(), at(unit.y) + row_of(band.out, first), nullptr);
    });
  };
  const kernels::MapShape& shape = state.value.shape;
  if (state.made_by) {
    product(*state.made_by, coefficients.shift.data() + state.shift, at(state.value));
  } else {
    in_bands(workspace, shape.height, [&](int first, int rows, Workspace& mine) {
      mine.mix_terms.clear();
      for (const Term& term : state.terms) {
        mine.mix_terms.push_back({at(term.values) + row_of(shape, first),
                                  coefficients.scale.data() + plan.sites[term.site].slot});
      }
      kernels::mix(mine.mix_terms, coefficients.shift.data() + state.shift, rows * shape.width,
                   shape.channels, kernels::Into::kAssign, at(state.value) + row_of(shape, first));
    });
  }
  for (const PoolUnit& unit : state.pools) {
    const auto pool =
        unit.primitive == space::Primitive::kMaxPool3x3 ? kernels::max_pool : kernels::average_pool;
    in_bands(workspace, unit.shape.out.height, [&](int first, int rows, Workspace&) {
      kernels::PoolShape band = unit.shape;
      band.out.height = rows;
      band.first_row = first;
      pool(band, at(state.value), at(unit.y) + row_of(band.out, first), nullptr);
    });
  }
  for (const GatherUnit& unit : state.reduces) {
    product(unit, nullptr, at(unit.y));
  }
  if (!state.firsts.empty()) {
    const kernels::PaddedImage padded{workspace.padded.data(), shape, state.border};
    kernels::rectify_padded(at(state.value), nullptr, nullptr, padded);
    for (const BlockUnit& unit : state.firsts) {
      block(unit, padded);
    }
  }
  for (const SecondBlock& second : state.seconds) {
    const std::size_t slot = plan.sites[second.inner].slot;
    const kernels::PaddedImage padded{workspace.padded.data(), second.block.shape.in,
                                      second.block.shape.padding()};
    kernels::rectify_padded(at(second.input), coefficients.scale.data() + slot,
                            coefficients.shift.data() + slot, padded);
    block(second.block, padded);
  }
}

void Inference::run_image(const Prepared& prepared, Workspace& workspace) {
  for (std::size_t s = 1; s < prepared.plan.states.size(); ++s) {
    run_state(prepared, prepared.plan.states[s], workspace);
  }
}

void Inference::classify(const Prepared& prepared, Workspace& workspace, float* logits) const {
  workspace.features.clear();
  for (const std::size_t s : prepared.plan.head) {
    const State& state = prepared.plan.states[s];
    const kernels::MapShape& shape = state.value.shape;
    float* means = workspace.scratch.data();
    kernels::channel_means(workspace.arena.data() + state.value.offset,
                           static_cast<int>(shape.pixels()), shape.channels, means);
    workspace.features.insert(workspace.features.end(), means, means + state.channels);
  }
  const float* weight =
      prepared.weights.data() + layout_.parameters[layout_.classifier_weight].offset;
  const float* bias = prepared.weights.data() + layout_.parameters[layout_.classifier_bias].offset;
  for (int k = 0; k < layout_.spec.classes; ++k, weight += workspace.features.size()) {
    double sum = static_cast<double>(bias[k]);
    for (std::size_t f = 0; f < workspace.features.size(); ++f) {
      sum += static_cast<double>(workspace.features[f]) * static_cast<double>(weight[f]);
    }
    logits[k] = static_cast<float>(sum);
  }
}

at::Tensor Inference::logits(const NetworkState& state, std::span<const double> edge_weights,
                             const at::Tensor& images) {
  Prepared& prepared =
      prepared_for(static_cast<int>(images.size(2)), static_cast<int>(images.size(3)));
  fold(prepared, state, edge_weights);
  workspaces_.resize(static_cast<std::size_t>(threads_.threads()));
  for (Workspace& workspace : workspaces_) {
    workspace.arena.reserve(prepared.plan.arena_floats);
    workspace.padded.reserve(prepared.plan.padded_floats);
    workspace.scratch.reserve(std::max(prepared.plan.scratch_floats,
                                       static_cast<std::size_t>(prepared.plan.most_channels)));
  }
  const auto batch = static_cast<int>(images.size(0));
  at::Tensor result = at::empty({batch, layout_.spec.classes}, at::kFloat);
  float* rows = result.data_ptr<float>();
  const auto run = [&](int image, Workspace& workspace) {
    load_patches(layout_, prepared.plan, images, image,
                 workspace.arena.data() + prepared.plan.states[0].value.offset);
    run_image(prepared, workspace);
    classify(prepared, workspace, rows + static_cast<std::ptrdiff_t>(image) * layout_.spec.classes);
  };
  workspaces_.front().shared = batch < threads_.threads();
  if (workspaces_.front().shared) {
    for (int image = 0; image < batch; ++image) {
      run(image, workspaces_.front());
    }
  } else {
    threads_.run(batch, [&](int image, int thread) {
      run(image, workspaces_[static_cast<std::size_t>(thread)]);
    });
  }
  return result;
}

}  // namespace probedarts::nets::fused
