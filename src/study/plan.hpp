#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "study/study_file.hpp"

/// A study as a list of tasks with what each waits for.
namespace probedarts::study {

enum class TaskKind { kSearch, kTrain, kEvaluate, kSelect, kExplain };

/// One call of the program, or (select) one choice among finished trainings.
/// Selects and explanations go on with those that are left when some of what they need failed.
struct Task {
  std::string id;  ///< 32 hexadecimal digits of what it computes: kind, flags, and ids waited for.
                   ///< Threads, folders and the study's name are not in it, so that a changed study
                   ///< keeps what it has in common with the old one
  TaskKind kind = TaskKind::kSearch;
  Phase phase = Phase::kSearch;
  std::string label;                   ///< for people: "search, N=3, seed 2"
  std::vector<std::string> arguments;  ///< command and flags; {run:ID} and {selected:ID} stand for
                                       ///< the folder of a task and the cell a select chose
  std::vector<std::size_t> needs;      ///< indices of earlier tasks
  std::uint64_t seed = 0;
  int epochs = 0;  ///< 0: the command's default, or no training
};

/// A line of the tables: a setting of the grid, the random cells of one, or a fixed network.
struct Row {
  enum class Kind { kSearched, kRandom, kFixed };
  Kind kind = Kind::kSearched;
  std::string name;
  GridPoint point;
  std::vector<std::size_t> searches;  ///< tasks, one a seed
  std::vector<std::size_t> quicks;    ///< one a candidate, in the order of searches
  std::optional<std::size_t> select;
  /// Trainings with the evaluation of each on the test split, for one data set and image size.
  struct Trained {
    Phase phase = Phase::kFinal;
    std::string what;  ///< of transfer: the data set; of resolution: "68 px"
    std::string data;  ///< folder of the data set
    std::vector<std::size_t> trainings, evaluations;
  };
  std::vector<Trained> trained;
};

struct Plan {
  std::vector<Task> tasks;  ///< each after all it needs; no two with the same id
  std::vector<Row> rows;
  /// Each data set as rows, tables and figures call it: the last part of its path, and as many
  /// before that as tell it from the others.
  std::map<std::string, std::string> data_names;
};

/// Lays out all tasks of a study. A pure function of it.
/// \throws UserError when [explain] names a row that the study does not have, or two rows would have
/// one name.
Plan make_plan(const Study& study);

/// The k-th random cell of a size, as text: for one seed the same wherever it appears.
std::string random_cell(int nodes, int k, std::uint64_t seed = kRandomSeed);

/// "search", "train", "evaluate", "select" or "explain".
std::string_view name_of(TaskKind kind);

}  // namespace probedarts::study
