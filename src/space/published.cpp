#include "space/published.hpp"

#include <array>

namespace probedarts::space {
namespace {

struct PublishedRow {
  std::string_view name;
  std::string_view python;
};

// The published facts in the notation in which they were published.
constexpr std::array kPublished = {
    PublishedRow{"DARTS_ADP_N2",
                 "Genotype(normal=[('max_pool_3x3', 1), ('max_pool_3x3', 0), ('dil_conv_5x5', 2), "
                 "('max_pool_3x3', 1)], normal_concat=range(2, 4), reduce=[('sep_conv_5x5', 0), "
                 "('max_pool_3x3', 1), ('max_pool_3x3', 2), ('dil_conv_5x5', 0)], "
                 "reduce_concat=range(2, 4))"},
    PublishedRow{"DARTS_ADP_N3",
                 "Genotype(normal=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_5x5', 2), "
                 "('max_pool_3x3', 1), ('dil_conv_5x5', 3), ('max_pool_3x3', 1)], "
                 "normal_concat=range(2, 5), reduce=[('max_pool_3x3', 0), ('dil_conv_5x5', 1), "
                 "('max_pool_3x3', 0), ('max_pool_3x3', 2), ('skip_connect', 1), "
                 "('max_pool_3x3', 0)], reduce_concat=range(2, 5))"},
    PublishedRow{"DARTS_ADP_N4",
                 "Genotype(normal=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
                 "('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 2), "
                 "('dil_conv_3x3', 4), ('max_pool_3x3', 0)], normal_concat=range(2, 6), "
                 "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('dil_conv_5x5', 2), "
                 "('max_pool_3x3', 0), ('sep_conv_5x5', 2), ('max_pool_3x3', 0), "
                 "('dil_conv_3x3', 2), ('max_pool_3x3', 4)], reduce_concat=range(2, 6))"},
    PublishedRow{"DARTS_V1",
                 "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), "
                 "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), "
                 "('sep_conv_3x3', 0), ('skip_connect', 2)], normal_concat=range(2, 6), "
                 "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
                 "('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), "
                 "('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=range(2, 6))"},
    PublishedRow{"DARTS_V2",
                 "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
                 "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), "
                 "('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=range(2, 6), "
                 "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
                 "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), "
                 "('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=range(2, 6))"},
};

}  // namespace

std::vector<std::string_view> published_names() {
  std::vector<std::string_view> names;
  for (const PublishedRow& row : kPublished) {
    names.push_back(row.name);
  }
  return names;
}

std::optional<Genotype> published_genotype(std::string_view name) {
  for (const PublishedRow& row : kPublished) {
    if (row.name == name) {
      return parse_genotype(row.python);
    }
  }
  return std::nullopt;
}

}  // namespace probedarts::space
