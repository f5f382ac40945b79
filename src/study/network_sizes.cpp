#include "study/network_sizes.hpp"

#include <nlohmann/json.hpp>

namespace probedarts::study {

std::optional<int> tested_size(const Progress& progress, std::size_t task) {
  if (progress.states[task] != TaskState::kDone) {
    return std::nullopt;
  }
  const auto result = nlohmann::json::parse(progress.records[task].result, nullptr, false);
  const nlohmann::json::json_pointer size("/evaluations/0/size");
  return result.contains(size) && result[size].is_number_integer()
             ? std::optional(result[size].get<int>())
             : std::nullopt;
}

std::optional<RowSize> size_of(const Row::Trained& trained, const Plan& plan,
                               const Progress& progress, const StudyFolder& folder,
                               const CountNetwork& count) {
  std::optional<int> size_px;
  for (const std::size_t task : trained.evaluations) {
    size_px = size_px ? size_px : tested_size(progress, task);
  }
  if (!size_px || !count) {
    return std::nullopt;
  }
  for (const std::size_t task : trained.trainings) {  // all of one network
    if (const auto network = count(folder.run(plan.tasks[task].id), *size_px)) {
      return RowSize{*network, *size_px};
    }
  }
  return std::nullopt;
}

}  // namespace probedarts::study
