#pragma once

#include <string>
#include <vector>

#include "learn/search_config.hpp"
#include "learn/search_data.hpp"
#include "nets/layout.hpp"
#include "nets/network_state.hpp"
#include "probe/stable_rank.hpp"
#include "space/genotype.hpp"

/// What a run writes about itself: the JSON of run.json and of a line of epochs.jsonl
/// (docs/run-folder.md).
namespace probedarts::learn {

/// run.json. \param executor  the one chosen, where the configuration says auto.
std::string run_json(const SearchConfig& config, const nets::NetworkLayout& layout,
                     const SearchData& data, const std::string& name, const std::string& executor);

/// Averages of one pass over images.
struct PassFigures {
  double loss = 0.0;
  double error = 0.0;  ///< share of wrong decisions, 0..1
  std::uint64_t images = 0;
};

/// Where the time of an epoch went.
struct EpochSeconds {
  double search = 0.0, valid = 0.0, probe = 0.0, checkpoint = 0.0, data_wait = 0.0, total = 0.0;
};

/// Everything a line of epochs.jsonl says.
struct EpochRecord {
  int epoch = 0;
  PassFigures train, valid;
  double schedule_rate = 0.0;
  std::vector<double> layer_rates;    ///< one a convolution
  space::EdgeWeights normal, reduce;  ///< softmax(alpha)
  std::vector<probe::LayerMetrics> layers;
  space::Genotype genotype;
  EpochSeconds seconds;
};

std::string epoch_line(const EpochRecord& record);

/// Mean of stable_rank over the layers that did not fail.
double mean_stable_rank(const std::vector<probe::LayerMetrics>& layers);

/// softmax of one kind's alpha, in double.
space::EdgeWeights edge_weights(const at::Tensor& alpha, space::CellKind kind);

}  // namespace probedarts::learn
