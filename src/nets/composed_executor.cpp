// The network of docs/method.md, "Search space", from plain ATen operations.
//
// Three exact savings, since a supernet is dominated by the count of its small operations: a state
// is rectified once and pooled once for all its out-edges; the parameter-free BN of a pool is
// computed once in training (every out-edge sees the same batch statistics); and a node's weighted
// sum is one matrix-vector product over its stacked candidates. On other devices than the CPU the
// separable convolutions on a state's out-edges are grouped as well. `none` contributes zeros: it
// is left out, and keeps its share of the softmax.

#include "nets/composed_executor.hpp"

#include <map>
#include <optional>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/errors.hpp"

namespace probedarts::nets {
namespace {

constexpr double kNormMomentum = 0.1;

/// A state of a cell with what its out-edges share.
struct State {
  at::Tensor whole;
  at::Tensor value;  ///< what candidates see: all channels, or the first C/K (partial channels)
  std::map<int, at::Tensor> around = {};  ///< the other channels, by the stride of the edge
  std::optional<at::Tensor> rectified = {};
  /// Pools by (primitive, stride): raw, and normalised together with the norm that holds their
  /// statistics.
  std::map<std::pair<space::Primitive, int>, at::Tensor> pooled = {};
  std::map<std::pair<space::Primitive, int>, std::pair<at::Tensor, std::size_t>> normalised = {};
  std::map<const CandidateUnit*, at::Tensor> grouped = {};  ///< outputs that were computed together
};

/// One forward pass.
class ComposedPass {
 public:
  ComposedPass(const NetworkLayout& layout, const std::vector<at::Tensor>& parameters,
               const at::Tensor& running, at::Tensor& batch, Mode mode, const DropPath* drop_path,
               bool grouped)
      : layout_(layout),
        parameters_(parameters),
        running_(running),
        batch_(batch),
        mode_(mode),
        drop_path_(drop_path),
        grouped_(grouped) {}

  Logits logits(const at::Tensor& images, const at::Tensor& alpha, double auxiliary_skip) {
    Logits logits;
    at::Tensor weights;
    if (layout_.alpha_edges > 0) {
      weights = at::softmax(alpha, -1);
      if (auxiliary_skip != 0.0) {
        at::Tensor added = at::zeros_like(weights);
        added.select(-1, static_cast<std::int64_t>(space::Primitive::kSkipConnect))
            .fill_(auxiliary_skip);
        weights = weights.add(added);
      }
    }
    at::Tensor before = stem(images);
    at::Tensor last = before;
    for (const CellUnit& unit : layout_.cells) {
      at::Tensor out = cell(unit, before, last, weights);
      before = std::exchange(last, std::move(out));
      if (layout_.auxiliary && mode_ == Mode::kTrain &&
          &unit == &layout_.cells[layout_.auxiliary->cell]) {
        logits.auxiliary = auxiliary_logits(
            layout_, parameters_, last,
            [this](const NormUnit& norm_unit, const at::Tensor& x) { return norm(norm_unit, x); });
      }
    }
    const at::Tensor features = last.mean({2, 3});
    logits.main = at::linear(features, parameters_[layout_.classifier_weight],
                             parameters_[layout_.classifier_bias]);
    return logits;
  }

  at::Tensor candidate_alone(const CandidateUnit& unit, const at::Tensor& x) {
    State state{x, x};
    const std::optional<at::Tensor> out = candidate(state, unit);
    return out ? *out : at::zeros_like(x.slice(2, 0, {}, unit.stride).slice(3, 0, {}, unit.stride));
  }

 private:
  at::Tensor conv(const ConvUnit& unit, const at::Tensor& x) const {
    return at::conv2d(x, parameters_[unit.parameter], {}, unit.stride, unit.padding, unit.dilation,
                      unit.groups);
  }

  at::Tensor norm(const NormUnit& unit, const at::Tensor& x) {
    const NormInfo& info = layout_.norms[unit.norm];
    const bool training = mode_ == Mode::kTrain;
    const at::Tensor& store = training ? batch_ : running_;
    // Without the version counter of the whole store: autograd saves these, and other norms write
    // beside them.
    const at::Tensor mean = store.narrow(0, info.offset, info.channels).variable_data();
    const at::Tensor variance =
        store.narrow(0, info.offset + info.channels, info.channels).variable_data();
    const at::Tensor scale = info.scale ? parameters_[*info.scale] : at::Tensor();
    const at::Tensor shift = info.shift ? parameters_[*info.shift] : at::Tensor();
    // Momentum 1 leaves the batch's own mean and unbiased variance in the store; the running
    // statistics of the whole network then move in one operation (move_statistics).
    return at::batch_norm(x, scale, shift, mean, variance, training, 1.0, kNormEpsilon, false);
  }

  at::Tensor stem(const at::Tensor& images) {
    at::Tensor x = images;
    for (std::size_t i = 0; i < layout_.stem.convs.size(); ++i) {
      if (i > 0) {
        x = at::relu(x);
      }
      x = norm(layout_.stem.norms[i], conv(layout_.stem.convs[i], x));
    }
    return x;
  }

  /// Takes the input already rectified.
  at::Tensor reduce(const FactorizedReduce& unit, const at::Tensor& x) {
    // The second path sees the input shifted by one pixel; an odd side gets a row of zeros back.
    const at::Tensor shifted =
        at::constant_pad_nd(x.slice(2, 1).slice(3, 1), {0, x.size(3) % 2, 0, x.size(2) % 2});
    return norm(unit.norm, at::cat({conv(unit.even, x), conv(unit.odd, shifted)}, 1));
  }

  static const at::Tensor& rectified(State& state) {
    if (!state.rectified) {
      state.rectified = at::relu(state.value);
    }
    return *state.rectified;
  }

  at::Tensor pool(State& state, space::Primitive primitive, int stride) {
    at::Tensor& shared = state.pooled[{primitive, stride}];
    if (!shared.defined()) {
      shared = primitive == space::Primitive::kMaxPool3x3
                   ? at::max_pool2d(state.value, 3, stride, 1)
                   : at::avg_pool2d(state.value, 3, stride, 1, false, false);
    }
    return shared;
  }

  at::Tensor normalised_pool(State& state, const CandidateUnit& unit) {
    if (mode_ ==
        Mode::kEvaluate) {  // running statistics may differ where a file came from elsewhere
      return norm(*unit.pool_norm, pool(state, unit.primitive, unit.stride));
    }
    auto& [shared, holder] = state.normalised[{unit.primitive, unit.stride}];
    if (!shared.defined()) {
      shared = norm(*unit.pool_norm, pool(state, unit.primitive, unit.stride));
      holder = unit.pool_norm->norm;
    } else {
      const NormInfo& from = layout_.norms[holder];
      const NormInfo& to = layout_.norms[unit.pool_norm->norm];
      batch_.narrow(0, to.offset, 2 * to.channels)
          .copy_(batch_.narrow(0, from.offset, 2 * from.channels));
    }
    return shared;
  }

  /// Output of one candidate; nothing for `none`.
  std::optional<at::Tensor> candidate(State& state, const CandidateUnit& unit) {
    switch (space::info_of(unit.primitive).kind) {
      case space::PrimitiveKind::kZero:
        return std::nullopt;
      case space::PrimitiveKind::kMaxPool:
      case space::PrimitiveKind::kAvgPool:
        return unit.pool_norm ? normalised_pool(state, unit)
                              : pool(state, unit.primitive, unit.stride);
      case space::PrimitiveKind::kIdentity:
        return unit.reduce ? reduce(*unit.reduce, rectified(state)) : state.value;
      case space::PrimitiveKind::kSeparable:
      case space::PrimitiveKind::kDilated: {
        const auto computed = state.grouped.find(&unit);
        if (computed != state.grouped.end()) {
          return computed->second;
        }
        at::Tensor x = rectified(state);
        for (std::size_t i = 0; i < unit.blocks.size(); ++i) {
          const SeparableBlock& block = unit.blocks[i];
          x = i > 0 ? at::relu(x) : x;
          x = norm(block.norm, conv(block.pointwise, conv(block.depthwise, x)));
        }
        return x;
      }
    }
    report_bug("unknown primitive kind", __FILE__, __LINE__);
  }

  /// Block `position` of several candidates of one kind: x [B, k C, H, W] holds their inputs one
  /// after the other; one depthwise convolution with k C groups, one pointwise with k.
  std::vector<at::Tensor> grouped_block(const std::vector<const CandidateUnit*>& units,
                                        std::size_t position, const at::Tensor& x) {
    const auto joined = [&](ConvUnit SeparableBlock::*conv_unit) {
      std::vector<at::Tensor> weights;
      for (const CandidateUnit* unit : units) {
        weights.push_back(parameters_[(unit->blocks[position].*conv_unit).parameter]);
      }
      return at::cat(weights, 0);
    };
    const ConvUnit& geometry = units.front()->blocks[position].depthwise;
    const auto count = static_cast<std::int64_t>(units.size());
    const at::Tensor z = at::conv2d(x, joined(&SeparableBlock::depthwise), {}, geometry.stride,
                                    geometry.padding, geometry.dilation, count * geometry.groups);
    const at::Tensor y = at::conv2d(z, joined(&SeparableBlock::pointwise), {}, /*stride=*/1,
                                    at::IntArrayRef{0}, /*dilation=*/1, count);
    std::vector<at::Tensor> outputs = y.chunk(count, 1);
    for (std::size_t i = 0; i < units.size(); ++i) {
      outputs[i] = norm(units[i]->blocks[position].norm, outputs[i]);
    }
    return outputs;
  }

  /// Computes the separable candidates on the out-edges of state `from`, kind by kind.
  void group_out_edges(const CellUnit& cell_unit, int from, State& state) {
    std::map<std::pair<space::Primitive, int>, std::vector<const CandidateUnit*>> kinds;
    for (const EdgeUnit& edge : cell_unit.edges) {
      for (const CandidateUnit& unit : edge.candidates) {
        if (edge.from == from && !unit.blocks.empty()) {
          kinds[{unit.primitive, unit.stride}].push_back(&unit);
        }
      }
    }
    for (const auto& [kind, units] : kinds) {
      const auto count = static_cast<std::int64_t>(units.size());
      std::vector<at::Tensor> outputs =
          grouped_block(units, 0, rectified(state).repeat({1, count, 1, 1}));
      for (std::size_t position = 1; position < units.front()->blocks.size(); ++position) {
        outputs = grouped_block(units, position, at::relu(at::cat(outputs, 1)));
      }
      for (std::size_t i = 0; i < units.size(); ++i) {
        state.grouped[units[i]] = outputs[i];
      }
    }
  }

  /// [B, 1, 1, 1]: 1 / keep_probability where the edge is kept, else 0.
  at::Tensor kept_images(int drop, const at::Tensor& like) const {
    const std::int64_t batch = like.size(0);
    require(drop_path_->kept.size() == static_cast<std::size_t>(layout_.droppable_edges * batch),
            "drop-path has one entry per droppable edge and image");
    at::Tensor factors = at::empty({batch, 1, 1, 1}, at::kDouble);
    for (std::int64_t image = 0; image < batch; ++image) {
      const bool kept = drop_path_->kept[static_cast<std::size_t>(drop * batch + image)] != 0;
      factors.data_ptr<double>()[image] = kept ? 1.0 / drop_path_->keep_probability : 0.0;
    }
    return factors.to(like.options());
  }

  /// Sum over terms of weight * term: one matrix-vector product on pixels with channels innermost.
  static at::Tensor weighted_sum(const std::vector<at::Tensor>& terms, const at::Tensor& weights) {
    std::vector<at::Tensor> rows;
    rows.reserve(terms.size());
    for (const at::Tensor& term : terms) {
      rows.push_back(term.permute({0, 2, 3, 1}));
    }
    const at::Tensor stacked = at::stack(rows);
    const at::Tensor mixed =
        at::matmul(weights, stacked.view({static_cast<std::int64_t>(rows.size()), -1}));
    return mixed.view(stacked.sizes().slice(1)).permute({0, 3, 1, 2});
  }

  /// The channels that go around the candidates of an edge; at stride 2 the largest of each 2x2.
  const at::Tensor& around(State& state, int stride) const {
    at::Tensor& shared = state.around[stride];
    if (!shared.defined()) {
      const std::int64_t seen = state.value.size(1);
      shared = state.whole.narrow(1, seen, state.whole.size(1) - seen);
      if (stride == 2) {  // odd sides round up, as those of the candidates
        shared = at::max_pool2d(shared, 2, 2, 0, 1, /*ceil_mode=*/true);
      }
    }
    return shared;
  }

  /// A node from the sum of its edges' mixtures: shuffle(concat(mixture, what went around)). The
  /// shuffle is one permutation for all edges, so it commutes with their sum.
  at::Tensor with_channels_around(const CellUnit& unit, int to, std::vector<State>& states,
                                  const at::Tensor& mixed) const {
    at::Tensor rest;
    for (const EdgeUnit& edge : unit.edges) {
      if (edge.to == to) {
        const at::Tensor& part = around(states[static_cast<std::size_t>(edge.from)], edge.stride);
        rest = rest.defined() ? rest.add(part) : part;
      }
    }
    const at::Tensor joined = at::cat({mixed, rest}, 1);
    // Channel g C/K + j becomes j K + g: the next node's candidates see some of every part.
    const std::int64_t parts = layout_.spec.partial_channels;
    return joined
        .reshape({joined.size(0), parts, joined.size(1) / parts, joined.size(2), joined.size(3)})
        .transpose(1, 2)
        .reshape(joined.sizes())
        .contiguous(at::MemoryFormat::ChannelsLast);
  }

  at::Tensor node(const CellUnit& unit, int to, std::vector<State>& states,
                  const at::Tensor& weights) {
    std::vector<at::Tensor> terms;
    std::vector<at::Tensor> term_weights;
    for (std::size_t e = 0; e < unit.edges.size(); ++e) {
      const EdgeUnit& edge = unit.edges[e];
      if (edge.to != to) {
        continue;
      }
      for (const CandidateUnit& unit_candidate : edge.candidates) {
        auto out = candidate(states[static_cast<std::size_t>(edge.from)], unit_candidate);
        if (out) {
          if (drop_path_ != nullptr && edge.drop) {
            out = out->mul(kept_images(*edge.drop, *out));
          }
          terms.push_back(*out);
          if (unit_candidate.slot) {
            term_weights.push_back(
                weights.select(0, static_cast<std::int64_t>(e)).select(0, *unit_candidate.slot));
          }
        }
      }
    }
    require(!terms.empty(), "a node has no input");
    if (!term_weights.empty()) {
      const at::Tensor mixed = weighted_sum(terms, at::stack(term_weights));
      return layout_.spec.partial_channels > 1 ? with_channels_around(unit, to, states, mixed)
                                               : mixed;
    }
    at::Tensor sum = terms.front();
    for (std::size_t i = 1; i < terms.size(); ++i) {
      sum = sum.add(terms[i]);
    }
    return sum;
  }

  at::Tensor cell(const CellUnit& unit, const at::Tensor& before, const at::Tensor& last,
                  const at::Tensor& weights) {
    std::vector<State> states;
    const auto add_state = [&](const at::Tensor& value) {
      const std::int64_t seen = value.size(1) / layout_.spec.partial_channels;
      const bool all = seen == value.size(1);
      states.push_back({value, all ? value : value.narrow(1, 0, seen)});
      if (grouped_) {
        group_out_edges(unit, static_cast<int>(states.size()) - 1, states.back());
      }
    };
    const at::Tensor rectified_before = at::relu(before);
    if (const auto* reduced = std::get_if<FactorizedReduce>(&unit.input0)) {
      add_state(reduce(*reduced, rectified_before));
    } else {
      const auto& plain = std::get<ReluConvNorm>(unit.input0);
      add_state(norm(plain.norm, conv(plain.conv, rectified_before)));
    }
    add_state(norm(unit.input1.norm, conv(unit.input1.conv, at::relu(last))));
    at::Tensor cell_weights;
    if (weights.defined()) {
      cell_weights = weights.select(0, unit.plan.kind == space::CellKind::kReduce ? 1 : 0);
    }
    for (int to = 2; to < 2 + layout_.spec.nodes; ++to) {
      add_state(node(unit, to, states, cell_weights));
    }
    std::vector<at::Tensor> kept;
    for (const int index : unit.concat) {
      kept.push_back(states[static_cast<std::size_t>(index)].whole);
    }
    return at::cat(kept, 1);
  }

  const NetworkLayout& layout_;
  const std::vector<at::Tensor>& parameters_;
  const at::Tensor& running_;
  at::Tensor& batch_;
  Mode mode_;
  const DropPath* drop_path_;
  bool grouped_;
};

class ComposedExecutor : public Executor {
 public:
  ComposedExecutor(const NetworkLayout& layout, Grouping grouping)
      : layout_(layout), grouping_(grouping) {}

  Logits forward(NetworkState& state, const at::Tensor& images,
                 const ForwardOptions& options) override {
    const Wanted wanted = options.wanted;
    const bool for_weights = wanted == Wanted::kWeights || wanted == Wanted::kBoth;
    const bool for_alpha = wanted == Wanted::kAlpha || wanted == Wanted::kBoth;
    const at::AutoGradMode record(wanted != Wanted::kNothing);
    weights_ = state.weights.detach();
    weights_.set_requires_grad(for_weights);
    alpha_ = state.alpha.detach();
    alpha_.set_requires_grad(for_alpha);
    at::Tensor batch =
        at::zeros_like(state.statistics);  // momentum 1 multiplies what is there by 0
    const at::Tensor pixels = images.contiguous(at::MemoryFormat::ChannelsLast);
    logits_ = composed_logits(layout_, split_parameters(layout_, weights_), alpha_,
                              state.statistics, batch, pixels, options.mode, options.drop_path,
                              grouping_, state.auxiliary_skip);
    if (options.mode == Mode::kTrain) {
      const at::NoGradGuard no_graph;
      move_statistics(state.statistics, batch);
      ++state.batches_tracked;
    }
    return {logits_.main.detach(),
            logits_.auxiliary.defined() ? logits_.auxiliary.detach() : at::Tensor()};
  }

  Gradients backward(const Logits& gradient) override {
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& leaf : {weights_, alpha_}) {
      if (leaf.requires_grad()) {
        leaves.push_back(leaf);
      }
    }
    require(logits_.main.defined() && !leaves.empty(),
            "backward needs a forward that wanted gradients");
    std::vector<at::Tensor> outputs = {logits_.main};
    std::vector<at::Tensor> seeds = {gradient.main};
    if (logits_.auxiliary.defined() && gradient.auxiliary.defined()) {
      outputs.push_back(logits_.auxiliary);
      seeds.push_back(gradient.auxiliary);
    }
    const auto found =
        torch::autograd::grad(outputs, leaves, seeds, c10::nullopt, false, /*allow_unused=*/true);
    Gradients gradients;
    std::size_t next = 0;
    if (weights_.requires_grad()) {
      gradients.weights = found[next++];
      require(gradients.weights.defined(), "the logits depend on the weights");
    }
    if (alpha_.requires_grad()) {
      gradients.alpha = found[next++];
    }
    logits_ = {};
    return gradients;
  }

 private:
  const NetworkLayout& layout_;
  Grouping grouping_;
  at::Tensor weights_, alpha_;
  Logits logits_;
};

}  // namespace

Logits composed_logits(const NetworkLayout& layout, const std::vector<at::Tensor>& parameters,
                       const at::Tensor& alpha, const at::Tensor& running, at::Tensor& batch,
                       const at::Tensor& images, Mode mode, const DropPath* drop_path,
                       Grouping grouping, double auxiliary_skip) {
  const bool grouped = grouping == Grouping::kAlways || !images.is_cpu();
  return ComposedPass(layout, parameters, running, batch, mode, drop_path, grouped)
      .logits(images, alpha, auxiliary_skip);
}

at::Tensor composed_candidate(const NetworkLayout& layout, const CandidateUnit& unit,
                              const std::vector<at::Tensor>& parameters, const at::Tensor& running,
                              at::Tensor& batch, const at::Tensor& state, Mode mode) {
  return ComposedPass(layout, parameters, running, batch, mode, nullptr, false)
      .candidate_alone(unit, state);
}

at::Tensor auxiliary_logits(
    const NetworkLayout& layout, const std::vector<at::Tensor>& parameters,
    const at::Tensor& features,
    const std::function<at::Tensor(const NormUnit&, const at::Tensor&)>& norm) {
  const AuxiliaryUnit& unit = *layout.auxiliary;
  const bool original =
      layout.spec.stem == space::Stem::kCifar && features.size(2) == 8 && features.size(3) == 8;
  at::Tensor x = at::relu(features);
  x = original ? at::avg_pool2d(x, 5, 3, 0, false, false) : at::adaptive_avg_pool2d(x, {2, 2});
  x = at::relu(norm(unit.norm0, at::conv2d(x, parameters[unit.conv0.parameter])));
  x = at::relu(norm(unit.norm1, at::conv2d(x, parameters[unit.conv1.parameter])));
  return at::linear(x.flatten(1), parameters[unit.classifier_weight],
                    parameters[unit.classifier_bias]);
}

std::vector<at::Tensor> split_parameters(const TensorTable& table, const at::Tensor& flat) {
  std::vector<std::int64_t> sizes;
  sizes.reserve(table.parameters.size());
  for (const ParameterInfo& parameter : table.parameters) {
    sizes.push_back(parameter.numel);
  }
  std::vector<at::Tensor> views = flat.split_with_sizes(sizes);
  for (std::size_t i = 0; i < views.size(); ++i) {
    views[i] = views[i].view(table.parameters[i].shape);
  }
  return views;
}

void move_statistics(at::Tensor& running, const at::Tensor& batch) {
  running.mul_(1.0 - kNormMomentum).add_(batch, kNormMomentum);
}

std::unique_ptr<Executor> make_composed_executor(const NetworkLayout& layout, Grouping grouping) {
  return std::make_unique<ComposedExecutor>(layout, grouping);
}

}  // namespace probedarts::nets
