#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "space/genotype.hpp"

/// A run folder (docs/run-folder.md) as plain structs. Nothing is interpreted here beyond the
/// format itself.
namespace probedarts::report {

/// A convolution of the network, in parameter order. Fields that do not apply to it are empty.
struct Layer {
  std::string name;
  std::string role;       ///< stem, preprocess, reduce, depthwise or pointwise
  std::string cell_kind;  ///< "normal", "reduce", or empty for the stem
  std::optional<int> cell;
  std::optional<int> edge;  ///< row of alpha
  std::optional<int> from;  ///< state, numbered as in genotypes
  std::optional<int> to;
  std::optional<space::Primitive> primitive;
  int position = 0;  ///< which (depthwise, pointwise) block of the primitive
};

/// Keys of the two cells, wherever a run folder has something for each.
inline constexpr std::array<const char*, 2> kCellKinds = {"normal", "reduce"};

/// The per-layer series of the probe, in the order of `kProbeSeries`.
inline constexpr std::array<std::string_view, 6> kProbeSeries = {
    "stable_rank_in", "stable_rank_out", "rank_in", "rank_out", "condition_in", "condition_out"};

/// The collapse signals of one cell kind, in the order of `kCollapseSignals`.
inline constexpr std::array<std::string_view, 5> kCollapseSignals = {
    "parameter_free_share", "skip_share", "pool_share", "entropy", "margin"};

/// Where the seconds of an epoch go, in the order of `kTimeParts`; what is missing from the file
/// counts as 0.
/// The first is called `search` or `train` there, after the kind of the run.
inline constexpr std::array<std::string_view, 5> kTimeParts = {"learn", "valid", "probe",
                                                               "checkpoint", "data_wait"};

/// The probes of --probe, in the order of `kExtraProbes`: (entry of the line, its number).
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kExtraProbes = {
    {{"eigenvalue", "largest"}, {"gap", "gap"}, {"alignment", "cosine"}}};

struct SplitResult {
  double loss = 0.0;
  double error = 0.0;  ///< one minus accuracy, 0..1
};

/// Index 0: normal cells, 1: reduction cells.
template <class T>
using PerKind = std::array<T, 2>;

/// Where the architecture of a search stands after an epoch.
struct Architecture {
  PerKind<space::EdgeWeights> softmax;  ///< [edge][primitive]
  PerKind<std::array<double, kCollapseSignals.size()>> collapse{};
  space::Genotype genotype;
  std::string genotype_text;
};

/// One line of epochs.jsonl. Numbers that are `null` in the file (a failed factorisation) are NaN.
struct Epoch {
  int epoch = 0;
  SplitResult train;
  SplitResult valid;
  double lr_schedule = 0.0;
  std::vector<double> lr_layers;                               ///< one a layer
  std::optional<Architecture> architecture;                    ///< in all epochs of a search
  std::array<std::vector<double>, kProbeSeries.size()> probe;  ///< one a layer
  std::vector<double> stable_rank;                             ///< mean of both sides, one a layer
  std::size_t failed_layers = 0;
  std::array<std::optional<double>, kExtraProbes.size()> extra;  ///< where measured
  double seconds = 0.0;
  std::array<double, kTimeParts.size()> seconds_parts{};
  std::array<double, kExtraProbes.size()> extra_seconds{};  ///< 0 where not measured
};

/// Everything the report shows of one run.
struct Run {
  std::filesystem::path folder;  ///< as given
  std::string kind;              ///< "search" or "train"
  std::string name;
  std::string created;
  std::string version;
  std::string commit;
  std::string libtorch;
  std::string machine;  ///< processor, cores, memory and system in one line
  std::string command;  ///< as typed; empty when the folder does not say
  std::string data_path;
  std::string data_fingerprint;
  std::string labels;  ///< "single" or "multi"
  std::vector<std::string> classes;
  std::string executor;
  std::string dtype;
  long long threads = 0;
  long long seed = 0;
  long long parameters = 0;
  std::vector<std::pair<std::string, std::string>> images;  ///< split and count, as JSON text
  std::vector<std::pair<std::string, std::string>> config;  ///< option and value, sorted by option
  std::vector<Layer> layers;
  std::vector<Epoch> epochs;  ///< at least one, numbered 0, 1, ...
  std::string stopped;        ///< why a rule ended it before its last epoch, or empty
  std::size_t kept_epoch =
      0;  ///< of a search: whose genotype is the result; the last unless stopped
  std::vector<std::string> notes;                 ///< what was tolerated while reading
  std::string network;                            ///< of a training: "cells" or the name in the zoo
  std::optional<space::Genotype> model_genotype;  ///< of a training of a network of cells

  /// Value of a configuration key, or empty.
  std::string option(std::string_view key) const;
  /// Rates differ between layers in some epoch (Adas); otherwise the schedule says all.
  bool has_layer_rates() const;
  bool is_search() const { return kind == "search"; }
  /// The cell that the run is about: derived after the last epoch, or trained; nothing for a
  /// network that is not made of cells.
  const space::Genotype* cell() const;
};

/// Reads run.json and epochs.jsonl of a search or a training.
///
/// A last line without line break that is no complete JSON object is what a killed run leaves: it
/// is dropped with a note. Anything else that does not fit the format is an error that names file,
/// line and field. \throws UserError when the folder is no run folder, has no finished
/// epoch, or is malformed.
Run read_run(const std::filesystem::path& folder);

/// Only `layers` of a run.json. \throws UserError when they are malformed.
std::vector<Layer> read_layers(const std::filesystem::path& run_json);

}  // namespace probedarts::report
