#include "study/task_results.hpp"

#include <nlohmann/json.hpp>

namespace probedarts::study {
namespace {

using nlohmann::json;

json result_of(const Progress& progress, std::size_t task) {
  return progress.states[task] == TaskState::kDone
             ? json::parse(progress.records[task].result, nullptr, false)
             : json();
}

}  // namespace

std::optional<double> printed_number(const Progress& progress, std::size_t task, const char* key) {
  const json result = result_of(progress, task);
  return result.is_object() && result.contains(key) && result[key].is_number()
             ? std::optional(result[key].get<double>())
             : std::nullopt;
}

std::optional<double> validation_accuracy(const Progress& progress, std::size_t task,
                                          const char* error_key) {
  const auto error = printed_number(progress, task, error_key);
  return error ? std::optional(1.0 - *error) : std::nullopt;
}

std::optional<double> test_accuracy(const Progress& progress, std::size_t task) {
  const json result = result_of(progress, task);
  const json::json_pointer place("/evaluations/0/measures/accuracy/value");
  return result.contains(place) && result[place].is_number()
             ? std::optional(result[place].get<double>())
             : std::nullopt;
}

}  // namespace probedarts::study
