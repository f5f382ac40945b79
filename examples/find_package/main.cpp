// Draws random architecture weights for cells of four nodes and prints the cell that derivation
// keeps.
//   random_cell [SEED]
#include <cstdint>
#include <iostream>
#include <string>

#include <space/genotype.hpp>

namespace space = probedarts::space;

namespace {

/// softmax(alpha) of one cell, [edges][primitives], with alpha drawn from N(0, 1).
space::EdgeWeights random_weights(int nodes, probedarts::Stream& stream) {
  space::EdgeWeights alpha(static_cast<std::size_t>(space::edge_count(nodes)));
  for (auto& row : alpha) {
    row.resize(space::kPrimitiveCount);
    for (double& logit : row) {
      logit = stream.normal();
    }
  }
  return space::softmax_rows(alpha);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kNodes = 4;
  const std::uint64_t seed = argc > 1 ? std::stoull(argv[1]) : 1;
  probedarts::Stream stream(seed, "example");
  const space::EdgeWeights normal = random_weights(kNodes, stream);
  const space::EdgeWeights reduce = random_weights(kNodes, stream);
  std::cout << space::to_python(space::derive_genotype(normal, reduce, kNodes)) << '\n';
}
