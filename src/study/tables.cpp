#include "study/tables.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/escape.hpp"
#include "study/findings_tables.hpp"
#include "study/task_results.hpp"

namespace probedarts::study {
namespace {

ScoredRow score(const Row& row, const Plan& plan, const std::vector<std::size_t>& tasks,
                const auto& measure) {
  ScoredRow scored{row.name, {}, {}};
  for (const std::size_t task : tasks) {
    if (const auto value = measure(task)) {
      scored.seeds.push_back(plan.tasks[task].seed);
      scored.scores.push_back(*value);
    }
  }
  return scored;
}

std::string name_of_test(const Row::Trained& trained) {
  const char* how = trained.phase == Phase::kFinal      ? "test accuracy"
                    : trained.phase == Phase::kTransfer ? "test accuracy on "
                                                        : "test accuracy at ";
  return how + trained.what;
}

/// The tasks of a row that measure something, and the data set they do it on.
struct MeasuringTasks {
  std::vector<std::size_t> tasks;
  std::string data;
};

/// What the tests of a row said of each image, as the mean of its runs.
std::optional<TestImages> images_of(const std::vector<std::size_t>& tests, const Plan& plan,
                                    const Progress& progress, const StudyFolder& folder) {
  std::vector<TestImages> runs;
  for (const std::size_t test : tests) {
    if (progress.states[test] != TaskState::kDone) {
      continue;
    }
    auto images = read_test_images(folder.predictions(plan.tasks[test].id));
    if (!images) {
      return std::nullopt;
    }
    runs.push_back(std::move(*images));
  }
  return mean_over_runs(runs);
}

/// Whether these tasks of a row are of cells drawn at random. What was selected among them is one
/// cell, whose trainings are repeated with the seeds of all others.
bool is_drawn(const Row& row, const std::vector<std::size_t>& tasks) {
  return row.kind == Row::Kind::kRandom && tasks == row.quicks;
}

class Measurer {
 public:
  Measurer(const Plan& plan, const Progress& progress, const CompareOptions& options,
           const std::optional<StudyFolder>& folder, Findings& findings)
      : plan_(plan), progress_(progress), options_(options), folder_(folder), findings_(findings) {}

  void measure_all() {
    add(
        "search validation accuracy",
        [](const Row& row) {
          return MeasuringTasks{row.searches, row.point.data};
        },
        [&](std::size_t task) { return validation_accuracy(progress_, task, "valid_error"); });
    add(
        "quick validation accuracy",
        [](const Row& row) {
          return MeasuringTasks{row.quicks, row.point.data};
        },
        [&](std::size_t task) { return validation_accuracy(progress_, task, "best_error"); });
    for (const std::string& test : tests()) {
      const auto tasks_of = [&](const Row& row) {
        for (const Row::Trained& trained : row.trained) {
          if (name_of_test(trained) == test) {
            return MeasuringTasks{trained.evaluations, trained.data};
          }
        }
        return MeasuringTasks{};
      };
      add(test, tasks_of, [&](std::size_t task) { return test_accuracy(progress_, task); });
    }
  }

 private:
  /// In the order of their first row.
  std::vector<std::string> tests() const {
    std::vector<std::string> names;
    for (const Row& row : plan_.rows) {
      for (const Row::Trained& trained : row.trained) {
        if (std::find(names.begin(), names.end(), name_of_test(trained)) == names.end()) {
          names.push_back(name_of_test(trained));
        }
      }
    }
    return names;
  }

  void add(const std::string& name, const auto& tasks_of, const auto& measure) {
    Measured measured;
    measured.name = name;
    std::vector<ImageRow> images;
    bool any = false;
    for (const Row& row : plan_.rows) {
      const MeasuringTasks measuring = tasks_of(row);
      measured.rows.push_back(score(row, plan_, measuring.tasks, measure));
      measured.data.push_back(measuring.data);
      any = any || !measured.rows.back().scores.empty();
      measured.rows.back().drawn = is_drawn(row, measuring.tasks);
      images.push_back(
          {row.name, measuring.data,
           folder_ ? images_of(measuring.tasks, plan_, progress_, *folder_) : std::nullopt});
      measured.images.push_back(
          images.back().images ? std::optional(score_of(*images.back().images)) : std::nullopt);
    }
    if (any) {
      findings_.comparisons.push_back(compare_all(measured));
      findings_.image_comparisons.push_back(compare_on_images(images, options_));
      findings_.measures.push_back(std::move(measured));
    }
  }

  std::vector<Comparison> compare_all(const Measured& measured) const {
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t a = 0; a < measured.rows.size(); ++a) {
      for (std::size_t b = a + 1; b < measured.rows.size(); ++b) {
        if (!measured.rows[a].scores.empty() && !measured.rows[b].scores.empty() &&
            measured.data[a] == measured.data[b]) {
          pairs.emplace_back(a, b);
        }
      }
    }
    return compare_rows(measured.rows, pairs, options_);
  }

  const Plan& plan_;
  const Progress& progress_;
  const CompareOptions& options_;
  const std::optional<StudyFolder>& folder_;
  Findings& findings_;
};

std::string cell_text(const ScoredRow& row, TableFormat format) {
  const MeanSd seen = mean_and_sd(row.scores);
  if (seen.runs == 0) {
    return "-";
  }
  const char* form = format == TableFormat::kLatex ? "${}_{{{}}}$" : "{}<sub>{}</sub>";
  return seen.sd ? fmt::format(fmt::runtime(form), percent(seen.mean), percent(*seen.sd))
                 : percent(seen.mean);
}

std::string csv_interval(const std::optional<Interval>& interval) {
  return interval ? fmt::format("{:.6f},{:.6f}", interval->low, interval->high) : ",";
}

std::string csv_images(const std::optional<ImageScore>& score) {
  return score ? fmt::format("{},{},{}", score->images,
                             score->groups > 0 ? std::to_string(score->groups) : "",
                             csv_interval(score->interval))
               : ",,,";
}

std::string render_csv(const Findings& findings) {
  std::string text =
      "row,measure,runs,mean,sd,low,high,images,groups,images_low,images_high,bootstrap_low,"
      "bootstrap_high\n";
  for (const Measured& measured : findings.measures) {
    for (std::size_t r = 0; r < measured.rows.size(); ++r) {
      const ScoredRow& row = measured.rows[r];
      const MeanSd seen = mean_and_sd(row.scores);
      if (seen.runs == 0) {
        continue;
      }
      text += fmt::format(
          "{},{},{},{:.6f},{},{},{},{}\n", csv_field(row.name), csv_field(measured.name), seen.runs,
          seen.mean, seen.sd ? fmt::format("{:.6f}", *seen.sd) : "",
          csv_interval(interval_of_mean(row.scores)), csv_images(measured.images[r]),
          csv_interval(bootstrap_interval(row.scores, kBootstrapSeed)));
    }
  }
  return text;
}

std::string render_latex(const Findings& findings) {
  std::string text = fmt::format("\\begin{{tabular}}{{l{}}}\n\\hline\n",
                                 std::string(findings.measures.size(), 'r'));
  for (const Measured& measured : findings.measures) {
    text += " & " + escaped(measured.name, TableFormat::kLatex);
  }
  text += " \\\\\n\\hline\n";
  const std::size_t rows = findings.measures.empty() ? 0 : findings.measures[0].rows.size();
  for (std::size_t r = 0; r < rows; ++r) {
    text += escaped(findings.measures[0].rows[r].name, TableFormat::kLatex);
    for (const Measured& measured : findings.measures) {
      text += " & " + cell_text(measured.rows[r], TableFormat::kLatex);
    }
    text += " \\\\\n";
  }
  return text + "\\hline\n\\end{tabular}\n";
}

std::string markdown_table(const Findings& findings) {
  std::string head = "| |";
  std::string line = "|---|";
  for (const Measured& measured : findings.measures) {
    head += fmt::format(" {} |", escaped(measured.name, TableFormat::kMarkdown));
    line += "---:|";
  }
  std::string text = head + "\n" + line + "\n";
  const std::size_t rows = findings.measures.empty() ? 0 : findings.measures[0].rows.size();
  for (std::size_t r = 0; r < rows; ++r) {
    text +=
        fmt::format("| {} |", escaped(findings.measures[0].rows[r].name, TableFormat::kMarkdown));
    for (const Measured& measured : findings.measures) {
      const ScoredRow& row = measured.rows[r];
      const auto interval = interval_of_mean(row.scores);
      text += fmt::format(" {}{} |", cell_text(row, TableFormat::kMarkdown),
                          interval ? fmt::format(" ({} to {}; {} runs)", percent(interval->low),
                                                 percent(interval->high), row.scores.size())
                                   : "");
    }
    text += "\n";
  }
  return text;
}

std::string sentences(const std::string& head, const Findings& findings, std::size_t measure,
                      const std::vector<Comparison>& all) {
  std::string text = all.empty() ? "" : fmt::format("\n## {}\n\n", head);
  const std::vector<Comparison> said = worth_saying(findings, findings.measures[measure], all);
  for (const Comparison& comparison : said) {
    text += fmt::format("- {}\n", escaped(comparison.sentence, TableFormat::kMarkdown));
  }
  const std::string note = note_on_pairs(said.size(), all.size());
  return note.empty() ? text : text + "\n" + note + "\n";
}

/// How far the accuracies hold for other images, or groups of them, like these.
std::string image_table(const Measured& measured) {
  std::string text;
  for (std::size_t r = 0; r < measured.rows.size(); ++r) {
    const std::optional<ImageScore>& score = measured.images[r];
    if (!score) {
      continue;
    }
    text += fmt::format("| {} | {} | {} | {} | {} |\n",
                        escaped(measured.rows[r].name, TableFormat::kMarkdown),
                        percent(score->accuracy), image_range_text(*score), score->images,
                        score->groups > 0 ? std::to_string(score->groups) : "not known");
  }
  return text.empty() ? ""
                      : fmt::format(
                            "\n## Over test images: {}\n\n| | mean of the runs | 95 % "
                            "interval | images | groups |\n|---|---:|---:|---:|"
                            "---:|\n{}",
                            escaped(measured.name, TableFormat::kMarkdown), text);
}

/// What the probes said at the end of the searches, a column each.
std::string probe_columns(const Findings& findings) {
  const std::vector<std::size_t> recorded = recorded_probes(findings);
  TextTable table{{""}, {}};
  std::string text;
  for (const std::size_t probe : recorded) {
    table.head.emplace_back(kSearchProbes[probe]);
  }
  for (std::size_t row = 0; row < findings.probes.size(); ++row) {
    if (findings.probes[row].empty()) {
      continue;  // not searched
    }
    table.lines.push_back({findings.rows[row]});
    for (const std::size_t probe : recorded) {
      table.lines.back().push_back(probe_text(probe_of(findings, row, probe)));
    }
  }
  return recorded.empty() ? ""
                          : "\n## What the probes said at the end of the searches\n\n" +
                                render(table, TableFormat::kMarkdown) +
                                "\nMean over searches, plus or minus one standard deviation.\n";
}

std::string render_markdown(const Findings& findings) {
  std::string text = fmt::format("# {}\n\n", escaped(findings.study, TableFormat::kMarkdown));
  if (findings.left > 0) {
    text += fmt::format("Not finished: {} runs have no result yet.\n\n", findings.left);
  }
  if (findings.measures.empty()) {
    return text + "No results yet.\n";
  }
  text += markdown_table(findings) +
          "\nPercent, mean with standard deviation over runs, and Student's 95 % interval of the "
          "mean.\n";
  for (std::size_t m = 0; m < findings.measures.size(); ++m) {
    const std::string name = escaped(findings.measures[m].name, TableFormat::kMarkdown);
    text += sentences("Comparisons: " + name, findings, m, findings.comparisons[m]);
    text += image_table(findings.measures[m]);
    text += sentences("Comparisons on the same test images: " + name, findings, m,
                      findings.image_comparisons[m]);
  }
  text += probe_columns(findings);
  if (!findings.predictions.empty()) {
    text += "\n## Does one foretell the other?\n\n";
  }
  for (const Prediction& prediction : findings.predictions) {
    text += fmt::format("- {}\n", escaped(sentence_of(prediction), TableFormat::kMarkdown));
  }
  return text;
}

}  // namespace

Findings read_findings(const std::string& name, const Plan& plan, const Progress& progress,
                       const CompareOptions& options, const std::optional<StudyFolder>& folder) {
  Findings findings;
  findings.study = name;
  Measurer(plan, progress, options, folder, findings).measure_all();
  for (const Row& row : plan.rows) {
    findings.rows.push_back(row.name);
  }
  if (folder) {
    findings.probes = read_all_search_probes(plan, progress, *folder);
  }
  findings.predictions = predict_all(plan, progress, findings.probes);
  findings.left = plan.tasks.size() - progress.count(TaskState::kDone);
  return findings;
}

std::optional<Interval> interval_of_mean(const std::vector<double>& scores) {
  const auto interval = student_interval(scores);
  if (!interval || interval->low == interval->high) {
    return std::nullopt;
  }
  return Interval{std::max(0.0, interval->low), std::min(1.0, interval->high)};
}

std::vector<Comparison> worth_saying(const Findings& findings, const Measured& measured,
                                     const std::vector<Comparison>& comparisons) {
  constexpr std::size_t kMostPairs = 10;  // of five rows: still read at a glance
  if (findings.all_pairs || comparisons.size() <= kMostPairs) {
    return comparisons;
  }
  std::map<std::string, std::pair<double, std::string>> best;  // of each data set: mean, row
  for (std::size_t r = 0; r < measured.rows.size(); ++r) {
    const MeanSd seen = mean_and_sd(measured.rows[r].scores);
    if (seen.runs > 0) {
      const auto [place, is_new] =
          best.try_emplace(measured.data[r], seen.mean, measured.rows[r].name);
      if (!is_new && seen.mean > place->second.first) {
        place->second = {seen.mean, measured.rows[r].name};
      }
    }
  }
  std::vector<Comparison> said;
  for (const Comparison& comparison : comparisons) {
    if (std::any_of(best.begin(), best.end(), [&](const auto& entry) {
          const std::string& row = entry.second.second;
          return comparison.first == row || comparison.second == row;
        })) {
      said.push_back(comparison);
    }
  }
  return said;
}

std::string range_text(const Interval& interval) {
  return fmt::format("{} to {}", percent(interval.low), percent(interval.high));
}

std::string image_range_text(const ImageScore& score) {
  return score.interval ? range_text(*score.interval) +
                              (score.is_too_narrow() ? ", too narrow: few groups" : "")
                        : "-";
}

std::string note_on_pairs(std::size_t said, std::size_t all) {
  return said == all
             ? ""
             : fmt::format(
                   "Only those {} of {} comparisons that involve the best row; p values are "
                   "corrected for all {}, which --all-pairs shows.",
                   said, all, all);
}

std::string render(const Findings& findings, TableFormat format) {
  return format == TableFormat::kMarkdown ? render_markdown(findings)
         : format == TableFormat::kCsv    ? render_csv(findings)
                                          : render_latex(findings);
}

}  // namespace probedarts::study
