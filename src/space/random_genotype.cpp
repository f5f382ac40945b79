#include <utility>

#include "core/errors.hpp"
#include "space/genotype.hpp"

namespace probedarts::space {
namespace {

Primitive random_primitive(Stream& stream) {
  return kPrimitives[1 + stream.below(kPrimitiveCount - 1)].primitive;  // never none, column 0
}

CellGenotype random_cell(int nodes, Stream& stream) {
  CellGenotype cell;
  for (int node = 0; node < nodes; ++node) {
    const auto states = static_cast<std::uint64_t>(2 + node);
    auto low = static_cast<int>(stream.below(states));
    auto high = static_cast<int>(stream.below(states - 1));
    if (high >= low) {
      ++high;  // the second draw skips the first state
    }
    if (high < low) {
      std::swap(low, high);
    }
    const Primitive first = random_primitive(stream);
    cell.genes.push_back({first, low});
    cell.genes.push_back({random_primitive(stream), high});
    cell.concat.push_back(2 + node);
  }
  return cell;
}

}  // namespace

Genotype random_genotype(int nodes, Stream& stream) {
  require(nodes >= 1 && nodes <= kMaxNodes, "a cell has 1 to 8 nodes");
  Genotype genotype;
  genotype.normal = random_cell(nodes, stream);
  genotype.reduce = random_cell(nodes, stream);
  return genotype;
}

}  // namespace probedarts::space
