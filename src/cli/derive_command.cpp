#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "cli/genotype_source.hpp"
#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/random.hpp"
#include "space/draw_cell.hpp"
#include "space/genotype.hpp"

namespace probedarts::cli {
namespace {

struct DeriveRequest {
  std::string source;
  int epoch = -1;
  int random_nodes = 0;
  std::uint64_t seed = 1;
  std::string svg;
  bool as_json = false;
};

space::Genotype genotype_from(const DeriveRequest& request) {
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
  return read_genotype(request.source, "derive", request.epoch);
}

void write_drawings(const space::Genotype& genotype, const std::string& prefix) {
  for (const space::CellKind kind : {space::CellKind::kNormal, space::CellKind::kReduce}) {
    write_file_atomically(fmt::format("{}-{}.svg", prefix, space::name_of(kind)),
                          space::draw_cell_svg(genotype.of(kind), kind, {}));
  }
}

}  // namespace

int run_derive_command(std::vector<std::string> arguments) {
  DeriveRequest request;
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
  if (request.random_nodes < 0 || request.random_nodes > space::kMaxNodes) {
    throw UserError(fmt::format("--random: {} nodes are out of range; use 1 to {}",
                                request.random_nodes, space::kMaxNodes));
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
