#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "space/genotype.hpp"

namespace probedarts::space {

/// Names of the published genotypes, in the order of the table: DARTS_ADP_N2, DARTS_ADP_N3,
/// DARTS_ADP_N4 (the paper's figure 6: searched on ADP with Adas, 4 cells), DARTS_V1 and DARTS_V2
/// (Liu et al., ICLR 2019: CIFAR-10, first and second order).
std::vector<std::string_view> published_names();

/// The published genotype of this name, or nothing. Upper and lower case count.
std::optional<Genotype> published_genotype(std::string_view name);

}  // namespace probedarts::space
