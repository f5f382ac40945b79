#pragma once

#include <optional>
#include <vector>

#include "space/genotype.hpp"
#include "space/primitive.hpp"

namespace probedarts::space {

/// One candidate on an edge. `slot` is its column in the edge's row of softmax(alpha); a derived
/// cell has no slots and the candidate counts fully.
struct Candidate {
  Primitive primitive;
  std::optional<int> slot;
};

/// An edge carries state `from` to state `to`; its output is the (weighted) sum of its candidates.
struct Edge {
  int from;
  int to;
  int stride;  ///< 2 in reduction cells on edges from the two input states, else 1
  std::vector<Candidate> candidates;
};

/// A cell as a weighted graph of primitives: the one description that supernet, derived network,
/// probing, counting, drawing and export walk. States 0 and 1 are the inputs, states 2..nodes+1 are
/// sums over their in-edges; the cell's output is the concatenation of the states in `concat`.
///
/// A search cell has every edge with all eight primitives and slots into softmax(alpha); a derived
/// cell has two edges a node with one primitive each and no slots.
struct CellGraph {
  CellKind kind = CellKind::kNormal;
  int nodes = 0;
  std::vector<Edge> edges;  ///< grouped by `to`, ascending
  std::vector<int> concat;
  bool relaxed = false;  ///< true for a search cell: candidates have slots
};

/// The search cell with `nodes` nodes. Edge e of node i from state j: sum_{k<i}(2+k) + j, as in
/// alpha's rows. \throws Bug  nodes are not 1..8.
CellGraph search_cell(CellKind kind, int nodes);

/// The derived cell of a genotype; edges in the order of its genes.
/// \throws Bug  the genotype is none (space::validate says so in words for people).
CellGraph derived_cell(CellKind kind, const CellGenotype& genotype);

}  // namespace probedarts::space
