#include "explain/open_checkpoint.hpp"

#include <ATen/core/Tensor.h>

#include "exchange/match_checkpoint.hpp"
#include "exchange/read_checkpoint.hpp"
#include "explain/trained_network.hpp"

namespace probedarts::explain {
namespace {

std::vector<exchange::WantedTensor> wanted_tensors(const nets::TensorTable& table) {
  std::vector<exchange::WantedTensor> wanted;
  for (const nets::ParameterInfo& parameter : table.parameters) {
    wanted.push_back({parameter.name, parameter.shape});
  }
  for (const nets::NormInfo& norm : table.norms) {
    wanted.push_back({norm.name + ".running_mean", {norm.channels}});
    wanted.push_back({norm.name + ".running_var", {norm.channels}});
  }
  return wanted;
}

}  // namespace

std::shared_ptr<const TrainedNetwork> open_checkpoint(const std::filesystem::path& file,
                                                      nets::LayerGraph graph, NetworkFacts facts) {
  const TensorFile read = exchange::read_checkpoint(file);
  exchange::MatchRules rules;
  rules.optional.emplace_back("auxiliary_head.*");
  const exchange::MatchedCheckpoint matched =
      exchange::match_checkpoint(read, wanted_tensors(graph), rules, file.string());
  auto network = std::make_shared<TrainedNetwork>();
  network->name = facts.name;
  network->graph = std::move(graph);
  network->graph.name = std::move(facts.name);
  network->state = nets::initial_state(network->graph, nets::Precision::kFloat32, 0);
  nets::load_state_dict(network->graph, {matched.tensors, {}}, "", network->state);
  network->classes = std::move(facts.classes);
  network->labels = facts.labels;
  network->normalization = facts.normalization;
  network->size_px = facts.size_px;
  return network;
}

}  // namespace probedarts::explain
