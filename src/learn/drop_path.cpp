#include "learn/drop_path.hpp"

#include "core/errors.hpp"
#include "core/random.hpp"

namespace probedarts::learn {

double drop_path_probability(double p, int epoch, int epochs) {
  require(epochs > 0 && epoch >= 0, "an epoch of a run");
  return p * epoch / epochs;
}

nets::DropPath draw_drop_path(double probability, int edges, std::int64_t images,
                              std::uint64_t seed, const Iteration& iteration) {
  nets::DropPath drop{1.0 - probability, {}};
  Stream stream(seed, "drop path", static_cast<std::uint64_t>(iteration.epoch), iteration.step);
  drop.kept.resize(static_cast<std::size_t>(edges * images));
  for (std::uint8_t& kept : drop.kept) {
    kept = stream.uniform() < drop.keep_probability ? 1 : 0;
  }
  return drop;
}

}  // namespace probedarts::learn
