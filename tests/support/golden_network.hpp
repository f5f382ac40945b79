#pragma once

#include <regex>
#include <string>

#include <nlohmann/json.hpp>

#include "space/network_spec.hpp"
#include "space/published.hpp"

namespace probedarts::testing {

/// The network of a case of `golden/10_derived`, from the call that made it:
/// `model.DARTS_ADP_N4(33, ...)` or `NetworkCIFAR(C, classes, layers, True, genotypes.NAME)`.
inline space::NetworkSpec golden_network_spec(const nlohmann::json& description) {
  const auto call = description.at("provenance").at("function").get<std::string>();
  space::NetworkSpec spec;
  spec.auxiliary = true;
  spec.classes = description.at("classes");
  std::smatch found;
  if (std::regex_search(call, found, std::regex("(DARTS_ADP_N[0-9])\\("))) {
    spec.stem = space::Stem::kPathology;
    spec.channels = 36;
    spec.cells = 4;
  } else if (std::regex_search(
                 call, found,
                 std::regex(
                     "NetworkCIFAR\\(([0-9]+), [0-9]+, ([0-9]+), True, genotypes.(\\w+)\\)"))) {
    spec.stem = space::Stem::kCifar;
    spec.channels = std::stoi(found[1]);
    spec.cells = std::stoi(found[2]);
  }
  spec.genotype = space::published_genotype(found[found.size() - 1].str());
  spec.nodes = spec.genotype.value().nodes();
  return spec;
}

}  // namespace probedarts::testing
