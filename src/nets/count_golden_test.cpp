// Parameters and operations against the counts of the reference networks: every row of
// `golden/11_counts`. Exact.

#include <regex>
#include <stdexcept>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "nets/count.hpp"
#include "nets/layout.hpp"
#include "nets/zoo.hpp"
#include "space/published.hpp"
#include "support/shared_files.hpp"

namespace probedarts::nets {
namespace {

using nlohmann::json;

LayerGraph derived(const std::string& genotype, space::NetworkSpec spec) {
  spec.genotype = space::published_genotype(genotype);
  spec.nodes = spec.genotype.value().nodes();
  return lower(lay_out(spec));
}

/// The network of a row: a published cell in the pathology structure ("darts_adp_n4"), in CIFAR's
/// ("NetworkCIFAR_DARTS_V2" with C and layers), or torchvision's.
LayerGraph network_of(const json& row) {
  const auto name = row.at("net").get<std::string>();
  const int classes = row.at("classes");
  std::smatch found;
  if (std::regex_match(name, found, std::regex("darts_adp_n([0-9])"))) {
    space::NetworkSpec spec = zoo_spec("darts_4cell", classes).value();
    spec.channels = row.value("C", spec.channels);
    spec.cells = row.value("layers", spec.cells);
    return derived("DARTS_ADP_N" + found[1].str(), spec);
  }
  if (std::regex_match(name, found, std::regex("NetworkCIFAR_(\\w+)"))) {
    space::NetworkSpec spec;
    spec.channels = row.at("C");
    spec.cells = row.at("layers");
    spec.classes = classes;
    spec.auxiliary = row.at("auxiliary");
    return derived(found[1], spec);
  }
  if (name == "mobilenet_v2_1.0") {
    return make_zoo_network("mobilenet_v2", classes);
  }
  if (name == "mobilenet_v2_0.35") {
    return make_zoo_network("mobilenet_v2_035", classes);
  }
  return make_zoo_network(name, classes);
}

/// What thop would count, of which we have no count of our own: BN 2 an element beside `macs`.
std::int64_t thop_like(const NetworkCount& count) {
  std::int64_t sum = count.macs;
  for (const LayerCount& layer : count.layers) {
    sum += layer.kind == "norm" ? 2 * layer.out.numel() : 0;
  }
  return sum;
}

TEST(CountGolden, AgreesWithEveryRow) {
  PROBEDARTS_NEEDS_GROUP("11_counts");
  int rows = 0;
  for (const auto& path : testing::golden_cases("11_counts")) {
    const json content = json::parse(read_file(path));
    for (const json& row : content.at("rows")) {
      SCOPED_TRACE(path.filename().string() + " " + row.at("net").get<std::string>() + " " +
                   row.at("classes").dump());
      const LayerGraph graph = network_of(row);
      const int px = row.at("input");
      const NetworkCount count = count_network(graph, px, px);
      EXPECT_EQ(graph.weight_count, row.at("params").get<std::int64_t>());
      EXPECT_EQ(count.parameters,
                row.value("params_without_auxiliary", row.at("params").get<std::int64_t>()));
      EXPECT_EQ(count.macs, row.at("macs_conv_linear").get<std::int64_t>());
      EXPECT_EQ(2 * count.macs, row.at("flops_2x").get<std::int64_t>());
      EXPECT_EQ(count.macs_paper, row.at("ptflops_like").get<std::int64_t>());
      EXPECT_EQ(thop_like(count), row.at("thop_like").get<std::int64_t>());
      ++rows;
    }
  }
  EXPECT_GT(rows, 0) << "no row in 11_counts";
}

/// The row of a file that counts the network whose layers it lists: the lists say neither classes
/// nor size, but their last layer and their first map do.
const json& row_of(const json& content, const std::string& name, const json& layers) {
  std::int64_t macs = 0;
  for (const json& layer : layers) {
    macs += layer.at("macs").get<std::int64_t>();
  }
  for (const json& row : content.at("rows")) {
    if (row.at("net") == name && row.at("macs_conv_linear").get<std::int64_t>() == macs) {
      return row;
    }
  }
  throw std::runtime_error("no row of '" + name + "' has the operations of its layers");
}

TEST(CountGolden, AgreesLayerByLayer) {
  PROBEDARTS_NEEDS_GROUP("11_counts");
  int lists = 0;
  for (const auto& path : testing::golden_cases("11_counts")) {
    const json content = json::parse(read_file(path));
    const json per_layer = content.value("per_layer", json::object());
    for (const auto& [name, layers] : per_layer.items()) {
      SCOPED_TRACE(path.filename().string() + " " + name);
      const json& row = row_of(content, name, layers);
      const LayerGraph graph = network_of(row);
      const int px = row.at("input");
      const NetworkCount count = count_network(graph, px, px);
      for (const json& wanted : layers) {
        const auto index = layer_named(graph, wanted.at("layer").get<std::string>());
        ASSERT_TRUE(index) << wanted;
        const LayerCount& found = count.layers[*index];
        EXPECT_EQ(found.kind, wanted.at("kind").get<std::string>()) << wanted;
        EXPECT_EQ(found.macs, wanted.at("macs").get<std::int64_t>()) << wanted;
        std::vector<int> out = {found.out.channels, found.out.height, found.out.width};
        out.resize(wanted.at("out").size());  // [classes] of a linear layer
        EXPECT_EQ(json(out), wanted.at("out")) << wanted;
      }
      ++lists;
    }
  }
  PROBEDARTS_FOUND(lists, "counts of single layers");
}

}  // namespace
}  // namespace probedarts::nets
