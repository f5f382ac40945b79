#pragma once

#include <string>
#include <vector>

#include "report/read_run.hpp"

/// The parts of the page that need no script: what a reader without JavaScript, or a printer, sees.
/// Every function returns HTML with all text from the run folders escaped.
namespace probedarts::report {

/// A run and what the page calls it.
struct NamedRun {
  const Run* run;
  std::string name;
};

/// One card a run: data set, optimiser, rate, epochs, errors, and notes from reading.
std::string summary_cards(const std::vector<NamedRun>& runs);

/// Both cells drawn, and the genotype text with a button that copies it.
std::string cell_drawings(const std::vector<NamedRun>& runs);

/// `findings` as lists.
std::string finding_lists(const std::vector<NamedRun>& runs);

/// Mean seconds of an epoch and where they go.
std::string time_table(const std::vector<NamedRun>& runs);

/// Provenance and every option, one column a run; rows that differ between runs are marked.
std::string configuration_table(const std::vector<NamedRun>& runs);

/// The commands that repeat, resume and report.
std::string command_list(const std::vector<NamedRun>& runs);

}  // namespace probedarts::report
