#include "space/network_spec.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/errors.hpp"

namespace probedarts::space {
namespace {

struct StemRow {
  Stem stem;
  std::string_view name;
  int stride;  ///< product of the strides of its convolutions
};
constexpr std::array kStems = {StemRow{Stem::kCifar, "cifar", 1},
                               StemRow{Stem::kPathology, "pathology", 4}};

const StemRow& row_of(Stem stem) {
  for (const StemRow& row : kStems) {
    if (row.stem == stem) {
      return row;
    }
  }
  report_bug("unknown stem", __FILE__, __LINE__);
}

void check_range(std::string_view option, int value, int low, int high) {
  if (value < low || value > high) {
    throw UserError(
        fmt::format("--{}: {} is out of range; use {} to {}", option, value, low, high));
  }
}

/// Height or width after a stem of 3x3 convolutions with padding 1: each stride 2 halves, rounding
/// up.
int after_stem(const NetworkSpec& spec, int px) {
  const int stride = row_of(spec.stem).stride;
  return (px + stride - 1) / stride;
}

std::string size_text(int height, int width) {
  return height == width ? fmt::format("{}", height) : fmt::format("{}x{}", height, width);
}

}  // namespace

std::string_view name_of(Stem stem) { return row_of(stem).name; }

std::optional<Stem> stem_named(std::string_view name) {
  for (const StemRow& row : kStems) {
    if (row.name == name) {
      return row.stem;
    }
  }
  return std::nullopt;
}

void validate(const NetworkSpec& spec) {
  check_range("channels", spec.channels, 2, kMaxChannels);
  if (spec.channels % 2 != 0) {
    throw UserError(fmt::format("--channels: {} is odd; use {}", spec.channels, spec.channels + 1));
  }
  check_range("partial-channels", spec.partial_channels, 1, spec.channels / 2);
  if (spec.channels % (2 * spec.partial_channels) != 0) {
    throw UserError(fmt::format(
        "--partial-channels: {} does not cut {} channels into parts of an even number; use a "
        "divisor of {}",
        spec.partial_channels, spec.channels, spec.channels / 2));
  }
  require(spec.relaxed() || spec.partial_channels == 1, "only supernets have partial channels");
  check_range("cells", spec.cells, 1, kMaxCells);
  check_range("nodes", spec.nodes, 1, kMaxNodes);
  if (spec.classes < 1) {
    throw UserError(
        fmt::format("classes {} is below 1: check the labels of the data set", spec.classes));
  }
  if (spec.genotype) {
    validate(*spec.genotype);
    if (spec.genotype->nodes() != spec.nodes) {
      throw UserError(fmt::format("--nodes: {} is not the number of the genotype's nodes; use {}",
                                  spec.nodes, spec.genotype->nodes()));
    }
  }
}

int stem_channels(const NetworkSpec& spec) {
  return spec.stem == Stem::kCifar ? 3 * spec.channels : spec.channels;
}

std::vector<CellPlan> plan_cells(const NetworkSpec& spec) {
  std::vector<CellPlan> plan;
  int before_previous = stem_channels(spec);
  int previous = before_previous;
  int channels = spec.channels;
  bool reduction_before = false;
  for (int index = 0; index < spec.cells; ++index) {
    const bool reduction = index == spec.cells / 3 || index == 2 * spec.cells / 3;
    const CellKind kind = reduction ? CellKind::kReduce : CellKind::kNormal;
    channels *= reduction ? 2 : 1;
    const auto joined =
        spec.genotype ? static_cast<int>(spec.genotype->of(kind).concat.size()) : spec.nodes;
    plan.push_back(
        {index, kind, reduction_before, before_previous, previous, channels, joined * channels});
    before_previous = previous;
    previous = joined * channels;
    reduction_before = reduction;
  }
  return plan;
}

CellGraph graph_of(const NetworkSpec& spec, CellKind kind) {
  return spec.genotype ? derived_cell(kind, spec.genotype->of(kind))
                       : search_cell(kind, spec.nodes);
}

void validate_image_size(const NetworkSpec& spec, int height_px, int width_px) {
  // At most two reductions follow, each rounding up, so 8 px after the stem always leave at
  // least 2.
  const int height = after_stem(spec, height_px);
  const int width = after_stem(spec, width_px);
  if (std::min(height_px, width_px) < 1 || std::min(height, width) < kMinStemOutputPx) {
    throw UserError(fmt::format(
        "image size {} px leaves {} px after the {} stem; at least {} px are needed: use --size {} "
        "or more",
        size_text(height_px, width_px), size_text(height, width), name_of(spec.stem),
        kMinStemOutputPx, kMinStemOutputPx * row_of(spec.stem).stride));
  }
}

}  // namespace probedarts::space
