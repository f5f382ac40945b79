#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/run_folder.hpp"
#include "learn/search_config.hpp"
#include "learn/search_history.hpp"
#include "space/genotype.hpp"

namespace probedarts::learn {

/// What a finished search tells its caller.
struct SearchResult {
  std::filesystem::path run;
  space::Genotype genotype;
  int epochs = 0;
  double train_error = 0.0, valid_error = 0.0;  ///< of the last epoch, 0..1
  double stable_rank = 0.0;                     ///< mean over layers, last epoch
  double seconds = 0.0;                         ///< of this process
  std::optional<EarlyStop> stopped;             ///< why it ended before its last epoch
};

/// Runs a search from the beginning into a new run folder (docs/run-folder.md).
///
/// Each epoch: for every mini-batch an architecture step and a weight step (bilevel.hpp); then the
/// validation half in evaluation mode, the probes of every convolution, Adas' rates, the derived
/// genotype, one line of epochs.jsonl and a checkpoint. A rule of stopping (search_history.hpp) may
/// end it before its last epoch; run.json then says why. \throws UserError, Diverged (naming epoch
/// and layer; the last good checkpoint stays), Interrupted (after a checkpoint).
SearchResult run_search(const SearchConfig& config, const std::filesystem::path& out,
                        RunFolder::IfExists if_exists);

/// Goes on with a run exactly where its checkpoint stands: the result has the same bits as one
/// never stopped.
/// \param machine_options  where to run it (is_machine_option); everything else comes from the run
///                         folder.
/// \throws UserError  the folder holds no search that can go on.
/// \throws Diverged, Interrupted  as run_search.
SearchResult resume_search(const std::filesystem::path& run, const nlohmann::json& machine_options);

}  // namespace probedarts::learn
