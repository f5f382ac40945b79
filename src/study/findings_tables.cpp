#include "study/findings_tables.hpp"

#include <optional>

#include <fmt/format.h>

namespace probedarts::study {
namespace {

std::string number(double value) { return fmt::format("{:.6g}", value); }

std::string number(const std::optional<double>& value) { return value ? number(*value) : ""; }

std::string verdict_text(Verdict verdict) {
  return verdict == Verdict::kBetter  ? "better"
         : verdict == Verdict::kWorse ? "worse"
                                      : "not distinguishable";
}

std::string test_text(TestKind test) {
  return test == TestKind::kPermutation ? "permutation"
         : test == TestKind::kStudent   ? "student"
                                        : "sign-flip";
}

void add_comparisons(TextTable& table, const std::string& measure, const char* over,
                     const std::vector<Comparison>& comparisons) {
  for (const Comparison& c : comparisons) {
    const bool paired = c.test != TestKind::kPermutation;
    table.lines.push_back(
        {measure, over, c.first, c.second, test_text(c.test), paired ? std::to_string(c.pairs) : "",
         paired ? "" : std::to_string(c.first_runs), paired ? "" : std::to_string(c.second_runs),
         number(c.difference.mean), c.interval ? number(c.interval->low) : "",
         c.interval ? number(c.interval->high) : "", number(c.p), number(c.corrected_p),
         verdict_text(c.verdict), c.needed ? std::to_string(*c.needed) : ""});
  }
}

}  // namespace

TextTable comparison_table(const Findings& findings) {
  TextTable table{
      {"measure", "over", "first", "second", "test", "pairs", "first runs", "second runs",
       "difference", "low", "high", "p", "corrected p", "verdict", "needed"},
      {}};
  for (std::size_t m = 0; m < findings.measures.size(); ++m) {
    const std::string& measure = findings.measures[m].name;
    add_comparisons(table, measure, "runs", findings.comparisons[m]);
    add_comparisons(table, measure, "test images", findings.image_comparisons[m]);
  }
  return table;
}

TextTable correlation_table(const Findings& findings) {
  TextTable table{{"from", "to", "within", "cells", "strata", "tau-b", "low", "high", "rho", "p"},
                  {}};
  for (const Prediction& prediction : findings.predictions) {
    const RankCorrelation& found = prediction.found;
    const auto& interval = found.tau_interval;
    table.lines.push_back({prediction.from, prediction.to,
                           prediction.within == Within::kSetting ? "setting" : "data set and size",
                           std::to_string(found.points), std::to_string(found.strata),
                           number(found.tau), interval ? number(interval->low) : "",
                           interval ? number(interval->high) : "", number(found.rho),
                           number(found.p)});
  }
  return table;
}

std::vector<std::size_t> recorded_probes(const Findings& findings) {
  std::vector<std::size_t> recorded;
  for (std::size_t probe = 0; probe < kSearchProbes.size(); ++probe) {
    bool any = false;
    for (std::size_t row = 0; row < findings.probes.size(); ++row) {
      any = any || probe_of(findings, row, probe).runs > 0;
    }
    if (any) {
      recorded.push_back(probe);
    }
  }
  return recorded;
}

MeanSd probe_of(const Findings& findings, std::size_t row, std::size_t probe) {
  std::vector<double> values;
  for (const SearchProbes& search : findings.probes[row]) {
    if (search[probe]) {
      values.push_back(*search[probe]);
    }
  }
  return mean_and_sd(values);
}

std::string probe_text(const MeanSd& seen) {
  return seen.runs == 0 ? "-"
         : seen.sd      ? fmt::format("{:.3g} +- {:.2g}", seen.mean, *seen.sd)
                        : fmt::format("{:.3g}", seen.mean);
}

TextTable probe_table(const Findings& findings) {
  TextTable table{{"row", "probe", "searches", "mean", "sd"}, {}};
  for (std::size_t row = 0; row < findings.probes.size(); ++row) {
    for (const std::size_t probe : recorded_probes(findings)) {
      if (const MeanSd seen = probe_of(findings, row, probe); seen.runs > 0) {
        table.lines.push_back({findings.rows[row], std::string(kSearchProbes[probe]),
                               std::to_string(seen.runs), number(seen.mean), number(seen.sd)});
      }
    }
  }
  return table;
}

}  // namespace probedarts::study
