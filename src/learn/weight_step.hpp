#pragma once

#include <span>
#include <string>

#include "learn/loss.hpp"
#include "nets/executor.hpp"
#include "nets/network_state.hpp"
#include "optim/optimizers.hpp"

/// How the weights of any network learn from a mini-batch: what the search and training share.
namespace probedarts::learn {

struct WeightStepOptions {
  optim::SgdOptions sgd;
  double clip = 5.0;              ///< largest gradient norm of the weights
  double auxiliary_weight = 0.4;  ///< of the auxiliary head's loss, where the network has one
};

/// Momentum of the weights; all that SGD keeps between steps.
struct Momentum {
  at::Tensor& buffer;  ///< flat, as the weights
  bool& started;       ///< a step was taken before
};

/// Where numbers stopped being finite, in words: the first weight, else the first BN (in network
/// order) that saw such input.
std::string first_non_finite(const nets::TensorTable& table, const nets::NetworkState& network);

/// \throws Diverged naming the first weight that is not finite.
void require_finite_weights(const nets::TensorTable& table, const nets::NetworkState& network);

/// \param what  the loss in words, for example "validation loss".
/// \throws Diverged when `loss` is not finite, naming `what` and first_non_finite.
void require_finite_loss(double loss, const char* what, const nets::TensorTable& table,
                         const nets::NetworkState& network);

/// Takes gradients and steps of one network with one executor.
class WeightLearner {
 public:
  /// `table` and `executor` must outlive the learner.
  WeightLearner(const nets::TensorTable& table, nets::Executor& executor, Objective objective,
                WeightStepOptions options);

  /// Forward in training mode and backward of
  ///     L = L(main logits) + auxiliary_weight * L(auxiliary logits),
  /// the second term where the network has an auxiliary head.
  /// \param result     loss and decisions of the main classifier alone.
  /// \param drop_path  edges to leave out, or null.
  /// \throws Diverged when a loss is not finite.
  nets::Gradients gradients(nets::NetworkState& network, const LabelledBatch& batch,
                            nets::Wanted wanted, LossResult& result,
                            const nets::DropPath* drop_path = nullptr);

  /// The gradient above, clipped, through SGD with momentum.
  /// \param rates  learning rates of the weights: one, or one per parameter tensor.
  LossResult step(nets::NetworkState& network, Momentum momentum, const LabelledBatch& batch,
                  std::span<const double> rates, const nets::DropPath* drop_path = nullptr);

  double last_gradient_norm() const {
    return last_gradient_norm_;
  }  ///< of the weights, before clipping
  const optim::Segments& segments() const { return segments_; }
  const WeightStepOptions& options() const { return options_; }

 private:
  const nets::TensorTable& table_;
  nets::Executor& executor_;
  Objective objective_;
  WeightStepOptions options_;
  optim::Segments segments_;
  double last_gradient_norm_ = 0.0;
};

}  // namespace probedarts::learn
