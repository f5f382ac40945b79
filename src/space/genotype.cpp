#include "space/genotype.hpp"

#include <cstddef>

#include <fmt/format.h>

#include "core/errors.hpp"

namespace probedarts::space {
namespace {

void check_genes(const std::vector<Gene>& genes, std::string_view cell) {
  for (std::size_t g = 0; g < genes.size(); ++g) {
    const Gene& gene = genes[g];
    const int last =
        static_cast<int>(g / 2) + 1;  // node i may read the two inputs and nodes before it
    const std::string_view primitive = info_of(gene.primitive).name;
    if (gene.primitive == Primitive::kNone) {
      throw UserError(
          fmt::format("genotype: {} gene {} ('{}<-{}') must not be none; choose another primitive",
                      cell, g, primitive, gene.from));
    }
    if (gene.from < 0 || gene.from > last) {
      throw UserError(fmt::format("genotype: {} gene {} ('{}<-{}') must come from a state in 0..{}",
                                  cell, g, primitive, gene.from, last));
    }
  }
}

void check_concat(const CellGenotype& genotype, std::string_view cell) {
  const int last = genotype.nodes() + 1;
  if (genotype.concat.empty()) {
    throw UserError(
        fmt::format("genotype: {} concat is empty; name at least one state in 2..{}", cell, last));
  }
  int previous = 1;
  for (const int state : genotype.concat) {
    if (state < 2 || state > last) {
      throw UserError(fmt::format("genotype: {} concat names state {}; name states in 2..{}", cell,
                                  state, last));
    }
    if (state <= previous) {
      throw UserError(fmt::format(
          "genotype: {} concat names state {} after state {}; list each state once, ascending",
          cell, state, previous));
    }
    previous = state;
  }
}

void check_count(const CellGenotype& genotype, std::string_view cell) {
  const std::size_t count = genotype.genes.size();
  if (count % 2 != 0 || count < 2 || count > 2 * kMaxNodes) {
    throw UserError(fmt::format("genotype: {} has {} genes; give two for each of its 1 to {} nodes",
                                cell, count, kMaxNodes));
  }
}

std::string python_genes(const std::vector<Gene>& genes) {
  std::string text;
  for (const Gene& gene : genes) {
    text += fmt::format("{}('{}', {})", text.empty() ? "" : ", ", info_of(gene.primitive).name,
                        gene.from);
  }
  return "[" + text + "]";
}

std::string python_concat(const std::vector<int>& concat) {
  bool is_range = !concat.empty();
  for (std::size_t i = 1; i < concat.size(); ++i) {
    is_range = is_range && concat[i] == concat[i - 1] + 1;
  }
  return is_range ? fmt::format("range({}, {})", concat.front(), concat.back() + 1)
                  : fmt::format("[{}]", fmt::join(concat, ", "));
}

std::string json_cell(const CellGenotype& cell) {
  std::string genes;
  for (const Gene& gene : cell.genes) {
    genes += fmt::format("{}[\"{}\", {}]", genes.empty() ? "" : ", ", info_of(gene.primitive).name,
                         gene.from);
  }
  return fmt::format("{{\"genes\": [{}], \"concat\": [{}]}}", genes, fmt::join(cell.concat, ", "));
}

}  // namespace

std::string_view name_of(CellKind kind) { return kind == CellKind::kNormal ? "normal" : "reduce"; }

void validate(const Genotype& genotype) {
  for (const CellKind kind : {CellKind::kNormal, CellKind::kReduce}) {
    check_count(genotype.of(kind), name_of(kind));
  }
  if (genotype.normal.genes.size() != genotype.reduce.genes.size()) {
    throw UserError(fmt::format(
        "genotype: normal has {} genes and reduce has {}; give both cells the same number",
        genotype.normal.genes.size(), genotype.reduce.genes.size()));
  }
  for (const CellKind kind : {CellKind::kNormal, CellKind::kReduce}) {
    check_genes(genotype.of(kind).genes, name_of(kind));
    check_concat(genotype.of(kind), name_of(kind));
  }
}

std::string to_python(const Genotype& genotype) {
  return fmt::format("Genotype(normal={}, normal_concat={}, reduce={}, reduce_concat={})",
                     python_genes(genotype.normal.genes), python_concat(genotype.normal.concat),
                     python_genes(genotype.reduce.genes), python_concat(genotype.reduce.concat));
}

std::string to_json(const Genotype& genotype) {
  return fmt::format("{{\"normal\": {}, \"reduce\": {}}}", json_cell(genotype.normal),
                     json_cell(genotype.reduce));
}

}  // namespace probedarts::space
