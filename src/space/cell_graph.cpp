#include "space/cell_graph.hpp"

#include "core/errors.hpp"

namespace probedarts::space {
namespace {

int stride_of(CellKind kind, int from) { return kind == CellKind::kReduce && from < 2 ? 2 : 1; }

}  // namespace

CellGraph search_cell(CellKind kind, int nodes) {
  require(nodes >= 1 && nodes <= kMaxNodes, "a cell has 1 to 8 nodes");
  CellGraph graph;
  graph.kind = kind;
  graph.nodes = nodes;
  graph.relaxed = true;
  for (int to = 2; to < 2 + nodes; ++to) {
    for (int from = 0; from < to; ++from) {
      Edge edge{from, to, stride_of(kind, from), {}};
      for (std::size_t column = 0; column < kPrimitiveCount; ++column) {
        edge.candidates.push_back({kPrimitives[column].primitive, static_cast<int>(column)});
      }
      graph.edges.push_back(std::move(edge));
    }
    graph.concat.push_back(to);
  }
  return graph;
}

CellGraph derived_cell(CellKind kind, const CellGenotype& genotype) {
  require(genotype.genes.size() % 2 == 0 && genotype.nodes() >= 1 && genotype.nodes() <= kMaxNodes,
          "a derived cell has two genes for each of its 1 to 8 nodes");
  CellGraph graph;
  graph.kind = kind;
  graph.nodes = genotype.nodes();
  graph.concat = genotype.concat;
  for (std::size_t g = 0; g < genotype.genes.size(); ++g) {
    const Gene& gene = genotype.genes[g];
    const int to = 2 + static_cast<int>(g / 2);
    require(gene.from >= 0 && gene.from < to, "a gene comes from an earlier state");
    graph.edges.push_back(
        {gene.from, to, stride_of(kind, gene.from), {{gene.primitive, std::nullopt}}});
  }
  return graph;
}

}  // namespace probedarts::space
