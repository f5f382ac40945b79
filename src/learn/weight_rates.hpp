#pragma once

#include <optional>
#include <vector>

#include "learn/options.hpp"
#include "nets/tensor_table.hpp"
#include "optim/adas.hpp"
#include "probe/stable_rank.hpp"

namespace probedarts::learn {

/// Learning rates of the weights over the epochs of a run: one cosine for all of them, or Adas' own
/// for each layer.
class WeightRates {
 public:
  WeightRates(const WeightOptions& options, const nets::TensorTable& table);

  /// For this epoch: one for all parameter tensors, or one each.
  std::vector<double> at(int epoch) const;
  /// What run folders call the schedule: the cosine, or Adas' initial rate.
  double schedule_at(int epoch) const;
  /// Rates of the convolutions, in order, out of those `at` gave.
  std::vector<double> of_layers(const std::vector<double>& rates) const;

  /// Tells Adas the stable ranks of the epoch that ends. \throws Diverged when a layer has failed.
  void end_epoch(const std::vector<probe::LayerMetrics>& layers);

  /// State of Adas, for checkpoints; nothing with the cosine.
  std::optional<optim::AdasState> state() const;
  /// \throws UserError when Adas' state is missing in `checkpoint`, a path for the message.
  void restore(const std::optional<optim::AdasState>& state, const std::string& checkpoint);

 private:
  WeightOptions options_;
  std::vector<std::size_t> convolutions_;
  std::optional<optim::Adas> adas_;
};

}  // namespace probedarts::learn
