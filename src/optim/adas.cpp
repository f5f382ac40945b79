#include "optim/adas.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>

#include "core/errors.hpp"

namespace probedarts::optim {
namespace {

/// A stable rank up to here counts as 0 (the published code's threshold).
constexpr double kNotReady = 1e-8;

/// Takes the layers whose stable rank has risen out of `not_ready`.
/// \returns the layers whose rate is held in this epoch.
std::vector<int> drop_ready_layers(std::vector<int>& not_ready,
                                   const std::vector<double>& stable_rank, bool as_published) {
  std::vector<int> held;
  for (auto layer = not_ready.begin(); layer != not_ready.end();) {
    if (std::abs(stable_rank[static_cast<std::size_t>(*layer)]) <= kNotReady) {
      held.push_back(*layer);
      ++layer;
      continue;
    }
    layer = not_ready.erase(layer);
    // The published loop walks the list it shortens: the neighbour moves into the gap and is never
    // looked at.
    if (as_published && layer != not_ready.end()) {
      ++layer;
    }
  }
  return held;
}

}  // namespace

Adas::Adas(const AdasOptions& options, std::vector<int> layer_of_parameter)
    : options_(options), layer_of_parameter_(std::move(layer_of_parameter)) {
  require(options_.step_size > 0, "Adas: step_size must be positive");
  int layers = 0;
  for (const int layer : layer_of_parameter_) {
    require(layer >= -1, "Adas: a parameter's layer is an index or -1");
    layers = std::max(layers, layer + 1);
  }
  state_.velocity.assign(static_cast<std::size_t>(layers), 0.0);
  state_.last_stable_rank.assign(static_cast<std::size_t>(layers), 0.0);
  state_.not_ready.resize(static_cast<std::size_t>(layers));
  std::iota(state_.not_ready.begin(), state_.not_ready.end(), 0);
  state_.learning_rates.assign(layer_of_parameter_.size(), options_.learning_rate);
  state_.zeta = options_.zeta;
}

void Adas::epoch_step(const std::vector<double>& stable_rank) {
  require(stable_rank.size() == state_.velocity.size(), "Adas: one stable rank for each layer");
  for (std::size_t layer = 0; layer < stable_rank.size(); ++layer) {
    if (!std::isfinite(stable_rank[layer])) {
      throw Diverged("Adas: the stable rank of layer " + std::to_string(layer) + " in epoch " +
                     std::to_string(state_.epoch) + " is not finite");
    }
  }

  std::vector<double> increment(stable_rank.size(), options_.learning_rate);
  if (state_.epoch > 0) {
    for (std::size_t layer = 0; layer < increment.size(); ++layer) {
      increment[layer] = stable_rank[layer] - state_.last_stable_rank[layer];
    }
    for (const int layer :
         drop_ready_layers(state_.not_ready, stable_rank, options_.as_published)) {
      const auto held = static_cast<std::size_t>(layer);
      increment[held] = options_.learning_rate - options_.beta * state_.velocity[held];
    }
    if (state_.epoch % options_.step_size == 0) {
      state_.zeta *= options_.gamma;
    }
  }
  for (std::size_t layer = 0; layer < increment.size(); ++layer) {
    double& velocity = state_.velocity[layer];
    velocity = std::max(options_.beta * velocity + state_.zeta * increment[layer], 0.0);
  }
  for (std::size_t parameter = 0; parameter < layer_of_parameter_.size(); ++parameter) {
    const int layer = layer_of_parameter_[parameter];
    if (layer >= 0) {
      state_.learning_rates[parameter] = state_.velocity[static_cast<std::size_t>(layer)];
    } else if (parameter > 0) {
      state_.learning_rates[parameter] = state_.learning_rates[parameter - 1];
    }
  }
  state_.last_stable_rank = stable_rank;
  ++state_.epoch;
}

void Adas::restore(AdasState state) {
  const std::size_t layers = state_.velocity.size();
  require(state.velocity.size() == layers && state.last_stable_rank.size() == layers &&
              state.learning_rates.size() == layer_of_parameter_.size() && state.epoch >= 0,
          "Adas: a state of another network");
  for (const int layer : state.not_ready) {
    require(layer >= 0 && static_cast<std::size_t>(layer) < layers,
            "Adas: a state of another network");
  }
  state_ = std::move(state);
}

}  // namespace probedarts::optim
