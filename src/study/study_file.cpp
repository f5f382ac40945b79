#include "study/study_file.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "core/errors.hpp"
#include "space/genotype.hpp"
#include "space/published.hpp"

namespace probedarts::study {
namespace {

constexpr std::size_t kMostPoints = 10000;

/// What a study decides itself, so that no table may set it.
const std::set<std::string, std::less<>> kDecided = {
    "seed",    "out",      "resume", "force",  "json", "config", "threads",   "runs",
    "network", "genotype", "data",   "epochs", "run",  "name",   "checkpoint"};
const std::set<std::string, std::less<>> kOfTheGrid = {"nodes", "cells", "optimizer",
                                                       "lr",    "order", "size"};

bool holds(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// A table of the file with the words for complaints about it.
class Section {
 public:
  Section(const toml::table& table, std::string where, std::string name)
      : table_(table), where_(std::move(where)), name_(std::move(name)) {}

  [[noreturn]] void refuse(const std::string& complaint) const {
    throw UserError(fmt::format("study file '{}': {}", where_, complaint));
  }

  /// "'nodes' in [grid]", or "'phases'" at the top.
  std::string spot(std::string_view key) const {
    return name_.empty() ? fmt::format("'{}'", key) : fmt::format("'{}' in [{}]", key, name_);
  }

  void require_known(const std::vector<std::string>& known) const {
    for (const auto& [key, node] : table_) {
      const std::string text(key.str());
      if (!holds(known, text)) {
        refuse(fmt::format("unknown key {}; known are {}", spot(text), fmt::join(known, ", ")));
      }
    }
  }

  bool has(std::string_view key) const { return table_.contains(key); }

  std::string scalar(const toml::node& node, std::string_view key) const {
    if (const auto* text = node.as_string()) {
      if (text->get().empty()) {
        refuse(fmt::format("{} is empty; give a value or leave the key out", spot(key)));
      }
      return text->get();
    }
    if (const auto* number = node.as_integer()) {
      return std::to_string(number->get());
    }
    if (const auto* number = node.as_floating_point()) {
      return fmt::format("{}", number->get());
    }
    if (const auto* flag = node.as_boolean()) {
      return flag->get() ? "true" : "false";
    }
    refuse(fmt::format("{} must be a number or a text", spot(key)));
  }

  /// A value or a list of them as text; nothing when the key is missing.
  std::vector<std::string> list(std::string_view key) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      return {};
    }
    const toml::array* array = node->as_array();
    if (array == nullptr) {
      return {scalar(*node, key)};
    }
    std::vector<std::string> values;
    for (const toml::node& element : *array) {
      values.push_back(scalar(element, key));
      if (std::count(values.begin(), values.end(), values.back()) > 1) {
        refuse(fmt::format("{} holds {} twice; keep one", spot(key), values.back()));
      }
    }
    if (values.empty()) {
      refuse(fmt::format("{} is empty; give at least one value", spot(key)));
    }
    return values;
  }

  std::vector<std::int64_t> integers(std::string_view key, std::int64_t low,
                                     std::int64_t high) const {
    std::vector<std::int64_t> values;
    list(key);  // checks emptiness and repetition
    const toml::node* node = table_.get(key);
    const auto take = [&](const toml::node& one) {
      const auto* number = one.as_integer();
      if (number == nullptr || number->get() < low || number->get() > high) {
        refuse(fmt::format("{} must be whole numbers from {} to {}", spot(key), low, high));
      }
      values.push_back(number->get());
    };
    if (node != nullptr && node->as_array() != nullptr) {
      std::for_each(node->as_array()->begin(), node->as_array()->end(), take);
    } else if (node != nullptr) {
      take(*node);
    }
    return values;
  }

  std::optional<int> integer(std::string_view key, int low, int high) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      return std::nullopt;
    }
    const auto* number = node->as_integer();
    if (number == nullptr || number->get() < low || number->get() > high) {
      refuse(fmt::format("{} must be a whole number from {} to {}", spot(key), low, high));
    }
    return static_cast<int>(number->get());
  }

  std::optional<Section> section(const std::string& key) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      return std::nullopt;
    }
    if (node->as_table() == nullptr) {
      refuse(fmt::format("'{}' must be a table; write [{}]", key, key));
    }
    return Section(*node->as_table(), where_, key);
  }

  /// [grid], or each of several [[grid]].
  std::vector<Section> sections(const std::string& key) const {
    const toml::node* node = table_.get(key);
    std::vector<Section> all;
    if (node != nullptr && node->is_array_of_tables()) {
      for (const toml::node& element : *node->as_array()) {
        all.emplace_back(*element.as_table(), where_, key);
      }
    } else if (const auto one = section(key)) {
      all.push_back(*one);
    }
    return all;
  }

  /// Cells with their names, which those written as a text alone do not have.
  std::vector<FixedCell> cells(std::string_view key) const {
    const toml::node* node = table_.get(key);
    std::vector<FixedCell> found;
    const auto take = [&](const toml::node& one) {
      const toml::table* table = one.as_table();
      if (table == nullptr) {
        found.push_back({"", scalar(one, key)});
        return;
      }
      const Section cell(*table, where_, fmt::format("{}.{}", name_, key));
      cell.require_known({"name", "genotype"});
      if (!cell.has("name") || !cell.has("genotype")) {
        refuse(fmt::format(
            "a cell in {} lacks a key; write {{ name = \"mine\", genotype = \"cell.txt\" }}",
            spot(key)));
      }
      found.push_back({cell.scalar(*table->get("name"), "name"),
                       cell.scalar(*table->get("genotype"), "genotype")});
    };
    if (node == nullptr) {
      return {};
    }
    if (node->as_array() == nullptr) {
      take(*node);
    } else if (node->as_array()->empty()) {
      refuse(fmt::format("{} is empty; give at least one value", spot(key)));
    } else {
      std::for_each(node->as_array()->begin(), node->as_array()->end(), take);
    }
    return found;
  }

  const toml::table& table() const { return table_; }

 private:
  const toml::table& table_;
  std::string where_, name_;
};

/// The keys of a table that are flags of a command.
FlagValues flags_of(const Section& section, const std::vector<std::string>& own,
                    const std::vector<std::string>& known, const std::string& command,
                    bool grid_decides) {
  FlagValues flags;
  for (const auto& [key, node] : section.table()) {
    const std::string text(key.str());
    if (holds(own, text)) {
      continue;
    }
    if (kDecided.contains(text) || (grid_decides && kOfTheGrid.contains(text))) {
      section.refuse(fmt::format("{} is for the study to decide; take it out", section.spot(text)));
    }
    if (!holds(known, text)) {
      section.refuse(
          fmt::format("unknown key {}; see probedarts {} --help", section.spot(text), command));
    }
    flags.emplace_back(text, section.scalar(node, text));
  }
  return flags;
}

void read_options(const Section& section, const KnownFlags& known, Study& study) {
  std::vector<std::string> either = known.search;
  either.insert(either.end(), known.train.begin(), known.train.end());
  for (const auto& flag : flags_of(section, {}, either, "search", true)) {
    if (holds(known.search, flag.first)) {
      study.search_flags.push_back(flag);
    }
    if (holds(known.train, flag.first)) {
      study.train_flags.push_back(flag);
    }
  }
}

const std::vector<std::string> kOwnOfTheGrid = {"data", "nodes", "cells", "optimizer",
                                                "lr",   "order", "size",  "trained-cells"};

/// The keys of a grid that are flags of a search or a training, which are not written out here.
std::vector<std::string> other_flags(const Section& section, const KnownFlags& known) {
  std::vector<std::string> flags;
  for (const auto& [key, node] : section.table()) {
    const std::string text(key.str());
    if (holds(kOwnOfTheGrid, text)) {
      continue;
    }
    if (kDecided.contains(text)) {
      section.refuse(fmt::format("{} is for the study to decide; take it out", section.spot(text)));
    }
    if (!holds(known.search, text) && !holds(known.train, text)) {
      section.refuse(
          fmt::format("unknown key {}; known are {}, and the flags of probedarts search and train",
                      section.spot(text), fmt::join(kOwnOfTheGrid, ", ")));
    }
    flags.push_back(text);
  }
  return flags;
}

void read_grid(const Section& section, const KnownFlags& known, Study& study) {
  const std::vector<std::string> others = other_flags(section, known);
  if (!section.has("data")) {
    section.refuse("[grid] names no data; add data = [\"folder\"]");
  }
  std::vector<GridPoint> points(1);
  const auto spread = [&](std::string_view key, const auto& set) {
    const std::vector<std::string> values = section.list(key);
    if (values.empty()) {
      return;
    }
    std::vector<GridPoint> wider;
    if (points.size() * values.size() + study.points.size() > kMostPoints) {
      section.refuse(
          fmt::format("the grid has more than {} settings; make it smaller", kMostPoints));
    }
    for (const GridPoint& point : points) {
      for (const std::string& value : values) {
        wider.push_back(point);
        set(wider.back(), value);
      }
    }
    points = std::move(wider);
  };
  section.integers("nodes", 1, space::kMaxNodes);
  section.integers("cells", 1, 40);
  section.integers("trained-cells", 1, 40);
  section.integers("size", 8, 4096);
  const std::pair<const char*, std::string GridPoint::*> fields[] = {
      {"data", &GridPoint::data},   {"nodes", &GridPoint::nodes},
      {"cells", &GridPoint::cells}, {"optimizer", &GridPoint::optimizer},
      {"lr", &GridPoint::lr},       {"order", &GridPoint::order},
      {"size", &GridPoint::size},   {"trained-cells", &GridPoint::trained_cells}};
  for (const auto& [key, field] : fields) {
    spread(key, [&, place = field](GridPoint& point, const std::string& value) {
      point.*place = value;
    });
  }
  for (const std::string& flag : others) {
    spread(flag, [&](GridPoint& point, const std::string& value) {
      if (holds(known.search, flag)) {
        point.search_flags.emplace_back(flag, value);
      }
      if (holds(known.train, flag)) {
        point.train_flags.emplace_back(flag, value);
      }
    });
  }
  study.points.insert(study.points.end(), points.begin(), points.end());
}

/// The keys of [explain]: what to show, of which rows; the rest are flags of the command.
void read_explain(const Section& section, const KnownFlags& known, PhaseSettings& settings) {
  settings.rows = section.list("rows");
  settings.images = section.list("images");
  const auto pick = section.integer("pick", 1, 1000);
  if (pick && !settings.images.empty()) {
    section.refuse("'pick' in [explain] goes without 'images'; keep one of them");
  }
  settings.pick = pick.value_or(settings.pick);
  settings.flags = flags_of(section, {"rows", "images", "pick"}, known.explain, "explain", false);
}

PhaseSettings read_phase(const Section& top, Phase phase, const KnownFlags& known) {
  const std::string name(name_of(phase));
  PhaseSettings settings;
  settings.phase = phase;
  settings.epochs = default_epochs(phase);
  const auto section = top.section(name);
  if (section) {
    if (phase == Phase::kSelect) {
      section->require_known({});
    }
    if (phase == Phase::kExplain) {
      read_explain(*section, known, settings);
      return settings;
    }
    settings.epochs = section->integer("epochs", 1, 1000000).value_or(settings.epochs);
    std::vector<std::string> own = {"epochs"};
    if (phase == Phase::kFinal || phase == Phase::kTransfer || phase == Phase::kResolution) {
      settings.runs = section->integer("runs", 1, 1000).value_or(settings.runs);
      own.emplace_back("runs");
    }
    if (phase == Phase::kTransfer) {
      settings.data = section->list("data");
      own.emplace_back("data");
    }
    if (phase == Phase::kResolution) {
      for (const std::int64_t size : section->integers("sizes", 8, 4096)) {
        settings.sizes.push_back(static_cast<int>(size));
      }
      own.emplace_back("sizes");
    }
    const bool search = phase == Phase::kSearch;
    settings.flags = flags_of(*section, own, search ? known.search : known.train,
                              search ? "search" : "train", search);
  }
  if (phase == Phase::kTransfer && settings.data.empty()) {
    top.refuse("phase 'transfer' has no data; add data = [\"folder\"] to [transfer]");
  }
  if (phase == Phase::kResolution && settings.sizes.empty()) {
    top.refuse("phase 'resolution' has no sizes; add sizes = [136, 68] to [resolution]");
  }
  return settings;
}

void read_phases(const Section& top, const KnownFlags& known, Study& study) {
  const std::vector<std::string> names = top.list("phases");
  if (names.empty()) {
    top.refuse("no phases; add phases = [\"search\"], or more of " +
               fmt::format("{}", fmt::join(kPhaseNames, ", ")));
  }
  std::size_t last = 0;
  for (const std::string& name : names) {
    const auto* found = std::find(std::begin(kPhaseNames), std::end(kPhaseNames), name);
    if (found == std::end(kPhaseNames)) {
      top.refuse(
          fmt::format("phase '{}' is unknown; use some of {}", name, fmt::join(kPhaseNames, ", ")));
    }
    const auto place = static_cast<std::size_t>(found - std::begin(kPhaseNames));
    if (place < last) {
      top.refuse(fmt::format("phase '{}' stands after '{}'; the order is {}", name,
                             kPhaseNames[last], fmt::join(kPhaseNames, ", ")));
    }
    last = place;
    study.phases.push_back(read_phase(top, static_cast<Phase>(place), known));
  }
  for (const std::string_view name : kPhaseNames) {
    if (top.has(name) && !holds(names, std::string(name))) {
      top.refuse(
          fmt::format("[{}] is set but '{}' is not among the phases; add it there or take "
                      "the table out",
                      name, name));
    }
  }
}

/// 'genotypes' of [rows]: published names; files, which name their row; run folders and texts.
void read_genotypes(const Section& section, const KnownFlags& known, Study& study) {
  for (FixedCell cell : section.cells("genotypes")) {
    if (!space::published_genotype(cell.genotype)) {
      if (!known.read_cell) {
        section.refuse(fmt::format("genotype '{}' in [rows] is unknown; use some of {}",
                                   cell.genotype, fmt::join(space::published_names(), ", ")));
      }
      if (cell.name.empty() && cell.genotype.find_first_of("({") != std::string::npos) {
        section.refuse(
            "a cell written out in [rows] has no name; write { name = \"mine\", genotype = "
            "\"Genotype(...)\" }");
      }
      if (cell.name.empty()) {
        cell.name = std::filesystem::path(cell.genotype).stem().string();
      }
      cell.genotype = known.read_cell(cell.genotype);
    } else if (cell.name.empty()) {
      cell.name = cell.genotype;
    }
    if (std::any_of(study.genotypes.begin(), study.genotypes.end(),
                    [&](const FixedCell& other) { return other.name == cell.name; })) {
      section.refuse(
          fmt::format("two cells in [rows] are called '{}'; give one another name", cell.name));
    }
    study.genotypes.push_back(std::move(cell));
  }
}

void read_rows(const Section& section, const KnownFlags& known, Study& study) {
  section.require_known({"networks", "genotypes", "random", "random-seed"});
  study.networks = section.list("networks");
  read_genotypes(section, known, study);
  study.random_cells = section.integer("random", 0, 10000).value_or(0);
  study.random_seed = static_cast<std::uint64_t>(
      section.integer("random-seed", 0, 1000000000).value_or(kRandomSeed));
  for (const std::string& name : study.networks) {
    if (!holds(known.networks, name)) {
      section.refuse(fmt::format("network '{}' in [rows] is unknown; use some of {}", name,
                                 fmt::join(known.networks, ", ")));
    }
  }
}

/// Flags of the grid that [options] or [search] set as well.
void require_set_once(const Section& top, const Study& study, const GridPoint& point) {
  const auto require_none_of = [&](const FlagValues& flags, const char* table) {
    for (const FlagValues* of_grid : {&point.search_flags, &point.train_flags}) {
      for (const auto& [flag, value] : *of_grid) {
        if (std::any_of(flags.begin(), flags.end(),
                        [&, name = flag](const auto& other) { return other.first == name; })) {
          top.refuse(fmt::format("'{}' is set in [grid] and in [{}]; keep one", flag, table));
        }
      }
    }
  };
  require_none_of(study.search_flags, "options");
  require_none_of(study.train_flags, "options");
  if (const PhaseSettings* search = study.phase(Phase::kSearch)) {
    require_none_of(search->flags, "search");
  }
}

void require_sense(const Section& top, const Study& study) {
  const auto needs = [&](Phase phase, Phase before) {
    if (study.phase(phase) != nullptr && study.phase(before) == nullptr) {
      top.refuse(fmt::format("phase '{}' needs '{}' before it; add it to phases", name_of(phase),
                             name_of(before)));
    }
  };
  const bool candidates = study.phase(Phase::kSearch) != nullptr || study.random_cells > 0;
  needs(Phase::kSelect, Phase::kQuick);
  needs(Phase::kExplain, Phase::kFinal);
  if (candidates) {
    needs(Phase::kFinal, Phase::kSelect);
    needs(Phase::kTransfer, Phase::kSelect);
    needs(Phase::kResolution, Phase::kSelect);
  }
  const bool trains = study.phases.back().phase != Phase::kSearch;
  const bool fixed = !study.networks.empty() || !study.genotypes.empty();
  if (!trains && (fixed || study.random_cells > 0)) {
    top.refuse("[rows] has networks to train but no phase trains them; add \"quick\" to phases");
  }
  if (!candidates && !fixed) {
    top.refuse("nothing to run: no phase 'search' and no [rows]; add one of them");
  }
  for (const GridPoint& point : study.points) {
    if (study.random_cells > 0 && point.nodes.empty()) {
      top.refuse("random cells need their size; add nodes = [4] to [grid]");
    }
    require_set_once(top, study, point);
  }
}

}  // namespace

int default_epochs(Phase phase) {
  switch (phase) {
    case Phase::kSearch:
      return 50;
    case Phase::kQuick:
      return 100;
    case Phase::kFinal:
    case Phase::kTransfer:
    case Phase::kResolution:
      return 600;
    case Phase::kSelect:
    case Phase::kExplain:
      break;
  }
  return 0;
}

std::string_view name_of(Phase phase) { return kPhaseNames[static_cast<std::size_t>(phase)]; }

const PhaseSettings* Study::phase(Phase which) const {
  for (const PhaseSettings& settings : phases) {
    if (settings.phase == which) {
      return &settings;
    }
  }
  return nullptr;
}

Study parse_study(std::string_view text, const std::string& where, const KnownFlags& known) {
  toml::table table;
  try {
    table = toml::parse(text, where);
  } catch (const toml::parse_error& error) {
    throw UserError(fmt::format("study file '{}': line {}: {}; correct the TOML", where,
                                error.source().begin.line, error.description()));
  }
  const Section top(table, where, "");
  std::vector<std::string> keys = {"name", "phases", "seeds", "grid", "rows", "options"};
  keys.insert(keys.end(), std::begin(kPhaseNames), std::end(kPhaseNames));
  top.require_known(keys);
  Study study;
  const std::vector<std::string> names = top.list("name");
  study.name = names.empty() ? std::filesystem::path(where).stem().string() : names[0];
  const std::vector<Section> grids = top.sections("grid");
  if (grids.empty()) {
    top.refuse("no grid; add a table [grid] with data = [\"folder\"]");
  }
  for (const Section& grid : grids) {
    read_grid(grid, known, study);
  }
  for (const std::int64_t seed : top.integers("seeds", 0, INT64_MAX)) {
    study.seeds.push_back(static_cast<std::uint64_t>(seed));
  }
  if (study.seeds.empty()) {
    study.seeds = {1, 2, 3, 4};
  }
  if (const auto rows = top.section("rows")) {
    read_rows(*rows, known, study);
  }
  read_phases(top, known, study);
  if (const auto options = top.section("options")) {
    read_options(*options, known, study);
  }
  require_sense(top, study);
  return study;
}

void require_data(const Study& study, const std::string& where, const std::filesystem::path& root) {
  const auto check = [&](const std::string& data) {
    if (!std::filesystem::is_directory(root / data)) {
      throw UserError(
          fmt::format("study file '{}': data set '{}' is no folder; correct data in the "
                      "file, or say with --data-root where it lies",
                      where, (root / data).string()));
    }
  };
  for (const GridPoint& point : study.points) {
    check(point.data);
  }
  if (const PhaseSettings* transfer = study.phase(Phase::kTransfer)) {
    std::for_each(transfer->data.begin(), transfer->data.end(), check);
  }
  if (const PhaseSettings* explain = study.phase(Phase::kExplain)) {
    for (const std::string& image : explain->images) {
      if (!std::filesystem::exists(root / image)) {
        throw UserError(fmt::format(
            "study file '{}': image '{}' is not there; correct images in [explain]", where, image));
      }
    }
  }
}

}  // namespace probedarts::study
