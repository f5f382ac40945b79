#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "cli/genotype_source.hpp"
#include "core/errors.hpp"
#include "learn/network.hpp"
#include "nets/count.hpp"
#include "nets/zoo.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;

constexpr int kMaxSizePx = 65536;

struct CountRequest : learn::NetworkOptions {
  int classes = 33;
  int size_px = 272;
  bool as_json = false;
};

std::unique_ptr<CLI::App> make_count_parser(CountRequest& request) {
  auto app = make_parser(
      "Counts parameters, multiply-accumulates and memory of a network for one image "
      "(docs/networks.md).",
      "probedarts count");
  app->add_option(
      "--network", request.network,
      fmt::format("{}, or the name of a published genotype", fmt::join(nets::zoo_names(), ", ")));
  app->add_option("--genotype", request.genotype,
                  "published name, file, run folder, or Python text of a cell");
  app->add_option("--classes", request.classes, "outputs of the classifier");
  app->add_option("--size", request.size_px, "side of the image, px");
  app->add_option("--channels", request.channels, "of the first cells of a genotype's network");
  app->add_option("--cells", request.cells, "of a genotype's network");
  app->add_option("--stem", request.stem, "of a genotype's network: cifar or pathology");
  app->add_flag("--json", request.as_json, "print JSON");
  return app;
}

nets::LayerGraph network_of(const CountRequest& request, const std::vector<std::string>& given) {
  if (request.size_px < 1 || request.size_px > kMaxSizePx) {
    throw UserError(
        fmt::format("--size: {} px is out of range; use 1 to {}", request.size_px, kMaxSizePx));
  }
  if (!request.network.empty()) {
    refuse_idle_cell_flags(request, given);
  }
  learn::NetworkOptions options = request;
  resolve_genotype(options);
  const learn::Network network(learn::describe_network(options, request.classes, false));
  network.require_image_size(request.size_px);
  return network.layers();
}

json to_json(const nets::NetworkCount& count, const std::string& network,
             const CountRequest& request) {
  json layers = json::array();
  for (const nets::LayerCount& layer : count.layers) {
    layers.push_back({{"name", layer.name},
                      {"kind", layer.kind},
                      {"out", {layer.out.channels, layer.out.height, layer.out.width}},
                      {"parameters", layer.parameters},
                      {"macs", layer.macs},
                      {"macs_paper", layer.macs_paper},
                      {"activations", layer.activations},
                      {"weight_bytes", layer.weight_bytes},
                      {"live_map_bytes", layer.live_map_bytes}});
  }
  return {{"network", network},
          {"classes", request.classes},
          {"size", request.size_px},
          {"parameters", count.parameters},
          {"macs", count.macs},
          {"macs_paper", count.macs_paper},
          {"activations", count.activations},
          {"weight_bytes", count.weight_bytes},
          {"peak_map_bytes", count.peak_map_bytes},
          {"peak_memory_bytes", count.weight_bytes + count.peak_map_bytes},
          {"layers", std::move(layers)}};
}

void print_table(const nets::NetworkCount& count, const std::string& network,
                 const CountRequest& request) {
  std::size_t width = 5;
  for (const nets::LayerCount& layer : count.layers) {
    width = std::max(width, layer.name.size());
  }
  const auto row = [width](const auto& name, const auto& kind, const auto& out, const auto&... n) {
    std::string line = fmt::format("{:<{}}  {:<11}  {:>13}", name, width, kind, out);
    ((line += fmt::format("  {:>13}", n)), ...);
    std::printf("%s\n", line.c_str());
  };
  row("layer", "kind", "output", "parameters", "MACs", "MACs (paper)", "activations",
      "weight bytes", "live bytes");
  for (const nets::LayerCount& layer : count.layers) {
    row(layer.name, layer.kind,
        fmt::format("{}x{}x{}", layer.out.channels, layer.out.height, layer.out.width),
        layer.parameters, layer.macs, layer.macs_paper, layer.activations, layer.weight_bytes,
        layer.live_map_bytes);
  }
  row("total", "", "", count.parameters, count.macs, count.macs_paper, count.activations,
      count.weight_bytes, count.peak_map_bytes);
  constexpr double kMebibyte = 1024.0 * 1024.0;
  std::printf(
      "%s\n",
      fmt::format(
          "\n{}, {} classes, one image of {} px: {:.3f} M parameters, {:.4f} G MACs "
          "({:.4f} G as the paper counts), at most {:.1f} MiB of maps and {:.1f} "
          "MiB of weights in memory",
          network, request.classes, request.size_px, static_cast<double>(count.parameters) / 1e6,
          static_cast<double>(count.macs) / 1e9, static_cast<double>(count.macs_paper) / 1e9,
          static_cast<double>(count.peak_map_bytes) / kMebibyte,
          static_cast<double>(count.weight_bytes) / kMebibyte)
          .c_str());
}

}  // namespace

int run_count_command(std::vector<std::string> arguments) {
  CountRequest request;
  const auto app = make_count_parser(request);
  if (const auto code = parse(*app, arguments)) {
    return *code;
  }
  const nets::LayerGraph graph = network_of(request, arguments);
  const nets::NetworkCount count = nets::count_network(graph, request.size_px, request.size_px);
  const std::string network = request.network.empty() ? request.genotype : request.network;
  if (request.as_json) {
    std::printf("%s\n", to_json(count, network, request).dump(1).c_str());
  } else {
    print_table(count, network, request);
  }
  return 0;
}

}  // namespace probedarts::cli
