#include "learn/search_history.hpp"

#include <cmath>
#include <limits>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "probe/early_stop.hpp"

namespace probedarts::learn {

void SearchHistory::add(const std::string& line) {
  const auto epoch = nlohmann::json::parse(line);
  std::vector<double>& layers = stable_rank.emplace_back();
  double sum = 0.0;
  std::size_t count = 0;
  for (const auto& value : epoch.at("probe").at("stable_rank")) {
    layers.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                     : value.get<double>());
    if (!value.is_null()) {
      sum += layers.back();
      ++count;
    }
  }
  mean_stable_rank.push_back(count == 0 ? 0.0 : sum / static_cast<double>(count));
  parameter_free_share.push_back(epoch.at("collapse").at("normal").at("parameter_free_share"));
  genotype.push_back(epoch.at("genotype").dump());
  if (const auto measured = epoch.find("eigenvalue"); measured != epoch.end()) {
    eigenvalue.push_back(measured->at("largest"));
    eigenvalue_epoch.push_back(epochs() - 1);
  }
}

SearchHistory read_history(const std::filesystem::path& epochs_jsonl) {
  SearchHistory history;
  if (std::filesystem::exists(epochs_jsonl)) {
    std::istringstream lines(read_file(epochs_jsonl));
    for (std::string line; std::getline(lines, line);) {
      history.add(line);
    }
  }
  return history;
}

std::optional<EarlyStop> early_stop(const SearchConfig& config, const SearchHistory& history) {
  const int last = history.epochs() - 1;
  if (history.epochs() < config.stop_from) {
    return std::nullopt;
  }
  const int window = config.stop_window;
  if (config.stop_eigenvalue > 0.0 &&
      probe::has_grown(history.eigenvalue, window, config.stop_eigenvalue)) {
    const int kept = history.eigenvalue_epoch.end()[-1 - window];
    return EarlyStop{"eigenvalue",
                     fmt::format("the largest eigenvalue in alpha, mean of {} values, has grown by "
                                 "a factor of {} or more; the cell of epoch {} is kept",
                                 window, config.stop_eigenvalue, kept + 1),
                     kept};
  }
  if (config.stop_parameter_free > 0.0 &&
      probe::has_taken_over(history.parameter_free_share, window, config.stop_parameter_free)) {
    return EarlyStop{"parameter-free",
                     fmt::format("at least {:g} % of the normal cell's kept edges have carried no "
                                 "parameters for {} epochs",
                                 100.0 * config.stop_parameter_free, window),
                     last};
  }
  const double tolerance = config.stop_tolerance;
  const bool flat = (config.stop_plateau == "global" &&
                     probe::is_flat(history.mean_stable_rank, window, tolerance)) ||
                    (config.stop_plateau == "local" &&
                     probe::is_flat_everywhere(history.stable_rank, window, tolerance));
  if (flat) {
    return EarlyStop{"plateau",
                     fmt::format("the stable rank {} moved less than {:g} % in {} epochs",
                                 config.stop_plateau == "global" ? "averaged over layers has"
                                                                 : "of nine layers in ten has",
                                 100.0 * tolerance, window),
                     last};
  }
  return std::nullopt;
}

}  // namespace probedarts::learn
