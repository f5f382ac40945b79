// Numbers of parameters, and names and sizes of all layers, against golden/11_counts; exact.

#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "nets/layout.hpp"
#include "space/published.hpp"
#include "support/shared_files.hpp"

namespace probedarts::nets {
namespace {

using nlohmann::json;

std::string upper(std::string text) {
  for (char& letter : text) {
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return text;
}

/// The network of a row made of cells: `darts_adp_n4` (C 36, 4 cells, pathology stem), or
/// `NetworkCIFAR_<genotype>` with C and layers given. Nothing for the other architectures.
std::optional<space::NetworkSpec> spec_of(const std::string& net, const json& row) {
  static const std::string kCifar = "NetworkCIFAR_";
  const bool cifar = net.starts_with(kCifar);
  const auto genotype = space::published_genotype(cifar ? net.substr(kCifar.size()) : upper(net));
  if (!genotype) {
    return std::nullopt;
  }
  space::NetworkSpec spec;
  spec.stem = cifar ? space::Stem::kCifar : space::Stem::kPathology;
  spec.channels = row.value("C", 36);
  spec.cells = row.value("layers", 4);
  spec.classes = row.value("classes", 33);
  spec.genotype = genotype;
  spec.nodes = genotype->nodes();
  spec.auxiliary = row.value("auxiliary", false);
  return spec;
}

template <class Check>
int for_each_document(const Check& check) {
  int checked = 0;
  for (const auto& path : testing::golden_cases("11_counts")) {
    SCOPED_TRACE(path.filename().string());
    checked += check(json::parse(read_file(path)));
  }
  return checked;
}

int check_rows(const json& document) {
  int checked = 0;
  for (const json& row : document.at("rows")) {
    const std::string net = row.at("net");
    auto spec = spec_of(net, row);
    if (spec) {
      SCOPED_TRACE(net + ", " + std::to_string(spec->classes) + " classes");
      EXPECT_EQ(lay_out(*spec).weight_count, row.at("params").get<std::int64_t>());
      if (row.contains("params_without_auxiliary")) {
        spec->auxiliary = false;
        EXPECT_EQ(lay_out(*spec).weight_count,
                  row.at("params_without_auxiliary").get<std::int64_t>());
      }
      ++checked;
    }
  }
  return checked;
}

/// A layer's multiplications are its weight's elements times the pixels of its output.
int check_layers(const json& document) {
  int checked = 0;
  for (const auto& [net, layers] : document.at("per_layer").items()) {
    const auto spec = spec_of(net, json::object());
    if (!spec) {
      continue;
    }
    SCOPED_TRACE(net);
    const NetworkLayout layout = lay_out(*spec);
    std::vector<std::string> wanted;
    for (const json& layer : layers) {
      const std::string name = layer.at("layer").get<std::string>() + ".weight";
      wanted.push_back(name);
      const auto index = parameter_named(layout, name);
      if (!index) {
        ADD_FAILURE() << "no layer " << name;
        continue;
      }
      const json& out = layer.at("out");
      const std::int64_t pixels =
          out.size() == 3 ? out[1].get<std::int64_t>() * out[2].get<std::int64_t>() : 1;
      EXPECT_EQ(layout.parameters[*index].numel * pixels, layer.at("macs").get<std::int64_t>())
          << name;
    }
    std::vector<std::string> ours;
    for (const ParameterInfo& parameter : layout.parameters) {
      if (is_convolution(parameter.role) || parameter.role == Role::kClassifierWeight) {
        ours.push_back(parameter.name);
      }
    }
    EXPECT_EQ(ours, wanted);
    ++checked;
  }
  return checked;
}

TEST(LayoutGolden, CountsTheParametersOfEveryNetworkOfCells) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "11_counts");
  EXPECT_GT(for_each_document(check_rows), 0);
}

TEST(LayoutGolden, HasTheSameLayersInTheSameOrder) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "11_counts");
  EXPECT_GT(for_each_document(check_layers), 0);
}

}  // namespace
}  // namespace probedarts::nets
