// The executor on our own kernels: CPU, float32. Torch meets the kernels here: checks, contiguity,
// the head, and the gradient of the softmax.

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "core/errors.hpp"
#include "nets/executor.hpp"
#include "nets/fused_auxiliary.hpp"
#include "nets/fused_inference.hpp"
#include "nets/fused_passes.hpp"
#include "nets/fused_weights.hpp"

namespace probedarts::nets {
namespace {

constexpr std::size_t kColumns = space::kPrimitiveCount;

/// softmax over the last dimension of alpha [2, edges, 8], in double precision.
void softmax_rows(const at::Tensor& alpha, std::vector<double>& weights) {
  const float* logits = alpha.data_ptr<float>();
  weights.resize(static_cast<std::size_t>(alpha.numel()));
  for (std::size_t row = 0; row < weights.size(); row += kColumns) {
    const auto highest =
        static_cast<double>(*std::max_element(logits + row, logits + row + kColumns));
    double sum = 0.0;
    for (std::size_t i = row; i < row + kColumns; ++i) {
      weights[i] = std::exp(static_cast<double>(logits[i]) - highest);
      sum += weights[i];
    }
    for (std::size_t i = row; i < row + kColumns; ++i) {
      weights[i] /= sum;
    }
  }
}

/// Adds the auxiliary skip to the edge weights.
void add_auxiliary_skip(double auxiliary_skip, std::vector<double>& weights) {
  for (auto i = static_cast<std::size_t>(space::Primitive::kSkipConnect); i < weights.size();
       i += kColumns) {
    weights[i] += auxiliary_skip;
  }
}

/// Gradient in alpha from that in its softmax: w (dw - sum w dw).
at::Tensor softmax_gradient(const std::vector<double>& weights, const std::vector<double>& gradient,
                            at::IntArrayRef shape) {
  at::Tensor result = at::empty(shape, at::kFloat);
  float* values = result.data_ptr<float>();
  for (std::size_t row = 0; row < weights.size(); row += kColumns) {
    double mean = 0.0;
    for (std::size_t i = row; i < row + kColumns; ++i) {
      mean += weights[i] * gradient[i];
    }
    for (std::size_t i = row; i < row + kColumns; ++i) {
      values[i] = static_cast<float>(weights[i] * (gradient[i] - mean));
    }
  }
  return result;
}

bool is_plain(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

class FusedExecutor : public Executor {
 public:
  FusedExecutor(const NetworkLayout& layout, int threads)
      : layout_(layout), threads_(threads), inference_(layout, threads_) {}

  Logits forward(NetworkState& state, const at::Tensor& images,
                 const ForwardOptions& options) override {
    require(is_plain(state.weights) && is_plain(state.statistics) && is_plain(state.alpha),
            "the fused executor takes float32 states on the CPU");
    require(images.is_cpu() && images.scalar_type() == at::kFloat && images.dim() == 4 &&
                images.size(0) > 0 && images.size(1) == 3,
            "the fused executor takes float32 images [B, 3, H, W] on the CPU");
    softmax_rows(state.alpha, softmax_);
    edge_weights_ = softmax_;
    add_auxiliary_skip(state.auxiliary_skip, edge_weights_);
    if (options.mode == Mode::kEvaluate && options.wanted == Wanted::kNothing) {
      space::validate_image_size(layout_.spec, static_cast<int>(images.size(2)),
                                 static_cast<int>(images.size(3)));
      pending_ = false;
      return {inference_.logits(state, edge_weights_, images), {}};
    }
    plan_for(images);
    require(options.drop_path == nullptr ||
                options.drop_path->kept.size() ==
                    static_cast<std::size_t>(layout_.droppable_edges * plan_->batch),
            "drop-path has one entry per droppable edge and image");
    weights_ = state.weights;  // the head's gradient reads them again
    statistics_ = state.statistics;
    mode_ = options.mode;
    wanted_ = options.wanted;
    drop_path_ = options.drop_path;
    const fused::Context context = make_context(nullptr);
    pack_weights(context);
    context.for_each_image([&](int image, int, fused::Workspace&) {
      fused::load_patches(layout_, context.plan, images, image,
                          context.image_of(context.plan.states[0].value, image));
    });
    fused::run_forward(context);
    if (mode_ == Mode::kTrain) {
      ++state.batches_tracked;
    }
    pending_ = wanted_ != Wanted::kNothing;
    Logits logits;
    logits.main = head_forward(context);
    if (layout_.auxiliary && mode_ == Mode::kTrain) {
      logits.auxiliary = auxiliary_.forward(context);
    }
    return logits;
  }

  Gradients backward(const Logits& gradient) override {
    require(pending_, "backward needs a forward that wanted gradients");
    pending_ = false;
    Gradients gradients;
    float* weight_gradient = nullptr;
    if (wanted_ != Wanted::kAlpha) {
      gradients.weights = at::zeros({layout_.weight_count}, at::kFloat);
      weight_gradient = gradients.weights.data_ptr<float>();
    }
    edge_gradient_.assign(edge_weights_.size(), 0.0);
    const fused::Context context = make_context(weight_gradient);
    mark_wanted(context);
    zero_sums(context);
    const at::Tensor wanted_logits = gradient.main.to(at::kFloat).contiguous();
    head_backward(context, wanted_logits.data_ptr<float>(), weight_gradient);
    if (gradient.auxiliary.defined()) {
      auxiliary_.backward(context, gradient.auxiliary);
    }
    fused::run_backward(context);
    if (wanted_ != Wanted::kWeights) {
      gradients.alpha = softmax_gradient(
          softmax_, edge_gradient_, {2, layout_.alpha_edges, static_cast<std::int64_t>(kColumns)});
    }
    return gradients;
  }

 private:
  void plan_for(const at::Tensor& images) {
    const auto batch = static_cast<int>(images.size(0));
    const auto height = static_cast<int>(images.size(2));
    const auto width = static_cast<int>(images.size(3));
    if (!plan_ || plan_->batch != batch || plan_->height != height || plan_->width != width) {
      space::validate_image_size(layout_.spec, height, width);
      plan_ = fused::make_plan(layout_, batch, height, width);
      memory_.prepare(*plan_, threads_.threads());
      features_.reserve(static_cast<std::size_t>(batch) * head_floats());
      feature_gradient_.reserve(static_cast<std::size_t>(batch) * head_floats());
    }
  }

  fused::Context make_context(float* weight_gradient) {
    const bool relaxed = layout_.alpha_edges > 0;
    return {layout_,
            *plan_,
            memory_,
            threads_,
            mode_,
            wanted_,
            {weights_.data_ptr<float>(), statistics_.data_ptr<float>(),
             relaxed ? edge_weights_.data() : nullptr, weight_gradient,
             relaxed ? edge_gradient_.data() : nullptr, drop_path_}};
  }

  void pack_weights(const fused::Context& context) {
    const float* weights = context.network.weights;
    float* packed = memory_.packed.data();
    threads_.run(static_cast<int>(plan_->states.size()), [&](int index, int) {
      fused::pack(layout_, plan_->states[static_cast<std::size_t>(index)], weights, packed);
    });
  }

  std::size_t head_floats() const {
    std::size_t floats = 0;
    for (const std::size_t s : plan_->head) {
      floats += static_cast<std::size_t>(plan_->states[s].value.shape.channels);
    }
    return floats;
  }

  /// Calls visit(index into the padded features, index into the classifier's inputs).
  template <typename Visit>
  void for_each_feature(const Visit& visit) const {
    std::size_t padded = 0;
    std::size_t feature = 0;
    for (const std::size_t s : plan_->head) {
      const fused::State& state = plan_->states[s];
      for (int c = 0; c < state.channels; ++c) {
        visit(padded + static_cast<std::size_t>(c), feature++);
      }
      padded += static_cast<std::size_t>(state.value.shape.channels);
    }
  }

  /// Global average pool and classifier.
  at::Tensor head_forward(const fused::Context& context) {
    const std::size_t floats = head_floats();
    context.for_each_image([&](int image, int, fused::Workspace&) {
      float* features = features_.data() + static_cast<std::size_t>(image) * floats;
      for (const std::size_t s : plan_->head) {
        const fused::Slab& value = plan_->states[s].value;
        kernels::channel_means(context.image_of(value, image),
                               static_cast<int>(value.shape.pixels()), value.shape.channels,
                               features);
        features += value.shape.channels;
      }
    });
    const int classes = layout_.spec.classes;
    const float* weight =
        context.network.weights + layout_.parameters[layout_.classifier_weight].offset;
    const float* bias =
        context.network.weights + layout_.parameters[layout_.classifier_bias].offset;
    at::Tensor logits = at::empty({plan_->batch, classes}, at::kFloat);
    float* to = logits.data_ptr<float>();
    for (int image = 0; image < plan_->batch; ++image) {
      const float* features = features_.data() + static_cast<std::size_t>(image) * floats;
      for (int k = 0; k < classes; ++k) {
        double sum = static_cast<double>(bias[k]);
        for_each_feature([&](std::size_t padded, std::size_t feature) {
          const auto at = static_cast<std::size_t>(k * layout_.feature_channels) + feature;
          sum += static_cast<double>(features[padded]) * static_cast<double>(weight[at]);
        });
        *to++ = static_cast<float>(sum);
      }
    }
    return logits;
  }

  /// Classifier gradients, and the features' gradient spread over the pixels of the head's states.
  void head_backward(const fused::Context& context, const float* logits_gradient,
                     float* weight_gradient) {
    const int classes = layout_.spec.classes;
    const std::size_t floats = head_floats();
    const ParameterInfo& weight = layout_.parameters[layout_.classifier_weight];
    const ParameterInfo& bias = layout_.parameters[layout_.classifier_bias];
    std::fill_n(feature_gradient_.data(), static_cast<std::size_t>(plan_->batch) * floats, 0.0F);
    for (int image = 0; image < plan_->batch; ++image) {
      const float* features = features_.data() + static_cast<std::size_t>(image) * floats;
      float* gradient = feature_gradient_.data() + static_cast<std::size_t>(image) * floats;
      for (int k = 0; k < classes; ++k) {
        const float from = logits_gradient[image * classes + k];
        if (weight_gradient != nullptr) {
          weight_gradient[bias.offset + k] += from;
        }
        for_each_feature([&](std::size_t padded, std::size_t feature) {
          const auto at = static_cast<std::size_t>(k * layout_.feature_channels) + feature;
          gradient[padded] +=
              from * context.network.weights[static_cast<std::size_t>(weight.offset) + at];
          if (weight_gradient != nullptr) {
            weight_gradient[static_cast<std::size_t>(weight.offset) + at] +=
                from * features[padded];
          }
        });
      }
    }
    memory_.starting.clear();
    for (const std::size_t s : plan_->head) {
      fused::start_gradient(context, s);
    }
    context.for_each_image([&](int image, int, fused::Workspace&) {
      fused::zero_started(context, image);
      float* gradient = feature_gradient_.data() + static_cast<std::size_t>(image) * floats;
      for (const std::size_t s : plan_->head) {
        const fused::Slab& slab = plan_->states[s].gradient;
        const auto pixels = static_cast<float>(slab.shape.pixels());
        std::for_each_n(gradient, slab.shape.channels, [&](float& value) { value /= pixels; });
        kernels::add_to_pixels(gradient, static_cast<int>(slab.shape.pixels()), slab.shape.channels,
                               context.image_of(slab, image));
        gradient += slab.shape.channels;
      }
    });
  }

  /// Before anything is added. A state wants its gradient when something that is asked for lies in
  /// it or before it.
  void mark_wanted(const fused::Context& context) {
    std::vector<bool>& wants = memory_.wants_gradient;
    std::fill(memory_.has_gradient.begin(), memory_.has_gradient.end(), false);
    for (std::size_t s = 1; s < plan_->states.size(); ++s) {
      const fused::State& state = plan_->states[s];
      const auto& made_by = state.made_by;
      wants[s] = context.for_weights() || !made_by ||
                 std::any_of(made_by->sources.begin(), made_by->sources.end(),
                             [&](const fused::Source& source) { return wants[source.state]; });
    }
  }

  void zero_sums(const fused::Context& context) {
    std::fill_n(memory_.partials.sums.data(),
                static_cast<std::size_t>(memory_.partials.chunks) * context.plan.slots, 0.0F);
  }

  const NetworkLayout& layout_;
  kernels::ThreadPool threads_;
  fused::Inference inference_;
  std::optional<fused::Plan> plan_;
  fused::Memory memory_;
  at::Tensor weights_, statistics_;
  fused::AuxiliaryHead auxiliary_;
  const DropPath* drop_path_ = nullptr;
  std::vector<double> softmax_, edge_weights_, edge_gradient_;
  kernels::FloatBuffer features_, feature_gradient_;
  Mode mode_ = Mode::kTrain;
  Wanted wanted_ = Wanted::kNothing;
  bool pending_ = false;
};

}  // namespace

std::unique_ptr<Executor> make_fused_executor(const NetworkLayout& layout, int threads) {
  require(layout.spec.partial_channels == 1, "the fused executor runs whole states");
  return std::make_unique<FusedExecutor>(layout, threads);
}

}  // namespace probedarts::nets
