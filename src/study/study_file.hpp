#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The study file: the protocol of many runs as one TOML document (docs/study.md).
namespace probedarts::study {

/// The steps of the protocol, in their order.
enum class Phase { kSearch, kQuick, kSelect, kFinal, kTransfer, kResolution, kExplain };
inline constexpr std::string_view kPhaseNames[] = {"search",   "quick",      "select", "final",
                                                   "transfer", "resolution", "explain"};

std::string_view name_of(Phase phase);

/// Flags of a command with their values as text, in the order of the file's keys (sorted).
using FlagValues = std::vector<std::pair<std::string, std::string>>;

/// A phase that the study has, and its table.
struct PhaseSettings {
  Phase phase = Phase::kSearch;
  int epochs = 0;                   ///< 0: the phase trains nothing
  int runs = 3;                     ///< final, transfer, resolution: trainings of each network
  std::vector<std::string> data;    ///< transfer: the other data sets
  std::vector<int> sizes;           ///< resolution: sides of the images, px
  std::vector<std::string> rows;    ///< explain: of the tables; none: all
  std::vector<std::string> images;  ///< explain: files or folders; none: `pick` test images
  int pick = 5;                     ///< explain: test images of each data set
  FlagValues flags;                 ///< further flags of the command
};

/// One setting of the grid. Values are text as the flags take it; empty: the command's default.
struct GridPoint {
  std::string data, nodes, cells, optimizer, lr, order, size;
  std::string trained_cells;  ///< of the derived networks; empty: as many as searched
  /// Any other flags that the grid varies, for the commands that know them.
  FlagValues search_flags = {}, train_flags = {};

  bool operator==(const GridPoint&) const = default;
};

/// A row whose cell is given.
struct FixedCell {
  std::string name;      ///< of the row
  std::string genotype;  ///< a published name, or the text of a cell
};

/// Of random cells, where a study does not say another: all studies have the same ones then.
inline constexpr std::uint64_t kRandomSeed = 1;

struct Study {
  std::string name;
  std::vector<GridPoint> points;     ///< all combinations, in the order of the file
  std::vector<std::uint64_t> seeds;  ///< of the searches and of their quick trainings
  std::vector<PhaseSettings> phases;
  FlagValues search_flags, train_flags;     ///< of [options], for the commands that know them
  std::vector<std::string> networks;        ///< rows: networks of the zoo
  std::vector<FixedCell> genotypes;         ///< rows: cells
  int random_cells = 0;                     ///< rows: so many for each N, L, data and size
  std::uint64_t random_seed = kRandomSeed;  ///< other seeds draw other cells

  const PhaseSettings* phase(Phase which) const;  ///< null when the study leaves it out
};

/// Flags that the commands know; given from outside because this room knows no command.
struct KnownFlags {
  std::vector<std::string> search;
  std::vector<std::string> train;
  std::vector<std::string> networks;  ///< of the zoo
  std::vector<std::string> explain = {};
  /// The text of the cell in a file or a run folder, or of a text. \throws UserError for no such.
  /// None: only published names are cells.
  std::function<std::string(const std::string& source)> read_cell = {};
};

/// Epochs of a phase where the file does not say: those of the paper. 0 for those that train
/// nothing.
int default_epochs(Phase phase);

/// Reads a study from TOML text. \param where  names the file in messages.
/// \throws UserError one sentence: no TOML, unknown key, value of the wrong kind or out of range,
/// empty grid, phases out of order or without those they need, nothing to run.
Study parse_study(std::string_view text, const std::string& where, const KnownFlags& known);

/// \throws UserError when a data set of the study is no folder, or an image to explain is missing.
/// \param root  where relative ones lie; empty: the working folder.
void require_data(const Study& study, const std::string& where,
                  const std::filesystem::path& root = {});

}  // namespace probedarts::study
