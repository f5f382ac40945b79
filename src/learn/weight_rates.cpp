#include "learn/weight_rates.hpp"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "learn/probe_network.hpp"
#include "optim/optimizers.hpp"

namespace probedarts::learn {
namespace {

optim::AdasOptions adas_options(const WeightOptions& options) {
  optim::AdasOptions adas;
  adas.learning_rate = options.lr;
  adas.beta = options.beta;
  adas.zeta = options.zeta;
  adas.gamma = options.gamma;
  adas.step_size = options.step_size;
  return adas;
}

}  // namespace

WeightRates::WeightRates(const WeightOptions& options, const nets::TensorTable& table)
    : options_(options), convolutions_(convolution_parameters(table)) {
  if (options.optimizer == "adas") {
    adas_.emplace(adas_options(options), layer_of_parameter(table));
  }
}

std::vector<double> WeightRates::at(int epoch) const {
  return adas_ ? adas_->learning_rates() : std::vector<double>{schedule_at(epoch)};
}

double WeightRates::schedule_at(int epoch) const {
  return adas_
             ? options_.lr
             : optim::cosine_learning_rate(options_.lr, options_.lr_final, epoch, options_.epochs);
}

std::vector<double> WeightRates::of_layers(const std::vector<double>& rates) const {
  std::vector<double> layers;
  for (const std::size_t parameter : convolutions_) {
    layers.push_back(rates.size() == 1 ? rates[0] : rates[parameter]);
  }
  return layers;
}

void WeightRates::end_epoch(const std::vector<probe::LayerMetrics>& layers) {
  if (!adas_) {
    return;
  }
  std::vector<double> stable_ranks;
  for (const probe::LayerMetrics& layer : layers) {
    stable_ranks.push_back(layer.failed ? std::numeric_limits<double>::quiet_NaN()
                                        : layer.stable_rank());
  }
  adas_->epoch_step(stable_ranks);
}

std::optional<optim::AdasState> WeightRates::state() const {
  return adas_ ? std::optional(adas_->state()) : std::nullopt;
}

void WeightRates::restore(const std::optional<optim::AdasState>& state,
                          const std::string& checkpoint) {
  if (!adas_) {
    return;
  }
  if (!state) {
    throw UserError(fmt::format(
        "checkpoint '{}' holds no state of Adas; resume the run it was made by", checkpoint));
  }
  adas_->restore(*state);
}

}  // namespace probedarts::learn
