#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "study/table_text.hpp"
#include "study/tables.hpp"

/// What a study found beside its accuracies, as tables for other programs and for print.
namespace probedarts::study {

/// Every comparison, also those that pages leave out: measure, over runs or test images, both rows,
/// test, pairs (or, of rows that nothing pairs, runs of both), difference of means with both ends
/// of its 95 % interval, p, p after correction, verdict, and how many pairs would be needed where
/// it is not distinguishable and that can be told.
TextTable comparison_table(const Findings& findings);

/// Every rank correlation: from, to, what cells were compared within, cells, strata, Kendall's
/// tau-b with both ends of its interval, Spearman's rho, p.
TextTable correlation_table(const Findings& findings);

/// What the probes said at the end of the searches: row, probe, searches, mean, sd.
TextTable probe_table(const Findings& findings);

/// Indices into kSearchProbes of those that any search of the study recorded.
std::vector<std::size_t> recorded_probes(const Findings& findings);

/// Of one probe over the searches of a row that recorded it.
MeanSd probe_of(const Findings& findings, std::size_t row, std::size_t probe);

/// "0.213 +- 0.021"; "-" where no search recorded it.
std::string probe_text(const MeanSd& seen);

}  // namespace probedarts::study
