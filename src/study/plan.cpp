#include "study/plan.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/random.hpp"
#include "space/genotype.hpp"

namespace probedarts::study {
namespace {

/// What networks of the zoo have of their own.
const std::set<std::string, std::less<>> kFlagsOfCells = {"cells", "channels", "stem",
                                                          "auxiliary-weight", "executor"};

/// Parts of a path, without "." and a slash at the end.
std::vector<std::string> parts_of(const std::string& data) {
  std::vector<std::string> parts;
  for (const auto& part : std::filesystem::path(data).lexically_normal()) {
    if (!part.empty()) {
      parts.push_back(part.string());
    }
  }
  return parts;
}

/// Names data sets by the last part of their path, and by as many more as tell them apart.
class DataNames {
 public:
  explicit DataNames(const Study& study) {
    std::set<std::string> sets;
    for (const GridPoint& point : study.points) {
      sets.insert(point.data);
    }
    if (const PhaseSettings* transfer = study.phase(Phase::kTransfer)) {
      sets.insert(transfer->data.begin(), transfer->data.end());
    }
    for (const std::string& data : sets) {
      const std::size_t length = parts_of(data).size();
      std::size_t count = 1;
      while (count < length && std::any_of(sets.begin(), sets.end(), [&](const auto& other) {
               return other != data && last_parts(other, count) == last_parts(data, count);
             })) {
        ++count;
      }
      names_[data] = last_parts(data, count);
    }
  }

  const std::string& of(const std::string& data) const { return names_.at(data); }
  const std::map<std::string, std::string>& all() const { return names_; }

 private:
  static std::string last_parts(const std::string& data, std::size_t count) {
    const std::vector<std::string> parts = parts_of(data);
    std::filesystem::path name;
    for (std::size_t i = parts.size() - std::min(count, parts.size()); i < parts.size(); ++i) {
      name /= parts[i];
    }
    return name.string();
  }

  std::map<std::string, std::string> names_;
};

/// The value of a flag of the grid, empty where a setting leaves it out.
std::string value_of(const FlagValues& flags, const std::string& flag) {
  for (const auto& [name, value] : flags) {
    if (name == flag) {
      return value;
    }
  }
  return "";
}

/// Names settings by what differs between them.
class PointNames {
 public:
  PointNames(const std::vector<GridPoint>& points, const DataNames& data) : data_(data) {
    for (const Part& part : kParts) {
      std::set<std::string> values;
      for (const GridPoint& point : points) {
        values.insert(point.*part.field);
      }
      differs_.push_back(values.size() > 1);
    }
    std::set<std::string> flags;
    for (const GridPoint& point : points) {
      for (const FlagValues* set : {&point.search_flags, &point.train_flags}) {
        for (const auto& [flag, value] : *set) {
          flags.insert(flag);
        }
      }
    }
    for (const std::string& flag : flags) {
      std::set<std::pair<std::string, std::string>> values;
      for (const GridPoint& point : points) {
        values.insert({value_of(point.search_flags, flag), value_of(point.train_flags, flag)});
      }
      if (values.size() > 1) {
        flags_.push_back(flag);
      }
    }
  }

  /// \param architecture  only what also matters to a network that was not searched.
  std::string of(const GridPoint& point, bool architecture) const {
    std::string name;
    for (std::size_t i = 0; i < differs_.size(); ++i) {
      const std::string& value = point.*kParts[i].field;
      if (!differs_[i] || value.empty() || (architecture && !kParts[i].architecture)) {
        continue;
      }
      const std::string shown = kParts[i].field == &GridPoint::data ? data_.of(value) : value;
      name += (name.empty() ? "" : " ") + fmt::format(fmt::runtime(kParts[i].form), shown);
    }
    for (const std::string& flag : flags_) {
      const std::string searched = architecture ? "" : value_of(point.search_flags, flag);
      const std::string value = searched.empty() ? value_of(point.train_flags, flag) : searched;
      if (!value.empty()) {
        name += fmt::format("{}{}={}", name.empty() ? "" : " ", flag, value);
      }
    }
    return name;
  }

 private:
  struct Part {
    std::string GridPoint::*field;
    const char* form;
    bool architecture;
  };
  static constexpr Part kParts[] = {
      {&GridPoint::data, "{}", true},    {&GridPoint::nodes, "N={}", true},
      {&GridPoint::cells, "L={}", true}, {&GridPoint::optimizer, "{}", false},
      {&GridPoint::lr, "lr={}", false},  {&GridPoint::order, "order={}", false},
      {&GridPoint::size, "{}px", true},  {&GridPoint::trained_cells, "{} cells trained", true}};
  const DataNames& data_;
  std::vector<bool> differs_;
  std::vector<std::string> flags_;  ///< other flags that differ
};

class Planner {
 public:
  explicit Planner(const Study& study)
      : study_(study), data_names_(study), names_(study.points, data_names_) {
    plan_.data_names = data_names_.all();
  }

  Plan make() {
    if (study_.phase(Phase::kSearch) != nullptr) {
      for (std::size_t i = 0; i < study_.points.size(); ++i) {
        const auto here = study_.points.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::find(study_.points.begin(), here, *here) == here) {  // two grids may share one
          add_searched(*here);
        }
      }
    }
    for (const GridPoint& point : unlike_points(&GridPoint::nodes)) {
      if (study_.random_cells > 0) {
        add_random(point);
      }
    }
    for (const GridPoint& point : unlike_points(nullptr)) {
      for (const FixedCell& cell : study_.genotypes) {
        add_fixed(point, cell.name, {"genotype", cell.genotype, {}});
      }
    }
    for (GridPoint point : unlike_points(nullptr)) {
      point.cells.clear();  // a network of the zoo has its own depth
      point.trained_cells.clear();
      std::erase_if(point.train_flags,
                    [](const auto& flag) { return kFlagsOfCells.contains(flag.first); });
      for (const std::string& network : study_.networks) {
        add_fixed(point, network, {"network", network, {}});
      }
    }
    require_own_names();
    if (const PhaseSettings* explain = study_.phase(Phase::kExplain)) {
      add_explanations(*explain);
    }
    return std::move(plan_);
  }

 private:
  void require_own_names() const {
    std::set<std::string> names;
    for (const Row& row : plan_.rows) {
      if (!names.insert(row.name).second) {
        throw UserError(fmt::format(
            "study: two rows would be called '{}'; give the cell in [rows] another name",
            row.name));
      }
    }
  }

  /// Settings that differ in what matters to a network that was not searched (data, cells, size,
  /// flags of trainings) and, if given, one field more.
  std::vector<GridPoint> unlike_points(std::string GridPoint::*field) const {
    std::vector<GridPoint> unlike;
    for (const GridPoint& point : study_.points) {
      GridPoint kept;
      kept.data = point.data;
      kept.cells = point.cells;
      kept.size = point.size;
      kept.trained_cells = point.trained_cells;
      kept.train_flags = point.train_flags;
      if (field != nullptr) {
        kept.*field = point.*field;
      }
      if (std::find(unlike.begin(), unlike.end(), kept) == unlike.end()) {
        unlike.push_back(std::move(kept));
      }
    }
    return unlike;
  }

  std::size_t add(Task task) {
    std::string described(name_of(task.kind));
    for (const std::string& argument : task.arguments) {
      described += '\0' + argument;
    }
    for (const std::size_t need : task.needs) {
      described += '\0' + plan_.tasks[need].id;
    }
    task.id = content_hash(described);
    const auto [place, is_new] = index_.emplace(task.id, plan_.tasks.size());
    if (is_new) {
      plan_.tasks.push_back(std::move(task));
    }
    return place->second;
  }

  static void append(std::vector<std::string>& arguments, const std::string& flag,
                     const std::string& value) {
    if (!value.empty()) {
      arguments.push_back(fmt::format("--{}={}", flag, value));
    }
  }

  std::size_t add_search(const GridPoint& point, std::uint64_t seed, const std::string& row) {
    const PhaseSettings& phase = *study_.phase(Phase::kSearch);
    Task task;
    task.kind = TaskKind::kSearch;
    task.phase = Phase::kSearch;
    task.seed = seed;
    task.epochs = phase.epochs;
    task.label = fmt::format("search, {}, seed {}", row, seed);
    task.arguments = {"search"};
    for (const FlagValues* flags : {&study_.search_flags, &phase.flags}) {
      for (const auto& [flag, value] : *flags) {
        append(task.arguments, flag, value);
      }
    }
    append(task.arguments, "data", point.data);
    append(task.arguments, "nodes", point.nodes);
    append(task.arguments, "cells", point.cells);
    append(task.arguments, "optimizer", point.optimizer);
    append(task.arguments, "lr", point.lr);
    append(task.arguments, "order", point.order);
    append(task.arguments, "size", point.size);
    for (const auto& [flag, value] : point.search_flags) {
      append(task.arguments, flag, value);
    }
    append(task.arguments, "epochs", std::to_string(phase.epochs));
    append(task.arguments, "seed", std::to_string(seed));
    return add(std::move(task));
  }

  /// What a training takes its network from, and the task that makes it.
  struct Network {
    std::string flag;  ///< genotype or network
    std::string value;
    std::vector<std::size_t> needs;
  };

  /// Sorted by name, so that equal trainings of two phases are one task.
  std::map<std::string, std::string> training_flags(const PhaseSettings& phase,
                                                    const GridPoint& point,
                                                    const Network& network) const {
    std::map<std::string, std::string> flags = {
        {"data", point.data},
        {"cells", point.trained_cells.empty() ? point.cells : point.trained_cells},
        {"size", point.size}};
    for (const FlagValues* values : {&point.train_flags, &study_.train_flags, &phase.flags}) {
      for (const auto& [flag, value] : *values) {  // a phase knows better than the grid
        flags[flag] = value;
      }
    }
    if (phase.phase == Phase::kResolution) {
      flags["size"] = point.size;
    }
    if (network.flag == "network") {  // of the zoo: it has its own depth, width and executor
      std::erase_if(flags, [](const auto& flag) { return kFlagsOfCells.contains(flag.first); });
      if (flags.contains("preset") || flags.contains("auxiliary")) {
        flags["auxiliary"] = "false";
      }
    }
    return flags;
  }

  std::size_t add_training(const PhaseSettings& phase, const GridPoint& point,
                           const Network& network, std::uint64_t seed, const std::string& row) {
    Task task;
    task.kind = TaskKind::kTrain;
    task.phase = phase.phase;
    task.seed = seed;
    task.epochs = phase.epochs;
    task.needs = network.needs;
    task.label = fmt::format("{}, {}, seed {}", name_of(phase.phase), row, seed);
    task.arguments = {"train"};
    for (const auto& [flag, value] : training_flags(phase, point, network)) {
      append(task.arguments, flag, value);
    }
    append(task.arguments, network.flag, network.value);
    append(task.arguments, "epochs", std::to_string(phase.epochs));
    append(task.arguments, "seed", std::to_string(seed));
    return add(std::move(task));
  }

  std::size_t add_evaluation(std::size_t training) {
    const Task& trained = plan_.tasks[training];
    Task task;
    task.kind = TaskKind::kEvaluate;
    task.phase = trained.phase;
    task.seed = trained.seed;
    task.needs = {training};
    task.label = "test of " + trained.label;
    task.arguments = {"evaluate", fmt::format("{{run:{}}}", trained.id), "--split=test"};
    return add(std::move(task));
  }

  void add_candidates(Row& row, const std::vector<Network>& networks,
                      const std::vector<std::uint64_t>& seeds) {
    const PhaseSettings* quick = study_.phase(Phase::kQuick);
    if (quick == nullptr) {
      return;
    }
    for (std::size_t i = 0; i < networks.size(); ++i) {
      row.quicks.push_back(add_training(*quick, row.point, networks[i], seeds[i], row.name));
    }
    if (study_.phase(Phase::kSelect) == nullptr) {
      return;
    }
    Task task;
    task.kind = TaskKind::kSelect;
    task.phase = Phase::kSelect;
    task.needs = row.quicks;
    task.label = "select, " + row.name;
    row.select = add(std::move(task));
    add_trained(
        row,
        {"genotype", fmt::format("{{selected:{}}}", plan_.tasks[*row.select].id), {*row.select}});
  }

  /// The trainings that end in a test: final, transfer, resolution.
  void add_trained(Row& row, const Network& network) {
    const auto add_one = [&](const PhaseSettings& phase, const GridPoint& point,
                             const std::string& what) {
      Row::Trained trained{phase.phase, what, point.data, {}, {}};
      const std::string name = what.empty() ? row.name : fmt::format("{}, {}", row.name, what);
      for (int run = 1; run <= phase.runs; ++run) {
        trained.trainings.push_back(
            add_training(phase, point, network, static_cast<std::uint64_t>(run), name));
        trained.evaluations.push_back(add_evaluation(trained.trainings.back()));
      }
      row.trained.push_back(std::move(trained));
    };
    for (const PhaseSettings& phase : study_.phases) {
      GridPoint point = row.point;
      if (phase.phase == Phase::kFinal) {
        add_one(phase, point, "");
      }
      for (const std::string& data : phase.data) {
        point.data = data;
        add_one(phase, point, data_names_.of(data));
      }
      for (const int size : phase.sizes) {
        point.size = std::to_string(size);
        add_one(phase, point, fmt::format("{} px", size));
      }
    }
  }

  /// A sheet for each data set, of the first training of each row on it.
  void add_explanations(const PhaseSettings& phase) {
    for (const std::string& name : phase.rows) {
      if (std::none_of(plan_.rows.begin(), plan_.rows.end(),
                       [&](const Row& row) { return row.name == name; })) {
        std::vector<std::string> names;
        for (const Row& row : plan_.rows) {
          names.push_back(row.name);
        }
        throw UserError(fmt::format("study: row '{}' in [explain] is unknown; use some of {}", name,
                                    fmt::join(names, ", ")));
      }
    }
    std::vector<std::string> sets;  // in the order of their first training
    for (const Row& row : plan_.rows) {
      for (const Row::Trained& trained : row.trained) {
        if (std::find(sets.begin(), sets.end(), trained.data) == sets.end()) {
          sets.push_back(trained.data);
        }
      }
    }
    for (const std::string& data : sets) {
      add_explanation(phase, data);
    }
  }

  void add_explanation(const PhaseSettings& phase, const std::string& data) {
    Task task;
    task.kind = TaskKind::kExplain;
    task.phase = Phase::kExplain;
    task.label = "explain, " + data_names_.of(data);
    task.arguments = {"explain"};
    if (phase.images.empty()) {  // else they need not be of this data set, and labels are unknown
      task.arguments.insert(task.arguments.end(), {"--data=" + data, "--target=label"});
    }
    for (const auto& [flag, value] : phase.flags) {
      if (flag == "target") {  // lists add up on the command line
        std::erase(task.arguments, "--target=label");
      }
      append(task.arguments, flag, value);
    }
    for (const Row& row : plan_.rows) {
      const bool wanted = phase.rows.empty() || std::find(phase.rows.begin(), phase.rows.end(),
                                                          row.name) != phase.rows.end();
      const auto trained =
          std::find_if(row.trained.begin(), row.trained.end(), [&](const Row::Trained& one) {
            return one.data == data && one.phase != Phase::kResolution;
          });
      if (wanted && trained != row.trained.end()) {
        add_to_explanation(task, row, trained->trainings.front());
      }
    }
    if (task.needs.empty()) {
      return;
    }
    if (phase.images.empty()) {
      append(task.arguments, "pick", std::to_string(phase.pick));
    } else {
      task.arguments.emplace_back("--");
      task.arguments.insert(task.arguments.end(), phase.images.begin(), phase.images.end());
    }
    add(std::move(task));
  }

  void add_to_explanation(Task& task, const Row& row, std::size_t training) const {
    if (task.needs.empty()) {  // the first: how to read the data set, as its trainings did
      for (const std::string& argument : plan_.tasks[training].arguments) {
        for (const char* flag : {"--layout=", "--adp-level=", "--label-columns="}) {
          if (argument.starts_with(flag)) {
            task.arguments.push_back(argument);
          }
        }
      }
    }
    task.arguments.push_back(fmt::format("--run={{run:{}}}", plan_.tasks[training].id));
    task.arguments.push_back("--name=" + row.name);
    task.needs.push_back(training);
  }

  void add_searched(const GridPoint& point) {
    Row row;
    row.kind = Row::Kind::kSearched;
    row.point = point;
    row.name = names_.of(point, false);
    row.name = row.name.empty() ? "searched" : row.name;
    std::vector<Network> networks;
    for (const std::uint64_t seed : study_.seeds) {
      row.searches.push_back(add_search(point, seed, row.name));
      networks.push_back({"genotype",
                          fmt::format("{{run:{}}}", plan_.tasks[row.searches.back()].id),
                          {row.searches.back()}});
    }
    add_candidates(row, networks, study_.seeds);
    plan_.rows.push_back(std::move(row));
  }

  void add_random(const GridPoint& point) {
    Row row;
    row.kind = Row::Kind::kRandom;
    row.point = point;
    const std::string setting = names_.of(point, true);
    row.name = setting.empty() ? "random" : "random " + setting;
    std::vector<Network> networks;
    std::vector<std::uint64_t> seeds = study_.seeds;  // those first, to pair with the searches
    const std::uint64_t largest = *std::max_element(seeds.begin(), seeds.end());
    for (int k = 0; k < study_.random_cells; ++k) {
      const int nodes = std::stoi(point.nodes);  // checked with the file
      networks.push_back({"genotype", random_cell(nodes, k, study_.random_seed), {}});
      if (static_cast<std::size_t>(k) >= seeds.size()) {
        seeds.push_back(largest + 1 + static_cast<std::uint64_t>(k) - study_.seeds.size());
      }
    }
    add_candidates(row, networks, seeds);
    plan_.rows.push_back(std::move(row));
  }

  void add_fixed(const GridPoint& point, const std::string& name, const Network& network) {
    const std::tuple key(name, network.flag, point);
    if (std::find(fixed_.begin(), fixed_.end(), key) != fixed_.end()) {
      return;  // a network of the zoo at settings that differ in cells only
    }
    fixed_.push_back(key);
    Row row;
    row.kind = Row::Kind::kFixed;
    row.point = point;
    const std::string setting = names_.of(point, true);
    row.name = setting.empty() ? name : fmt::format("{} {}", name, setting);
    const PhaseSettings* quick = study_.phase(Phase::kQuick);
    add_trained(row, network);
    if (row.trained.empty() && quick != nullptr) {
      for (const std::uint64_t seed : study_.seeds) {
        row.quicks.push_back(add_training(*quick, point, network, seed, row.name));
      }
    }
    plan_.rows.push_back(std::move(row));
  }

  const Study& study_;
  DataNames data_names_;
  PointNames names_;
  /// Fixed rows so far: the name and kind of the network, and its setting.
  std::vector<std::tuple<std::string, std::string, GridPoint>> fixed_;
  Plan plan_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace

std::string_view name_of(TaskKind kind) {
  constexpr std::string_view kNames[] = {"search", "train", "evaluate", "select", "explain"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string random_cell(int nodes, int k, std::uint64_t seed) {
  Stream stream(seed, "random cell", static_cast<std::uint64_t>(nodes),
                static_cast<std::uint64_t>(k));
  return space::to_python(space::random_genotype(nodes, stream));
}

Plan make_plan(const Study& study) { return Planner(study).make(); }

}  // namespace probedarts::study
