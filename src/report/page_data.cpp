#include "report/page_data.hpp"

#include <cstddef>

#include <fmt/format.h>

#include "core/escape.hpp"
#include "report/findings.hpp"
#include "report/palette.hpp"

namespace probedarts::report {
namespace {

/// A series over epochs.
template <class Function>
std::string over_epochs(const Run& run, Function function) {
  return json_list(run.epochs.size(), [&](std::size_t i) { return function(run.epochs[i]); });
}

/// {"normal": f(0), "reduce": f(1)}
template <class Function>
std::string per_kind(Function function) {
  return fmt::format("{{\"{}\":{},\"{}\":{}}}", kCellKinds[0], function(std::size_t{0}),
                     kCellKinds[1], function(std::size_t{1}));
}

std::string number_or_null(const std::optional<int>& number) {
  return number ? std::to_string(*number) : "null";
}

std::string genes_json(const space::CellGenotype& cell) {
  return json_list(cell.genes.size(), [&](std::size_t i) {
    return fmt::format("[{},{}]", static_cast<int>(cell.genes[i].primitive), cell.genes[i].from);
  });
}

std::string split_json(const Run& run, SplitResult Epoch::*split) {
  return fmt::format(
      R"({{"error":{},"loss":{}}})",
      over_epochs(run, [&](const Epoch& epoch) { return json_number((epoch.*split).error); }),
      over_epochs(run, [&](const Epoch& epoch) { return json_number((epoch.*split).loss); }));
}

std::vector<std::size_t> drawn_layers(const Run& run) {
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < run.layers.size(); ++i) {
    if (run.layers[i].role != "depthwise") {
      drawn.push_back(i);
    }
  }
  return drawn;
}

std::string probe_json(const Run& run, const std::vector<std::size_t>& drawn) {
  std::string text = "{";
  for (std::size_t s = 0; s < kProbeSeries.size(); ++s) {
    text += fmt::format("{}\"{}\":{}", s > 0 ? "," : "", kProbeSeries[s],
                        json_list(drawn.size(), [&](std::size_t i) {
                          return over_epochs(run, [&](const Epoch& epoch) {
                            return json_number(epoch.probe[s][drawn[i]]);
                          });
                        }));
  }
  return text + "}";
}

std::string alpha_json(const Run& run) {
  return per_kind([&](std::size_t kind) {
    return json_list(run.epochs.front().architecture->softmax[kind].size(), [&](std::size_t edge) {
      return json_list(space::kPrimitiveCount, [&](std::size_t primitive) {
        return over_epochs(run, [&](const Epoch& epoch) {
          return json_number(epoch.architecture->softmax[kind][edge][primitive]);
        });
      });
    });
  });
}

std::string collapse_json(const Run& run) {
  return per_kind([&](std::size_t kind) {
    return json_list(kCollapseSignals.size(), [&](std::size_t signal) {
      return over_epochs(run, [&](const Epoch& epoch) {
        return json_number(epoch.architecture->collapse[kind][signal]);
      });
    });
  });
}

/// One [[epoch, value], ...] for each of kExtraProbes: not every epoch measures them.
std::string extra_json(const Run& run) {
  return json_list(kExtraProbes.size(), [&](std::size_t probe) {
    std::string points;
    for (const Epoch& epoch : run.epochs) {
      if (epoch.extra[probe]) {
        points += fmt::format("{}[{},{}]", points.empty() ? "" : ",", epoch.epoch,
                              json_number(*epoch.extra[probe]));
      }
    }
    return "[" + points + "]";
  });
}

/// The members that only a search has.
std::string architecture_json(const Run& run) {
  if (!run.is_search()) {
    return R"("alpha":null,"collapse":null,"genes":null)";
  }
  return fmt::format(R"("alpha":{},"collapse":{},"genes":{})", alpha_json(run), collapse_json(run),
                     per_kind([&](std::size_t kind) {
                       return over_epochs(run, [&](const Epoch& epoch) {
                         const space::Genotype& genotype = epoch.architecture->genotype;
                         return genes_json(kind == 0 ? genotype.normal : genotype.reduce);
                       });
                     }));
}

std::string run_json(const Run& run, const std::string& name) {
  const std::vector<std::size_t> drawn = drawn_layers(run);
  const std::string layer_rates =
      !run.has_layer_rates() ? std::string("null") : json_list(drawn.size(), [&](std::size_t i) {
        return over_epochs(
            run, [&](const Epoch& epoch) { return json_number(epoch.lr_layers[drawn[i]]); });
      });
  std::string text = fmt::format(
      R"({{"name":{},"nodes":{},"epochs":{},"optimizer":{},"train":{},"valid":{},"lr":{},"layers":{},)",
      json_text(name), run.cell() == nullptr ? 0 : run.cell()->nodes(), run.epochs.size(),
      json_text(optimizer_name(run)), split_json(run, &Epoch::train),
      split_json(run, &Epoch::valid),
      over_epochs(run, [](const Epoch& epoch) { return json_number(epoch.lr_schedule); }),
      json_list(drawn.size(), [&](std::size_t i) { return layer_json(run.layers[drawn[i]]); }));
  text += fmt::format(R"("lr_layers":{},"probe":{},"extra":{},{}}})", layer_rates,
                      probe_json(run, drawn), extra_json(run), architecture_json(run));
  return text;
}

}  // namespace

std::string layer_json(const Layer& layer) {
  return fmt::format(
      R"({{"cell":{},"kind":{},"edge":{},"from":{},"to":{},"primitive":{},"position":{},"role":{},"name":{}}})",
      number_or_null(layer.cell), json_text(layer.cell_kind), number_or_null(layer.edge),
      number_or_null(layer.from), number_or_null(layer.to),
      layer.primitive ? std::to_string(static_cast<int>(*layer.primitive)) : "null", layer.position,
      json_text(layer.role), layer.cell ? "null" : json_text(layer.name));
}

std::string primitives_json() {
  return json_list(space::kPrimitiveCount, [](std::size_t i) {
    const space::PrimitiveInfo& info = space::kPrimitives[i];
    return fmt::format(R"({{"name":"{}","short":"{}","free":{}}})", info.name, info.short_name,
                       info.parameter_free);
  });
}

std::string page_data(const std::vector<Run>& runs, const std::vector<std::string>& names) {
  return fmt::format(
      R"({{"styles":{},"primitives":{},"runs":{}}})", styles_json(), primitives_json(),
      json_list(runs.size(), [&](std::size_t i) { return run_json(runs[i], names[i]); }));
}

}  // namespace probedarts::report
