#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "space/cell_graph.hpp"
#include "space/genotype.hpp"

namespace probedarts::space {

/// How an image becomes the first feature map (docs/method.md, "Search space").
enum class Stem {
  kCifar,      ///< 3x3 conv to 3C, BN
  kPathology,  ///< 3x3 stride-2 conv to C/2, BN, ReLU, 3x3 stride-2 conv to C, BN
};

std::string_view name_of(Stem stem);
std::optional<Stem> stem_named(std::string_view name);

inline constexpr int kMaxCells = 40;
inline constexpr int kMaxChannels = 65536;
inline constexpr int kMinStemOutputPx = 8;

/// What network to build. Without a genotype it is the supernet.
struct NetworkSpec {
  Stem stem = Stem::kCifar;
  int channels = 16;  ///< C of the first cells; even
  int cells = 8;      ///< L, 1..40
  int nodes = 4;      ///< N, 1..8
  int classes = 10;
  std::optional<Genotype> genotype;
  bool auxiliary =
      false;  ///< a second classifier after the second reduction, in training; derived only
  /// K of partial channel connections (Xu et al., "PC-DARTS", ICLR 2020); supernets only. Of a
  /// state's C channels the first C/K pass through an edge's candidates, which have so many
  /// channels, and the rest goes around them; then the channels are shuffled. 1: off.
  int partial_channels = 1;
  bool relaxed() const { return !genotype.has_value(); }
};

/// Where a cell stands in the network and what it is fed.
struct CellPlan {
  int index;
  CellKind kind;
  bool reduction_before;  ///< the previous cell is a reduction cell: input 0 goes through a
                          ///< factorised reduce
  int channels_in0;       ///< channels of the output of the cell before the previous one
  int channels_in1;       ///< channels of the output of the previous cell
  int channels;           ///< C of this cell's states
  int channels_out;       ///< channels after concatenation
};

/// Checks ranges (cells 1..40, nodes 1..8, even channels 2..65536, classes >= 1), that the channels
/// come in K even parts, and, where given, the genotype. \throws UserError one sentence naming the
/// option.
void validate(const NetworkSpec& spec);

/// Channels that leave the stem.
int stem_channels(const NetworkSpec& spec);

/// The cells in order. Reduction cells sit at cells/3 and 2*cells/3 (integer division); channels
/// double there.
std::vector<CellPlan> plan_cells(const NetworkSpec& spec);

/// The graph of one cell of this network.
CellGraph graph_of(const NetworkSpec& spec, CellKind kind);

/// Checks that an image of this many pixels survives the stem (>= 8 px) and the reductions (>= 1
/// px). \throws UserError "image size 16 px leaves 4 px after the pathology stem; at least 8 px are
/// needed: use --size 32 or more".
void validate_image_size(const NetworkSpec& spec, int height_px, int width_px);

}  // namespace probedarts::space
