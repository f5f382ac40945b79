#include "study/plan.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "core/files.hpp"
#include "core/random.hpp"
#include "space/genotype.hpp"

namespace probedarts::study {
namespace {

/// The same for all random cells of one size, wherever they appear.
constexpr std::uint64_t kRandomCellSeed = 1;

std::string base_name(const std::string& data) {
  const std::filesystem::path path = std::filesystem::path(data).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

/// Names settings by what differs between them.
class PointNames {
 public:
  explicit PointNames(const std::vector<GridPoint>& points) {
    for (const Part& part : kParts) {
      std::set<std::string> values;
      for (const GridPoint& point : points) {
        values.insert(point.*part.field);
      }
      differs_.push_back(values.size() > 1);
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
      const std::string shown = kParts[i].field == &GridPoint::data ? base_name(value) : value;
      name += (name.empty() ? "" : " ") + fmt::format(fmt::runtime(kParts[i].form), shown);
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
      {&GridPoint::size, "{}px", true}};
  std::vector<bool> differs_;
};

class Planner {
 public:
  explicit Planner(const Study& study) : study_(study), names_(study.points) {}

  Plan make() {
    if (study_.phase(Phase::kSearch) != nullptr) {
      for (const GridPoint& point : study_.points) {
        add_searched(point);
      }
    }
    for (const GridPoint& point : unlike_points(&GridPoint::nodes)) {
      if (study_.random_cells > 0) {
        add_random(point);
      }
    }
    for (const GridPoint& point : unlike_points(nullptr)) {
      for (const std::string& genotype : study_.genotypes) {
        add_fixed(point, genotype, "genotype");
      }
    }
    for (GridPoint point : unlike_points(nullptr)) {
      point.cells.clear();  // a network of the zoo has its own depth
      for (const std::string& network : study_.networks) {
        add_fixed(point, network, "network");
      }
    }
    return std::move(plan_);
  }

 private:
  /// Settings that differ in data, cells, size and, if given, one field more.
  std::vector<GridPoint> unlike_points(std::string GridPoint::*field) const {
    std::vector<GridPoint> unlike;
    std::set<std::vector<std::string>> seen;
    for (const GridPoint& point : study_.points) {
      GridPoint kept{point.data, "", point.cells, "", "", "", point.size};
      if (field != nullptr) {
        kept.*field = point.*field;
      }
      if (seen.insert({kept.data, kept.nodes, kept.cells, kept.size}).second) {
        unlike.push_back(kept);
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
    task.epochs = phase.epochs.value_or(0);
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
    append(task.arguments, "epochs", phase.epochs ? std::to_string(*phase.epochs) : "");
    append(task.arguments, "seed", std::to_string(seed));
    return add(std::move(task));
  }

  /// What a training takes its network from, and the task that makes it.
  struct Network {
    std::string flag;  ///< genotype or network
    std::string value;
    std::vector<std::size_t> needs;
  };

  std::size_t add_training(const PhaseSettings& phase, const GridPoint& point,
                           const Network& network, std::uint64_t seed, const std::string& row) {
    Task task;
    task.kind = TaskKind::kTrain;
    task.phase = phase.phase;
    task.seed = seed;
    task.epochs = phase.epochs.value_or(0);
    task.needs = network.needs;
    task.label = fmt::format("{}, {}, seed {}", name_of(phase.phase), row, seed);
    task.arguments = {"train"};
    FlagValues flags = {{"data", point.data}, {"cells", point.cells}, {"size", point.size}};
    flags.insert(flags.end(), study_.train_flags.begin(), study_.train_flags.end());
    for (const auto& [flag, value] : phase.flags) {  // a phase knows better than the grid
      std::erase_if(flags, [&](const auto& other) { return other.first == flag; });
      flags.emplace_back(flag, value);
    }
    if (phase.phase == Phase::kResolution) {
      std::erase_if(flags, [](const auto& other) { return other.first == "size"; });
      flags.emplace_back("size", point.size);
    }
    for (const auto& [flag, value] : flags) {
      if (network.flag != "network" || flag != "cells") {
        append(task.arguments, flag, value);
      }
    }
    append(task.arguments, network.flag, network.value);
    append(task.arguments, "epochs", phase.epochs ? std::to_string(*phase.epochs) : "");
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
      Row::Trained trained{phase.phase, what, {}, {}};
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
        add_one(phase, point, base_name(data));
      }
      for (const int size : phase.sizes) {
        point.size = std::to_string(size);
        add_one(phase, point, fmt::format("{} px", size));
      }
    }
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
      Stream stream(kRandomCellSeed, "random cell", static_cast<std::uint64_t>(nodes),
                    static_cast<std::uint64_t>(k));
      networks.push_back({"genotype", space::to_python(space::random_genotype(nodes, stream)), {}});
      if (static_cast<std::size_t>(k) >= seeds.size()) {
        seeds.push_back(largest + 1 + static_cast<std::uint64_t>(k) - study_.seeds.size());
      }
    }
    add_candidates(row, networks, seeds);
    plan_.rows.push_back(std::move(row));
  }

  void add_fixed(const GridPoint& point, const std::string& name, const std::string& flag) {
    Row row;
    row.kind = Row::Kind::kFixed;
    row.point = point;
    const std::string setting = names_.of(point, true);
    row.name = setting.empty() ? name : fmt::format("{} {}", name, setting);
    for (const Row& other : plan_.rows) {
      if (other.name == row.name) {
        return;  // a network of the zoo at settings that differ in cells only
      }
    }
    const Network network{flag, name, {}};
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
  PointNames names_;
  Plan plan_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace

std::string_view name_of(TaskKind kind) {
  constexpr std::string_view kNames[] = {"search", "train", "evaluate", "select"};
  return kNames[static_cast<std::size_t>(kind)];
}

Plan make_plan(const Study& study) { return Planner(study).make(); }

}  // namespace probedarts::study
