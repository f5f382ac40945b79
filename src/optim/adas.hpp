#pragma once

#include <cstdint>
#include <vector>

namespace probedarts::optim {

/// Hyper-parameters of Adas' schedule (Hosseini & Plataniotis, arXiv:2006.06587; docs/method.md,
/// "Adas").
struct AdasOptions {
  double learning_rate = 0.175;  ///< lr0
  double beta = 0.98;            ///< scheduler beta
  double zeta = 1.0;
  double gamma = 1.0;  ///< zeta *= gamma every `step_size` epochs
  int step_size = 25;
  /// The published code drops layers from its not-ready list while walking over it and so skips
  /// neighbours; only there to compare with.
  bool as_published = false;
};

/// Everything Adas remembers between epochs; saved in checkpoints as it stands.
struct AdasState {
  std::vector<double> velocity;          ///< one per probed layer
  std::vector<double> last_stable_rank;  ///< S_l of the epoch before
  std::vector<int> not_ready;            ///< probed layers whose S has always been 0, ascending
  std::vector<double> learning_rates;    ///< one per parameter tensor
  double zeta = 1.0;
  int epoch = 0;  ///< epochs seen
};

/// Adas: a learning rate for each layer, changed once an epoch by the gain of stable rank,
///     velocity_l <- max(beta * velocity_l + zeta * (S_l(t) - S_l(t-1)), 0),   lr_l = velocity_l.
/// Other parameters (BN, bias, classifier) take the rate of the parameter just before them.
class Adas {
 public:
  /// \param layer_of_parameter  for each parameter tensor in order: index of its probed layer, or
  ///        -1 where it is no convolution and takes its predecessor's rate (the first parameter
  ///        then keeps the initial rate).
  Adas(const AdasOptions& options, std::vector<int> layer_of_parameter);

  /// Ends an epoch.
  /// \param stable_rank  S_l, one per probed layer.
  /// \throws Diverged  one is not finite; the state is as before.
  void epoch_step(const std::vector<double>& stable_rank);

  /// Rates for the coming epoch, one per parameter tensor; lr0 everywhere before the first
  /// epoch_step.
  const std::vector<double>& learning_rates() const { return state_.learning_rates; }

  const AdasState& state() const { return state_; }
  void restore(AdasState state);  ///< \throws Bug when the sizes do not fit

 private:
  AdasOptions options_;
  std::vector<int> layer_of_parameter_;
  AdasState state_;
};

}  // namespace probedarts::optim
