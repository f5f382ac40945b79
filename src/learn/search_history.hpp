#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "learn/search_config.hpp"

namespace probedarts::learn {

/// What the finished epochs of a search have shown. It is made from the lines of epochs.jsonl
/// alone, whether they have just been written or were read back: so a resumed search decides as one
/// that was never stopped, and a checkpoint need not hold any of it.
struct SearchHistory {
  std::vector<std::vector<double>> stable_rank;  ///< [epoch][layer]; NaN where it failed
  std::vector<double> mean_stable_rank;          ///< of the layers that did not fail
  std::vector<double> parameter_free_share;      ///< of the normal cell's kept edges
  std::vector<double> eigenvalue;                ///< the largest, of epochs that measured it
  std::vector<int> eigenvalue_epoch;             ///< those epochs
  std::vector<std::string> genotype;             ///< derived after each epoch, as JSON

  int epochs() const { return static_cast<int>(stable_rank.size()); }
  /// Adds an epoch. \param line  of epochs.jsonl.
  void add(const std::string& line);
};

/// The history of all lines of a file; empty where there is none.
SearchHistory read_history(const std::filesystem::path& epochs_jsonl);

/// Why a search ends before its last epoch.
struct EarlyStop {
  std::string rule;        ///< "eigenvalue", "parameter-free" or "plateau"
  std::string why;         ///< one sentence
  int genotype_epoch = 0;  ///< whose genotype is the result
};

/// The first rule of the configuration that says to stop after the last epoch of the history, or
/// nothing (docs/probes.md, "Stopping early").
std::optional<EarlyStop> early_stop(const SearchConfig& config, const SearchHistory& history);

}  // namespace probedarts::learn
