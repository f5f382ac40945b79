#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "space/primitive.hpp"

namespace probedarts::space {

/// Most nodes a cell may have.
inline constexpr int kMaxNodes = 8;

/// The two kinds of cell: normal ones keep the resolution, reduction cells halve it.
enum class CellKind { kNormal, kReduce };

/// "normal" or "reduce", as in genotypes and run folders.
std::string_view name_of(CellKind kind);

/// One kept edge: `primitive` applied to state `from` (0, 1: the cell's inputs; 2 + i: its node i).
struct Gene {
  Primitive primitive;
  int from;
  bool operator==(const Gene&) const = default;
};

/// A derived cell: two genes a node (genes 2i and 2i+1 feed node i), and the states that are
/// concatenated.
struct CellGenotype {
  std::vector<Gene> genes;
  std::vector<int> concat;
  int nodes() const { return static_cast<int>(genes.size()) / 2; }
  bool operator==(const CellGenotype&) const = default;
};

/// The result of a search: one cell of each kind.
struct Genotype {
  CellGenotype normal;
  CellGenotype reduce;
  const CellGenotype& of(CellKind kind) const {
    return kind == CellKind::kNormal ? normal : reduce;
  }
  int nodes() const { return normal.nodes(); }
  bool operator==(const Genotype&) const = default;
};

/// Checks that both cells have the same number of nodes (1..8), that every gene comes from an
/// earlier state, that no gene is `none`, and that concat names existing nodes in ascending order
/// without repetition. \throws UserError one sentence, for example
///         "genotype: normal gene 1 ('skip_connect<-2') must come from a state in 0..1".
void validate(const Genotype& genotype);

/// Python text as the original DARTS prints it:
/// Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range(2, 6), reduce=[...],
/// reduce_concat=range(2, 6)).
std::string to_python(const Genotype& genotype);

/// Our JSON: {"normal": {"genes": [["sep_conv_3x3", 1], ...], "concat": [2, 3, 4, 5]}, "reduce":
/// {...}}.
std::string to_json(const Genotype& genotype);

/// Reads either form (white space free, single or double quotes, `range(a, b)` or a list for
/// concat), then validates. \throws UserError "genotype: <what>, <where>, <what to do>" for
/// malformed text; never crashes on any bytes.
Genotype parse_genotype(std::string_view text);

/// Number of edges of a search cell: sum over i < nodes of (2 + i).
constexpr int edge_count(int nodes) { return nodes * (nodes + 3) / 2; }

/// Architecture weights of one cell kind, softmax already applied: [edge][primitive].
using EdgeWeights = std::vector<std::vector<double>>;

/// Row-wise softmax of alpha: [edge][primitive].
///
/// Rounded to float32 at each step, in the order in which the original's eight-lane vectors add.
/// Two edges whose rows hold the same numbers in another order are equal or not by that rounding
/// alone, and it decides which one derivation keeps (`golden/05_genotype`, "many ties"); double
/// precision decides some of them otherwise.
/// \throws Diverged  an entry is NaN or infinite; names its row.
/// \throws Bug       a row has not one column for each primitive.
EdgeWeights softmax_rows(const EdgeWeights& alpha);

/// Derivation (DARTS §2.4; docs/method.md, "Derivation"): for each node rank its in-edges by their
/// strongest primitive other than `none`, keep two, and on each keep that primitive; strongest edge
/// first, ties to the lower index. concat = all nodes.
/// \param weights  softmax(alpha), [edge_count(nodes)][8].
/// \throws Bug  weights of another shape, or nodes not 1..8.
CellGenotype derive_cell(const EdgeWeights& weights, int nodes);

/// For each node its two kept in-edges in rank order, as edge indices into the search cell.
/// \param weights  as derive_cell   \throws Bug  as derive_cell
std::vector<int> kept_edges(const EdgeWeights& weights, int nodes);

/// Both cells, each as derive_cell.
Genotype derive_genotype(const EdgeWeights& normal, const EdgeWeights& reduce, int nodes);

/// A uniformly random genotype: per node two distinct earlier states, the lower first, each with a
/// primitive other than `none`, every such genotype with the same probability; concat = all nodes.
/// The baseline every search has to beat (Yang et al., ICLR 2020).
/// \throws Bug  nodes are not 1..8.
Genotype random_genotype(int nodes, Stream& stream);

}  // namespace probedarts::space
