#pragma once

#include <string>

#include "study/figures.hpp"
#include "study/plan.hpp"

namespace probedarts::study {

/// The numbers behind a study's charts as one JSON object, safe inside <script
/// type="application/json">.
///
///     {"styles": report::styles_json(), "primitives": report::primitives_json(),
///      "plots": {"figure-4": {"x", "y", "zero": bool, "log": bool,
///                "panels": [{"title", "bars": bool, "lines": [{"label", "x", "y", "spread",
///                "style", "dashed", "all": bool, "tag", "tags": [of each point]}]}]}, ...},
///      "search": {"settings": [name of each row], "layers": [of each row: report::layer_json],
///                 "runs": [{"setting", "seed", "nodes", "epochs", "rank", "alpha"}],
///                 "left_out": how many searches there was no room for}}
///
/// `rank` is [layer][epoch] and `alpha` [normal, reduce][edge][primitive][epoch], each number as 16
/// bits, least first, of 65534 times a value in 0..1, 65535 where there is none; the bytes in base
/// 64. So 100 searches of 4 cells with 4 nodes take 8 MB, a fifth of what text would. Depthwise
/// convolutions are left out, as on the page of a run. First seeds of all rows come before second
/// ones, so that every row has a search when there is no room for all.
std::string chart_data(const Figures& figures, const Plan& plan);

}  // namespace probedarts::study
