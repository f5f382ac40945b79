// Derivation of a cell from softmax(alpha): DARTS (Liu et al., ICLR 2019) sec. 2.4.
//
//     strength(e) = max_{o != none} softmax(alpha_e)[o]
//     node i keeps its two strongest in-edges; edge e keeps argmax_{o != none} softmax(alpha_e)[o]
//
// `none` is part of the softmax and so takes strength from an edge, but it is never chosen.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "space/genotype.hpp"

namespace probedarts::space {
namespace {

/// Column of the strongest primitive other than none; ties to the lower column.
std::size_t strongest(const std::vector<double>& row) {
  const auto first = row.begin() + 1;
  return static_cast<std::size_t>(std::max_element(first, row.end()) - row.begin());
}

/// The row sum is taken in halves (0+4, 1+5, ...; then 0+2, 1+3; then 0+1), as the eight lanes of a
/// vector are.
std::vector<double> softmax_row(const std::vector<double>& row) {
  const double largest = *std::max_element(row.begin(), row.end());
  std::array<float, kPrimitiveCount> shares{};
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const auto distance = static_cast<float>(row[i] - largest);
    shares[i] = static_cast<float>(std::exp(static_cast<double>(distance)));
  }
  std::array<float, kPrimitiveCount> sums = shares;
  for (std::size_t half = sums.size() / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) {
      sums[i] += sums[i + half];
    }
  }
  std::vector<double> weights;
  for (const float share : shares) {
    weights.push_back(static_cast<double>(share / sums[0]));
  }
  return weights;
}

void require_shape(const EdgeWeights& weights, int nodes) {
  require(nodes >= 1 && nodes <= kMaxNodes, "a cell has 1 to 8 nodes");
  require(weights.size() == static_cast<std::size_t>(edge_count(nodes)),
          "weights need one row for each edge");
  for (const std::vector<double>& row : weights) {
    require(row.size() == kPrimitiveCount, "a row of weights needs one column for each primitive");
  }
}

}  // namespace

EdgeWeights softmax_rows(const EdgeWeights& alpha) {
  EdgeWeights weights;
  for (std::size_t e = 0; e < alpha.size(); ++e) {
    require(alpha[e].size() == kPrimitiveCount,
            "a row of alpha needs one column for each primitive");
    for (const double value : alpha[e]) {
      if (!std::isfinite(value)) {
        throw Diverged(fmt::format("alpha of edge {} holds the value {}", e, value));
      }
    }
    weights.push_back(softmax_row(alpha[e]));
  }
  return weights;
}

std::vector<int> kept_edges(const EdgeWeights& weights, int nodes) {
  require_shape(weights, nodes);
  std::vector<int> kept;
  int first = 0;
  for (int node = 0; node < nodes; ++node) {
    std::vector<int> edges(static_cast<std::size_t>(2 + node));
    std::iota(edges.begin(), edges.end(), first);
    std::stable_sort(edges.begin(), edges.end(), [&](int a, int b) {
      const std::vector<double>& row_a = weights[static_cast<std::size_t>(a)];
      const std::vector<double>& row_b = weights[static_cast<std::size_t>(b)];
      return row_a[strongest(row_a)] > row_b[strongest(row_b)];
    });
    kept.insert(kept.end(), {edges[0], edges[1]});
    first += 2 + node;
  }
  return kept;
}

CellGenotype derive_cell(const EdgeWeights& weights, int nodes) {
  const std::vector<int> kept = kept_edges(weights, nodes);
  CellGenotype cell;
  for (int node = 0; node < nodes; ++node) {
    const int first = node == 0 ? 0 : edge_count(node);
    for (const std::size_t g :
         {2 * static_cast<std::size_t>(node), 2 * static_cast<std::size_t>(node) + 1}) {
      const std::vector<double>& row = weights[static_cast<std::size_t>(kept[g])];
      cell.genes.push_back({kPrimitives[strongest(row)].primitive, kept[g] - first});
    }
    cell.concat.push_back(2 + node);
  }
  return cell;
}

Genotype derive_genotype(const EdgeWeights& normal, const EdgeWeights& reduce, int nodes) {
  return {derive_cell(normal, nodes), derive_cell(reduce, nodes)};
}

}  // namespace probedarts::space
