#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "study/plan.hpp"
#include "study/run_study.hpp"

/// What the probes said of a search at its end: stable rank beside what others use.
namespace probedarts::study {

/// - mean stable rank: over the layers whose factorisation did not fail;
/// - largest eigenvalue: of the Hessian of the validation loss in alpha (`--probe eigenvalue`);
/// - discretisation gap: error of the derived cell with inherited weights less that of the supernet
///   (`--probe gap`);
/// - gradient alignment: cosine of training and validation gradient (`--probe alignment`);
/// - share without parameters: of the edges that derivation keeps in normal cells;
/// - gain of stable rank: over the last epoch, mean over layers: the velocity of knowledge gain.
/// See docs/probes.md for the equations and sources.
inline constexpr std::array<std::string_view, 6> kSearchProbes = {
    "mean stable rank",   "largest eigenvalue",       "discretisation gap",
    "gradient alignment", "share without parameters", "gain of stable rank"};

/// One number a probe, in that order; nothing where it was not measured.
using SearchProbes = std::array<std::optional<double>, kSearchProbes.size()>;

/// Reads the last whole line of a search's epochs.jsonl, and no other.
/// \throws UserError when the file cannot be read, or that line is no JSON object.
SearchProbes read_search_probes(const std::filesystem::path& epochs_jsonl);

/// Those of every search of every row, in their order; without numbers where a search has not ended
/// well or its run folder is gone.
std::vector<std::vector<SearchProbes>> read_all_search_probes(const Plan& plan,
                                                              const Progress& progress,
                                                              const StudyFolder& folder);

}  // namespace probedarts::study
