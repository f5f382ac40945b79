#include "explain/open_network.hpp"

#include <optional>

#include <ATen/core/Tensor.h>

#include "explain/trained_network.hpp"

namespace probedarts::explain {
std::shared_ptr<const TrainedNetwork> open_network(const learn::ModelRequest& request,
                                                   std::string name, int size_px,
                                                   const data::Dataset* dataset) {
  learn::ModelCard known;
  if (dataset != nullptr) {
    known.classes = dataset->classes;
    known.labels = dataset->kind;
  }
  learn::TrainedModel model = learn::open_model(request, dataset != nullptr ? &known : nullptr);
  auto network = std::make_shared<TrainedNetwork>();
  network->graph = model.network->layers();
  network->graph.name = name;
  network->name = std::move(name);
  network->state = std::move(model.state);
  network->classes = std::move(model.card.classes);
  if (!learn::are_names(network->classes) && known.classes.size() == network->classes.size()) {
    network->classes = std::move(known.classes);
  }
  network->labels = model.card.labels;
  network->normalization = model.card.normalization;
  network->size_px = size_px != 0 ? size_px : model.card.size;
  model.network->require_image_size(network->size_px);
  return network;
}

const std::vector<std::string>& classes_of(const TrainedNetwork& network) {
  return network.classes;
}

}  // namespace probedarts::explain
