#pragma once

#include <string>
#include <vector>

#include "report/read_run.hpp"

namespace probedarts::report {

/// The numbers behind the charts as one JSON object, safe inside <script type="application/json">.
///
///     {"styles": styles_json(), "primitives": primitives_json(),
///      "runs": [{"name", "nodes", "epochs", "optimizer", "train": {"error": [], "loss": []},
///      "valid": {...},
///                "lr": [per epoch], "layers": [{"cell", "kind", "edge", "from", "to", "primitive",
///                "position", "role", "name"}], "lr_layers": null | [layer][epoch], "probe":
///                {"stable_rank_in": [layer][epoch], ...}, "alpha": {"normal":
///                [edge][primitive][epoch], "reduce": ...}, "collapse": {"normal": [signal][epoch],
///                "reduce": ...}, "genes": {"normal": [epoch][[primitive, from], ...], "reduce":
///                ...}}]}
///
/// Depthwise convolutions are left out: the probe gives them the values of the pointwise one that
/// follows, and Adas therefore its rate. `alpha`, `collapse` and `genes` are null for a training,
/// `extra` holds [probe][[epoch, value], ...] in the order of kExtraProbes, for epochs that
/// measured; `nodes` 0 for a network that is not made of cells; `name` of a layer is null within
/// cells.
///  `lr_layers` is null when all layers share the schedule.
/// Five significant digits. \param names  what to call the runs; as many as runs, distinct.
std::string page_data(const std::vector<Run>& runs, const std::vector<std::string>& names);

/// [{"name", "short", "free"}, ...] in the order of alpha's columns.
std::string primitives_json();

/// One member of "layers" above.
std::string layer_json(const Layer& layer);

}  // namespace probedarts::report
