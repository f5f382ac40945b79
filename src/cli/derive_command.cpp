#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/random.hpp"
#include "space/draw_cell.hpp"
#include "space/genotype.hpp"
#include "space/published.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;

struct Request {
  std::string source;
  int epoch = -1;
  int random_nodes = 0;
  std::uint64_t seed = 1;
  std::string svg;
  bool as_json = false;
};

/// softmax(alpha) of one epoch of a run; the last one unless another is named.
json epoch_of_run(const std::filesystem::path& run, int epoch) {
  const std::filesystem::path path = run / "epochs.jsonl";
  const std::string lines = read_file(path);
  json found;
  std::size_t begin = 0;
  while (begin < lines.size()) {
    const std::size_t end = lines.find('\n', begin);
    if (end == std::string::npos) {
      break;  // a last line without its end belongs to an epoch that was never finished
    }
    json line = json::parse(std::string_view(lines).substr(begin, end - begin), nullptr, false);
    if (!line.is_object()) {
      throw UserError(fmt::format("{}: a line is no JSON object; restore the file", path.string()));
    }
    if (epoch < 0 || line.value("epoch", -1) == epoch) {
      found = std::move(line);
    }
    begin = end + 1;
  }
  if (found.is_null()) {
    throw UserError(
        epoch < 0
            ? fmt::format("{}: the run has no finished epoch; let it go on first", path.string())
            : fmt::format("--epoch: the run has no epoch {}; see {}", epoch, path.string()));
  }
  return found;
}

space::Genotype from_run(const std::filesystem::path& run, int epoch) {
  const json line = epoch_of_run(run, epoch);
  try {
    const auto normal = line.at("alpha_softmax").at("normal").get<space::EdgeWeights>();
    const auto reduce = line.at("alpha_softmax").at("reduce").get<space::EdgeWeights>();
    for (int nodes = 1; nodes <= 8; ++nodes) {
      if (space::edge_count(nodes) == static_cast<int>(normal.size()) &&
          normal.size() == reduce.size()) {
        return space::derive_genotype(normal, reduce, nodes);
      }
    }
  } catch (const json::exception&) {
    // told below, together with a wrong number of edges
  }
  throw UserError(fmt::format("{}: alpha_softmax is malformed; restore the file",
                              (run / "epochs.jsonl").string()));
}

space::Genotype genotype_from(const Request& request) {
  if (request.random_nodes > 0) {
    Stream stream(request.seed, "random genotype");
    return space::random_genotype(request.random_nodes, stream);
  }
  if (request.source.empty()) {
    throw UserError(
        "derive: nothing given; name a run folder, a genotype file, a published name or a "
        "genotype, or use "
        "--random");
  }
  const std::filesystem::path path(request.source);
  if (std::filesystem::is_directory(path)) {
    return from_run(path, request.epoch);
  }
  if (std::filesystem::is_regular_file(path)) {
    return space::parse_genotype(read_file(path));
  }
  if (const auto published = space::published_genotype(request.source)) {
    return *published;
  }
  return space::parse_genotype(request.source);
}

void write_drawings(const space::Genotype& genotype, const std::string& prefix) {
  for (const space::CellKind kind : {space::CellKind::kNormal, space::CellKind::kReduce}) {
    write_file_atomically(fmt::format("{}-{}.svg", prefix, space::name_of(kind)),
                          space::draw_cell_svg(genotype.of(kind), kind, {}));
  }
}

}  // namespace

int run_derive_command(std::vector<std::string> arguments) {
  Request request;
  const auto app =
      make_parser("Prints the cell that a search found, draws one, or draws one at random.",
                  "probedarts derive");
  app->add_option(
      "source", request.source,
      "run folder, file with a genotype (JSON or Python text), published name, or the text itself");
  app->add_option("--epoch", request.epoch, "of the run, from 0; -1: the last");
  app->add_option("--random", request.random_nodes,
                  "a uniformly random cell with this many nodes instead; 0: none");
  app->add_option("--seed", request.seed, "of the random cell");
  app->add_option("--svg", request.svg,
                  "also draw both cells: PREFIX-normal.svg and PREFIX-reduce.svg");
  app->add_flag("--json", request.as_json, "print JSON instead of Python text");
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  if (request.random_nodes < 0 || request.random_nodes > 8) {
    throw UserError(
        fmt::format("--random: {} nodes are out of range; use 1 to 8", request.random_nodes));
  }
  const space::Genotype genotype = genotype_from(request);
  std::printf("%s\n",
              (request.as_json ? space::to_json(genotype) : space::to_python(genotype)).c_str());
  if (!request.svg.empty()) {
    write_drawings(genotype, request.svg);
  }
  return 0;
}

}  // namespace probedarts::cli
