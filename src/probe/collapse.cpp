#include "probe/collapse.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/errors.hpp"
#include "space/primitive.hpp"

namespace probedarts::probe {
namespace {

constexpr auto kNone = static_cast<std::size_t>(space::Primitive::kNone);

/// The two largest weights other than that of `none`.
struct Leaders {
  double first = -1.0;
  double second = -1.0;
};

Leaders leaders_of(const std::vector<double>& edge) {
  Leaders leaders;
  for (std::size_t primitive = 0; primitive < edge.size(); ++primitive) {
    if (primitive == kNone) {
      continue;
    }
    if (edge[primitive] > leaders.first) {
      leaders.second = leaders.first;
      leaders.first = edge[primitive];
    } else {
      leaders.second = std::max(leaders.second, edge[primitive]);
    }
  }
  return leaders;
}

double entropy_of(const std::vector<double>& edge) {
  double entropy = 0.0;
  for (const double weight : edge) {
    entropy -= weight > 0.0 ? weight * std::log(weight) : 0.0;
  }
  return entropy;
}

bool is_pool(space::PrimitiveKind kind) {
  return kind == space::PrimitiveKind::kMaxPool || kind == space::PrimitiveKind::kAvgPool;
}

}  // namespace

CollapseSignals collapse_signals(const space::EdgeWeights& weights, int nodes) {
  require(nodes > 0 && weights.size() == static_cast<std::size_t>(space::edge_count(nodes)),
          "collapse_signals: one row for each edge of the cell");
  CollapseSignals signals;
  for (const auto& edge : weights) {
    require(edge.size() == space::kPrimitiveCount, "collapse_signals: one column a primitive");
    const Leaders leaders = leaders_of(edge);
    signals.entropy += entropy_of(edge);
    signals.margin += leaders.first - leaders.second;
  }
  const std::vector<space::Gene> genes = space::derive_cell(weights, nodes).genes;
  for (const space::Gene& gene : genes) {
    const space::PrimitiveInfo& info = space::info_of(gene.primitive);
    signals.parameter_free_share += info.parameter_free ? 1.0 : 0.0;
    signals.skip_share += info.kind == space::PrimitiveKind::kIdentity ? 1.0 : 0.0;
    signals.pool_share += is_pool(info.kind) ? 1.0 : 0.0;
  }
  const auto edges = static_cast<double>(weights.size());
  const auto kept = static_cast<double>(genes.size());
  signals.entropy /= edges;
  signals.margin /= edges;
  signals.parameter_free_share /= kept;
  signals.skip_share /= kept;
  signals.pool_share /= kept;
  return signals;
}

}  // namespace probedarts::probe
