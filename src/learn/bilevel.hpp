#pragma once

#include <span>
#include <vector>

#include "core/random.hpp"
#include "learn/loss.hpp"
#include "learn/weight_step.hpp"
#include "nets/executor.hpp"
#include "nets/layout.hpp"
#include "nets/network_state.hpp"
#include "optim/optimizers.hpp"

/// One iteration of the bilevel search (paper §3.1, DARTS §2.3-2.4; docs/method.md, "Bilevel
/// search"): an architecture step on a validation mini-batch, then a weight step on a training
/// mini-batch.
namespace probedarts::learn {

struct BilevelOptions {
  int order = 1;  ///< 1: gradient of the validation loss at the current weights; 2: unrolled
  optim::SgdOptions sgd;
  double clip = 5.0;  ///< largest gradient norm of the weights
  optim::AdamOptions adam;
  /// eps = finite_difference / |v|. Part of the method, not a numerical detail: the loss has kinks
  /// and a step of 0.01 crosses many (docs/search.md). Tests set it tiny to compare with an exact
  /// product.
  double finite_difference = 0.01;
  /// Adas: v_l = lr_l * gradient per tensor, and no further rate (PIBConv). SGD: v = gradient,
  /// times lr afterwards.
  bool rate_inside_difference = false;
};

/// How an iteration sees alpha, beyond its softmax. The default is plain DARTS, bit for bit.
struct AlphaView {
  /// Weight of a decay of the logits in the architecture's loss (Ye et al., "beta-DARTS", CVPR
  /// 2022):
  ///     L_valid + logit_decay * mean over edges of log sum_k exp(alpha_k),
  /// whose gradient, logit_decay / edges * softmax(alpha), pulls each logit by what it has.
  double logit_decay = 0.0;
  /// Gumbel noise G, as alpha; undefined: no sampling. With it the passes of the iteration see the
  /// edge weights softmax((alpha + G) / temperature), a sample of the concrete distribution
  /// (Maddison et al. and Jang et al., ICLR 2017; Xie et al., "SNAS", ICLR 2019), and the gradient
  /// in alpha is that through it.
  at::Tensor noise;
  double temperature = 1.0;
};

/// -log(-log u) for each entry of alpha, u uniform from the stream.
at::Tensor gumbel_noise(const at::Tensor& like, Stream stream);

/// Everything the two optimisers change, and all a checkpoint has to keep of them. Every tensor has
/// the dtype and device of the network. Copying the struct shares memory.
struct SearchState {
  nets::NetworkState network;
  at::Tensor momentum;            ///< [weight_count], SGD's buffer, flat as the weights
  bool momentum_started = false;  ///< a weight step was taken: `momentum` counts
  /// [2, edges, 8], Adam's running means of the gradient in alpha and of its square.
  at::Tensor alpha_first_moment, alpha_second_moment;
  std::int64_t alpha_steps = 0;  ///< architecture steps taken
};

/// A search state around a network: zero moments, no step taken. Takes the network's tensors over.
SearchState start_search(nets::NetworkState network);

/// Parts of an architecture gradient, for tests and probes.
struct ArchitectureGradient {
  at::Tensor total;     ///< what Adam gets, [2, edges, 8]
  at::Tensor direct;    ///< d L_valid(w') / d alpha; equal to total in the first order
  at::Tensor implicit;  ///< the finite difference before any factor; undefined in the first order
  at::Tensor unrolled_weights;  ///< w'; undefined in the first order
  double epsilon = 0.0;         ///< eps of the finite difference
  LossResult valid;             ///< loss on the validation batch
};

/// Runs search steps of one network with one executor.
class BilevelLearner {
 public:
  /// `layout` and `executor` must outlive the learner.
  BilevelLearner(const nets::NetworkLayout& layout, nets::Executor& executor, Objective objective,
                 BilevelOptions options);

  /// Gradient of the validation loss in alpha. First order: one pass on `valid`. Second order
  /// (Liu et al., ICLR 2019, eq. 7 and 8), with buf = 0 before the first weight step:
  ///
  ///     w'      = w - lr (momentum buf + dL_train(w)/dw + decay w)
  ///     v       = dL_valid(w')/dw',   eps = 0.01 / |v|,   w+ = w + eps v,   w- = w - eps v
  ///     d_alpha = dL_valid(w')/dalpha - lr (dL_train(w+)/dalpha - dL_train(w-)/dalpha) / (2 eps)
  ///
  /// The unrolled pass runs on a copy of the running statistics; the network's own move 1 or 3
  /// times.
  ///
  /// \param rates     learning rates of the weights: one, or one per parameter tensor.
  /// \throws Diverged  a loss is not finite.
  /// \throws Bug       another number of rates; in the second order, rates per tensor without
  ///                   BilevelOptions::rate_inside_difference.
  /// Cost: one forward and backward pass; four in the second order.
  ArchitectureGradient architecture_gradient(SearchState& state, const LabelledBatch& train,
                                             const LabelledBatch& valid,
                                             std::span<const double> rates);

  /// The architecture step: the gradient above through Adam.
  /// \returns  the loss on `valid`, at w' in the second order.
  /// \throws Diverged, Bug  as architecture_gradient.
  LossResult alpha_step(SearchState& state, const LabelledBatch& train, const LabelledBatch& valid,
                        std::span<const double> rates, const AlphaView& view = {});

  /// The weight step: gradient on `train`, clipped, through SGD with momentum.
  /// \returns  the loss on `train` before the step.
  /// \throws Diverged  the loss or a gradient is not finite.
  /// \throws Bug       another number of rates than one, or one per parameter tensor.
  LossResult weight_step(SearchState& state, const LabelledBatch& train,
                         std::span<const double> rates, const AlphaView& view = {});

  /// Of the weights, before clipping.
  double last_gradient_norm() const { return weights_.last_gradient_norm(); }
  const optim::Segments& segments() const { return weights_.segments(); }

 private:
  at::Tensor scaled_by_rates(const at::Tensor& flat, std::span<const double> rates) const;

  BilevelOptions options_;
  WeightLearner weights_;
};

}  // namespace probedarts::learn
