#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "study/comparison.hpp"
#include "study/plan.hpp"
#include "study/predictions.hpp"
#include "study/run_study.hpp"
#include "study/table_text.hpp"
#include "study/test_images.hpp"

/// What a study found, from its folder alone.
namespace probedarts::study {

/// Scores of every row in one measure, where the study has any.
struct Measured {
  std::string name;               ///< "search validation accuracy", "test accuracy, 68 px"
  std::vector<ScoredRow> rows;    ///< one for each row of the plan, in its order; empty where none
  std::vector<std::string> data;  ///< of each row: the data set it was measured on
  std::vector<std::optional<ImageScore>> images;  ///< of each row, over its test images
};

struct Findings {
  std::string study;
  std::vector<Measured> measures;
  /// Of each measure: all pairs of rows on one data set, one family.
  std::vector<std::vector<Comparison>> comparisons;
  std::vector<std::vector<Comparison>> image_comparisons;  ///< likewise, on the same test images
  std::vector<std::string> rows;                           ///< names of all rows of the plan
  /// Of each row: what the probes said at the end of each search. Empty without the folder.
  std::vector<std::vector<SearchProbes>> probes;
  std::vector<Prediction> predictions;
  std::size_t left = 0;  ///< runs without a result yet
  /// Whether pages and tables say every comparison, also where there are many.
  bool all_pairs = false;
};

/// Student's 95 % interval of the mean over runs, within 0 to 1; nothing of runs that are all
/// equal, whose spread is unknown.
std::optional<Interval> interval_of_mean(const std::vector<double>& scores);

/// "61.20 to 71.75", in percent; that of a row over its test images says where it is too narrow.
std::string range_text(const Interval& interval);
std::string image_range_text(const ImageScore& score);

/// The comparisons of a measure that are worth reading: all up to ten; of more, those with the row
/// of the highest mean on its data set. What is left out still counts in Holm's correction.
std::vector<Comparison> worth_saying(const Findings& findings, const Measured& measured,
                                     const std::vector<Comparison>& comparisons);

/// What was left out and how to see it; empty when nothing was.
std::string note_on_pairs(std::size_t said, std::size_t all);

/// Accuracies are one minus the errors that runs printed; of trainings, that of their best epoch on
/// the validation split, and `accuracy` of their evaluation on the test split.
/// \param folder  for what the tests said of each image, and the probes of the searches; nothing:
/// without those.
/// \throws UserError when a file with predictions or probes is damaged.
Findings read_findings(const std::string& name, const Plan& plan, const Progress& progress,
                       const CompareOptions& options,
                       const std::optional<StudyFolder>& folder = std::nullopt);

/// Rows against measures: means in percent with the sd below the line, as the paper prints them
/// (96.73 with subscript 0.07), without sd for a single run. Markdown adds intervals, the
/// sentences of all comparisons, what the probes said, and the predictions; CSV has mean, sd, runs
/// and both ends of intervals as numbers: Student's and a bootstrap over runs, and that over test
/// images. The same
/// findings give the same bytes.
std::string render(const Findings& findings, TableFormat format);

}  // namespace probedarts::study
