#pragma once

#include <algorithm>
#include <functional>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "space/network_spec.hpp"
#include "space/published.hpp"
#include "support/golden_case.hpp"

namespace probedarts::testing {

/// A network that a golden case was computed with.
struct GoldenNetwork {
  std::string genotype;  ///< name of the published cell
  space::NetworkSpec spec;
};

/// The derived network of a case of `golden/01_pretrained` or `golden/10_derived`, from the call
/// that made it: `model.DARTS_ADP_N4(33, auxiliary=True)`, of 4 cells and 36 channels unless the
/// case says otherwise, or `NetworkCIFAR(C, classes, layers, auxiliary, genotypes.NAME)`.
/// \throws std::runtime_error for another call, an unknown cell, or other nodes than the case's.
inline GoldenNetwork golden_network(const nlohmann::json& facts) {
  const auto call = facts.at("provenance").at("function").get<std::string>();
  GoldenNetwork network;
  space::NetworkSpec& spec = network.spec;
  spec.classes = facts.at("classes");
  std::smatch found;
  static const std::regex adp(R"((DARTS_ADP_N\d+)\(([^)]*)\))");
  static const std::regex cifar(
      R"(NetworkCIFAR\((\d+), *\d+, *(\d+), *(True|False), *genotypes\.(\w+)\))");
  if (std::regex_search(call, found, adp)) {
    network.genotype = found[1];
    spec.stem = space::Stem::kPathology;
    spec.channels = 36;
    spec.cells = 4;
    spec.auxiliary = found[2].str().find("auxiliary=True") != std::string::npos;
  } else if (std::regex_search(call, found, cifar)) {
    network.genotype = found[4];
    spec.stem = space::Stem::kCifar;
    spec.channels = std::stoi(found[1]);
    spec.cells = std::stoi(found[2]);
    spec.auxiliary = found[3] == "True";
  } else {
    throw std::runtime_error("no derived network is known by the call '" + call + "'");
  }
  spec.channels = facts.value("C", spec.channels);
  spec.cells = facts.value("layers", spec.cells);
  spec.genotype = space::published_genotype(network.genotype);
  if (!spec.genotype) {
    throw std::runtime_error("no published cell is called '" + network.genotype + "'");
  }
  spec.nodes = spec.genotype->nodes();
  if (facts.value("nodes", spec.nodes) != spec.nodes) {
    throw std::runtime_error("'" + network.genotype + "' has other nodes than the case says");
  }
  return network;
}

/// The sizes in px for which a case holds `logits_<size>`, largest first.
inline std::vector<int> golden_logit_sizes(const GoldenCase& golden) {
  std::vector<int> sizes;
  static const std::regex name_of_logits("logits_([0-9]+)");
  for (const auto& [name, tensor] : golden.file.tensors) {
    std::smatch found;
    if (std::regex_match(name, found, name_of_logits)) {
      sizes.push_back(std::stoi(found[1]));
    }
  }
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  return sizes;
}

}  // namespace probedarts::testing
