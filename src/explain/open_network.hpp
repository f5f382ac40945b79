#pragma once

#include <memory>
#include <string>

#include "data/dataset.hpp"
#include "learn/model_card.hpp"

namespace probedarts::explain {

struct TrainedNetwork;

/// Opens a trained network (learn::open_model) as a list of layers.
/// \param name     on pages and in messages.
/// \param size_px  that images are resized to; 0: what it was trained at.
/// \param dataset  data at hand, or null, whose classes a checkpoint has that does not name its
/// own. \throws UserError when something is missing or does not fit.
std::shared_ptr<const TrainedNetwork> open_network(const learn::ModelRequest& request,
                                                   std::string name, int size_px,
                                                   const data::Dataset* dataset);

/// The names of its classes.
const std::vector<std::string>& classes_of(const TrainedNetwork& network);

}  // namespace probedarts::explain
