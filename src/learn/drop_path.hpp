#pragma once

#include <cstdint>

#include "nets/executor.hpp"

namespace probedarts::learn {

/// Probability that an edge is left out in an epoch: p * epoch / epochs. It rises from 0 and never
/// reaches p, as in DARTS. \param epoch  from 0.
double drop_path_probability(double p, int epoch, int epochs);

/// Which iteration a draw belongs to.
struct Iteration {
  int epoch = 0;
  std::uint64_t step = 0;  ///< within the epoch
};

/// Which edges stay for which image of an iteration: a function of the arguments alone.
/// \param edges  droppable edges of the network   \param images  in the mini-batch
nets::DropPath draw_drop_path(double probability, int edges, std::int64_t images,
                              std::uint64_t seed, const Iteration& iteration);

}  // namespace probedarts::learn
