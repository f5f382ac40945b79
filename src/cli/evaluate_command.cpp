#include <cmath>
#include <cstdio>
#include <filesystem>
#include <span>
#include <utility>
#include <variant>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/config_flags.hpp"
#include "cli/genotype_source.hpp"
#include "cli/tables.hpp"
#include "core/files.hpp"
#include "core/mean_and_sd.hpp"
#include "core/progress.hpp"
#include "learn/evaluate.hpp"
#include "learn/run_record.hpp"
#include "learn/train.hpp"

namespace probedarts::cli {
namespace {

// Insertion order, so that the output reads as the documentation does.
using Json = nlohmann::ordered_json;

struct EvaluateRequest {
  learn::EvaluateConfig config;
  std::vector<std::string> runs;
  std::string folder;  ///< of several runs that this is one of; empty for a run by itself
  std::vector<int> sizes;
  std::string predictions;
  bool as_json = false;
};

std::unique_ptr<CLI::App> make_evaluate_parser(EvaluateRequest& request) {
  auto app = make_parser("Measures a trained network on a split of a data set (docs/evaluate.md).",
                         "probedarts evaluate");
  app->add_option(
      "run", request.runs,
      "run folders of trainings: the best weights of each, on its own data; a folder of "
      "several (train --runs) stands for all of them");
  for_each_option(request.config, [&](const char* key, auto& field, const char* help) {
    add_option(*app, key, field, help);
  });
  app->add_option("--size", request.sizes,
                  "px; several evaluate at each; default: what the model was trained at")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)  // read_requests has joined them; what follows is a run
      ->delimiter(',');
  app->add_option("--predictions", request.predictions, "also write every prediction as CSV");
  app->add_flag("--json", request.as_json, "print the result as JSON");
  return app;
}

/// The data options of a run, as flags before those of the command line. Other data have other
/// options, so they count only where --data is not given.
std::vector<std::string> flags_of_run(const std::string& run) try {
  const nlohmann::json document =
      nlohmann::json::parse(read_file(std::filesystem::path(run) / "run.json"), nullptr, false);
  if (!learn::says(document, "kind", "train") || !document.contains("config")) {
    throw UserError(
        fmt::format("'{}' is not the folder of a training; give one, or a file with "
                    "--checkpoint",
                    run));
  }
  const nlohmann::json& config = document.at("config");
  std::vector<std::string> flags;
  for (const char* key : {"data", "layout", "adp-level", "group-column", "cache"}) {
    if (const std::string value = config.value(key, ""); !value.empty()) {
      flags.push_back(fmt::format("--{}={}", key, value));
    }
  }
  for (const char* key : {"valid-share", "seed", "skip-unreadable"}) {
    if (config.contains(key)) {
      flags.push_back(fmt::format("--{}={}", key, config.at(key).dump()));
    }
  }
  if (config.contains("label-columns")) {
    for (const nlohmann::json& column : config.at("label-columns")) {
      flags.push_back(fmt::format("--label-columns={}", column.get<std::string>()));
    }
  }
  return flags;
} catch (const nlohmann::json::exception&) {
  throw UserError(fmt::format("'{}' is damaged; restore it, or give --checkpoint and --data",
                              (std::filesystem::path(run) / "run.json").string()));
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json measures_json(const learn::Evaluation& evaluation) {
  Json measures = Json::object();
  for (const learn::Measure& measure : evaluation.measures) {
    Json entry = {{"value", number(measure.value)}};
    if (measure.interval) {
      entry["low"] = number(measure.interval->low);
      entry["high"] = number(measure.interval->high);
    }
    measures[measure.key] = entry;
  }
  return measures;
}

/// Of one class, or of all together; nothing where there are none.
void add_intervals(const learn::Evaluation& evaluation, data::LabelKind labels, std::size_t which,
                   Json& entry) {
  if (which >= evaluation.class_intervals.size()) {
    return;
  }
  const auto measures = learn::class_measures(labels);
  for (std::size_t m = 0; m < measures.size(); ++m) {
    const learn::Interval& interval = evaluation.class_intervals[which][m];
    entry["intervals"][std::string(measures[m])] = {{"low", number(interval.low)},
                                                    {"high", number(interval.high)}};
  }
}

Json single_json(const learn::Evaluation& evaluation, const std::vector<std::string>& names) {
  Json classes = Json::array();
  Json confusion = Json::array();
  for (std::size_t c = 0; c < names.size(); ++c) {
    const learn::ClassReport& report = evaluation.classes[c];
    classes.push_back({{"class", names[c]},
                       {"images", report.images},
                       {"precision", number(report.precision)},
                       {"recall", number(report.recall)},
                       {"f1", number(report.f1)},
                       {"auc", number(evaluation.auc[c])}});
    add_intervals(evaluation, data::LabelKind::kSingle, c, classes.back());
    Json row = Json::array();
    for (std::size_t predicted = 0; predicted < names.size(); ++predicted) {
      row.push_back(evaluation.confusion->at(c, predicted));
    }
    confusion.push_back(row);
  }
  return {{"classes", classes}, {"confusion", confusion}};
}

Json report_json(const learn::ThresholdedReport& report) {
  return {{"positives", report.positives},
          {"threshold", number(report.threshold)},
          {"tpr", number(report.tpr)},
          {"fpr", number(report.fpr)},
          {"tnr", number(report.tnr)},
          {"fnr", number(report.fnr)},
          {"accuracy", number(report.accuracy)},
          {"f1", number(report.f1)},
          {"auc", number(report.auc)}};
}

Json multi_json(const learn::Evaluation& evaluation, const std::vector<std::string>& names) {
  Json classes = Json::array();
  for (std::size_t c = 0; c < names.size(); ++c) {
    Json entry = {{"class", names[c]}};
    entry.update(report_json(evaluation.thresholded->classes[c]));
    Json fpr = Json::array();
    Json tpr = Json::array();
    for (std::size_t i = 0; i < evaluation.roc[c].fpr.size(); ++i) {
      fpr.push_back(number(evaluation.roc[c].fpr[i]));
      tpr.push_back(number(evaluation.roc[c].tpr[i]));
    }
    add_intervals(evaluation, data::LabelKind::kMulti, c, entry);
    entry["roc"] = {{"fpr", fpr}, {"tpr", tpr}};
    classes.push_back(entry);
  }
  Json together = report_json(evaluation.thresholded->together);
  add_intervals(evaluation, data::LabelKind::kMulti, names.size(), together);
  return {{"classes", classes}, {"together", together}};
}

/// One request with what came of it.
struct Answer {
  EvaluateRequest request;
  learn::EvaluatedModel result;
};

Json to_json(const Answer& answer) {
  const auto& [request, result] = answer;
  Json sizes = Json::array();
  for (const learn::Evaluation& evaluation : result.evaluations) {
    Json entry = {{"size", evaluation.size_px},
                  {"images", evaluation.images},
                  {"groups", evaluation.groups},
                  {"images_without_group", evaluation.ungrouped},
                  {"images_per_second", evaluation.images_per_second},
                  {"measures", measures_json(evaluation)}};
    entry.update(evaluation.confusion ? single_json(evaluation, result.card.classes)
                                      : multi_json(evaluation, result.card.classes));
    sizes.push_back(entry);
  }
  return {{"checkpoint", result.checkpoint},
          {"data", request.config.data},
          {"split", request.config.split},
          {"labels", result.card.labels == data::LabelKind::kSingle ? "single" : "multi"},
          {"evaluations", sizes}};
}

/// Answers by one: those of a folder of several runs together, others alone.
std::vector<std::span<const Answer>> grouped(const std::vector<Answer>& answers) {
  std::vector<std::span<const Answer>> groups;
  for (std::size_t first = 0; first < answers.size();) {
    const std::string& folder = answers[first].request.folder;
    std::size_t end = first + 1;
    while (!folder.empty() && end < answers.size() && answers[end].request.folder == folder) {
      ++end;
    }
    groups.push_back(std::span(answers).subspan(first, end - first));
    first = end;
  }
  return groups;
}

/// A measure over the runs of a folder; runs of one call have the same sizes and measures.
MeanSd over_runs(std::span<const Answer> runs, std::size_t evaluation, std::size_t measure) {
  std::vector<double> values;
  for (const Answer& run : runs) {
    values.push_back(run.result.evaluations[evaluation].measures[measure].value);
  }
  return mean_and_sd(values);
}

Json summary_json(std::span<const Answer> runs) {
  Json sizes = Json::array();
  const auto& evaluations = runs.front().result.evaluations;
  for (std::size_t e = 0; e < evaluations.size(); ++e) {
    Json measures = Json::object();
    for (std::size_t m = 0; m < evaluations[e].measures.size(); ++m) {
      const MeanSd found = over_runs(runs, e, m);
      measures[evaluations[e].measures[m].key] = {
          {"mean", number(found.mean)}, {"sd", found.sd ? number(*found.sd) : Json(nullptr)}};
    }
    sizes.push_back({{"size", evaluations[e].size_px}, {"measures", measures}});
  }
  return sizes;
}

Json to_json(std::span<const Answer> group) {
  if (group.front().request.folder.empty()) {
    return to_json(group.front());
  }
  Json runs = Json::array();
  for (const Answer& answer : group) {
    runs.push_back(to_json(answer));
  }
  return {
      {"folder", group.front().request.folder}, {"runs", runs}, {"summary", summary_json(group)}};
}

std::string share(double value) { return std::isnan(value) ? "-" : fmt::format("{:.4f}", value); }

/// All measures, one below the other; which model each is of only where there are several.
Table measure_table(const std::vector<Answer>& answers) {
  Table table{{"size", "measure", "value", "95 % interval"}, {}};
  if (answers.size() > 1) {
    table.head.insert(table.head.begin(), "model");
  }
  for (const Answer& answer : answers) {
    for (const learn::Evaluation& evaluation : answer.result.evaluations) {
      for (const learn::Measure& measure : evaluation.measures) {
        table.rows.push_back(
            {fmt::format("{} px", evaluation.size_px), measure.label, share(measure.value),
             measure.interval ? fmt::format("{} to {}", share(measure.interval->low),
                                            share(measure.interval->high))
                              : ""});
        if (answers.size() > 1) {
          table.rows.back().insert(table.rows.back().begin(), answer.request.config.model.run);
        }
      }
    }
  }
  return table;
}

/// Mean and standard deviation (n - 1) of every measure over the runs of a folder.
Table summary_table(std::span<const Answer> runs) {
  Table table{{"size", "measure", fmt::format("mean of {} runs", runs.size()), "sd"}, {}};
  const auto& evaluations = runs.front().result.evaluations;
  for (std::size_t e = 0; e < evaluations.size(); ++e) {
    for (std::size_t m = 0; m < evaluations[e].measures.size(); ++m) {
      const MeanSd found = over_runs(runs, e, m);
      table.rows.push_back({fmt::format("{} px", evaluations[e].size_px),
                            evaluations[e].measures[m].label, share(found.mean),
                            found.sd ? share(*found.sd) : "-"});
    }
  }
  return table;
}

Table single_table(const learn::Evaluation& evaluation, const std::vector<std::string>& names) {
  Table table{{"class", "images", "precision", "recall", "F1", "AUC"}, {}};
  for (std::size_t c = 0; c < names.size(); ++c) {
    const learn::ClassReport& report = evaluation.classes[c];
    table.rows.push_back({names[c], std::to_string(report.images), share(report.precision),
                          share(report.recall), share(report.f1), share(evaluation.auc[c])});
  }
  return table;
}

Table confusion_table(const learn::Evaluation& evaluation, const std::vector<std::string>& names) {
  Table table{{"true \\ predicted"}, {}};
  table.head.insert(table.head.end(), names.begin(), names.end());
  for (std::size_t truth = 0; truth < names.size(); ++truth) {
    table.rows.push_back({names[truth]});
    for (std::size_t predicted = 0; predicted < names.size(); ++predicted) {
      table.rows.back().push_back(std::to_string(evaluation.confusion->at(truth, predicted)));
    }
  }
  return table;
}

Table multi_table(const learn::Evaluation& evaluation, const std::vector<std::string>& names) {
  Table table{
      {"class", "positives", "threshold", "TPR", "FPR", "TNR", "FNR", "accuracy", "F1", "AUC"}, {}};
  const auto row = [&table](const std::string& name, const learn::ThresholdedReport& r) {
    table.rows.push_back({name, std::to_string(r.positives), share(r.threshold), share(r.tpr),
                          share(r.fpr), share(r.tnr), share(r.fnr), share(r.accuracy), share(r.f1),
                          share(r.auc)});
  };
  for (std::size_t c = 0; c < names.size(); ++c) {
    row(names[c], evaluation.thresholded->classes[c]);
  }
  row("all", evaluation.thresholded->together);
  return table;
}

void print_classes(const Answer& answer) {
  const auto& [request, result] = answer;
  const std::vector<std::string>& names = result.card.classes;
  for (const learn::Evaluation& evaluation : result.evaluations) {
    std::printf(
        "\n%s, %d px, %zu images of split %s%s, %.0f images/s\n", result.checkpoint.c_str(),
        evaluation.size_px, evaluation.images, request.config.split.c_str(),
        evaluation.groups == 0 ? "" : fmt::format(" in {} groups", evaluation.groups).c_str(),
        evaluation.images_per_second);
    if (evaluation.confusion) {
      print_table(single_table(evaluation, names));
      std::printf("\n");
      print_table(confusion_table(evaluation, names));
    } else {
      print_table(multi_table(evaluation, names));
    }
  }
}

/// The columns of one prediction, in the order of predictions_csv's head.
std::vector<std::string> prediction_row(const Answer& answer, std::size_t evaluation,
                                        std::size_t image, double right) {
  const learn::Predictions& p = answer.result.predictions[evaluation];
  std::vector<std::string> truth;
  for (std::size_t c = 0; c < p.classes; ++c) {
    if (p.table().at(image, c) != 0) {
      truth.push_back(answer.result.card.classes[c]);
    }
  }
  std::vector<std::string> row = {std::to_string(answer.result.evaluations[evaluation].size_px),
                                  p.names[image], p.group_names[image], label_list(truth),
                                  fmt::format("{}", right)};
  for (const std::vector<float>* values : {&p.logits, &p.probabilities}) {
    for (std::size_t c = 0; c < p.classes; ++c) {
      row.push_back(fmt::format("{}", (*values)[image * p.classes + c]));
    }
  }
  return row;
}

/// \throws UserError when the models have different classes, which are the columns.
std::string predictions_csv(const std::vector<Answer>& answers) {
  const bool several = answers.size() > 1;
  const std::vector<std::string>& classes = answers.front().result.card.classes;
  std::vector<std::string> head = {"size", "image", "group", "truth", "right"};
  if (several) {
    head.insert(head.begin(), "model");
  }
  for (const char* what : {"logit ", "probability "}) {
    for (const std::string& name : classes) {
      head.push_back(what + name);
    }
  }
  std::string text = csv_line(head);
  for (const Answer& answer : answers) {
    const std::string& run = answer.request.config.model.run;
    if (answer.result.card.classes != classes) {
      throw UserError(
          fmt::format("--predictions: '{}' has other classes than '{}'; write one file for each",
                      run, answers.front().request.config.model.run));
    }
    for (std::size_t e = 0; e < answer.result.predictions.size(); ++e) {
      const std::vector<double> right = learn::shares_right(answer.result.predictions[e]);
      for (std::size_t image = 0; image < right.size(); ++image) {
        std::vector<std::string> row = prediction_row(answer, e, image, right[image]);
        if (several) {
          row.insert(row.begin(), run);
        }
        text += csv_line(row);
      }
    }
  }
  return text;
}

/// \throws UserError  now and not after all work, where a file cannot be written.
void require_place(const std::string& file) {
  const std::filesystem::path path(file);
  if (std::filesystem::is_directory(path)) {
    throw UserError(fmt::format("--predictions: '{}' is a folder; name a file", file));
  }
  if (!path.parent_path().empty() && !std::filesystem::is_directory(path.parent_path())) {
    throw UserError(fmt::format("--predictions: there is no folder '{}'; make it first",
                                path.parent_path().string()));
  }
}

bool is_list_of_numbers(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789,") == std::string::npos;
}

/// "--size 34 68 RUN" as "--size=34,68 RUN": sizes end at the first word that is no number.
std::vector<std::string> with_joined_sizes(const std::vector<std::string>& arguments) {
  std::vector<std::string> joined;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    joined.push_back(arguments[i]);
    if (arguments[i] != "--size" || i + 1 == arguments.size() ||
        !is_list_of_numbers(arguments[i + 1])) {
      continue;
    }
    joined.back() += "=" + arguments[++i];
    for (; i + 1 < arguments.size() && is_list_of_numbers(arguments[i + 1]); ++i) {
      joined.back() += "," + arguments[i + 1];
    }
  }
  return joined;
}

/// Every run with the folder of several that it is from, or with none.
std::vector<std::pair<std::string, std::string>> single_runs(const std::vector<std::string>& runs) {
  std::vector<std::pair<std::string, std::string>> single;
  for (const std::string& run : runs) {
    if (!learn::holds_several_runs(run)) {
      single.emplace_back(run, "");
      continue;
    }
    for (const std::filesystem::path& inside : learn::finished_runs(run)) {
      single.emplace_back(inside.string(), run);
    }
  }
  return single;
}

/// What to evaluate, in order: a request for each run, or the one for a checkpoint.
/// \returns  the exit code instead where the flags ask for help or are wrong.
std::variant<std::vector<EvaluateRequest>, int> read_requests(std::vector<std::string> arguments) {
  EvaluateRequest first;  // to learn which runs are meant
  arguments = with_joined_sizes(arguments);
  arguments = with_flag_values(std::move(arguments), first.config);
  if (const auto code = parse(*make_evaluate_parser(first), arguments)) {
    return *code;
  }
  refuse_idle_cell_flags(first.config.model.network, arguments);
  if (first.runs.empty()) {
    return std::vector<EvaluateRequest>{first};
  }
  std::vector<EvaluateRequest> requests;
  for (const auto& [run, folder] : single_runs(first.runs)) {
    std::vector<std::string> own = arguments;
    if (!raw_value(arguments, "--data")) {
      const std::vector<std::string> stored = flags_of_run(run);
      own.insert(own.begin(), stored.begin(), stored.end());
    }
    requests.emplace_back();
    parse(*make_evaluate_parser(requests.back()), own);
    requests.back().config.model.run = run;
    requests.back().folder = folder;
  }
  return requests;
}

void print_answers(const std::vector<Answer>& answers) {
  if (answers.front().request.as_json) {
    Json printed = Json::array();
    for (const auto& group : grouped(answers)) {
      printed.push_back(to_json(group));
    }
    std::printf("%s\n", (printed.size() == 1 ? printed[0] : printed).dump(1).c_str());
    return;
  }
  print_table(measure_table(answers));
  for (const auto& group : grouped(answers)) {
    if (!group.front().request.folder.empty()) {
      std::printf("\n%s\n", group.front().request.folder.c_str());
      print_table(summary_table(group));
    }
  }
  for (const Answer& answer : answers) {
    print_classes(answer);
  }
}

}  // namespace

int run_evaluate_command(std::vector<std::string> arguments) {
  auto read = read_requests(std::move(arguments));
  if (const int* code = std::get_if<int>(&read)) {
    return *code;
  }
  std::vector<Answer> answers;
  require_place(std::get<std::vector<EvaluateRequest>>(read).front().predictions);
  for (EvaluateRequest& request : std::get<std::vector<EvaluateRequest>>(read)) {
    resolve_genotype(request.config.model.network);
    learn::EvaluatedModel result = learn::evaluate_model(request.config, request.sizes);
    answers.push_back({std::move(request), std::move(result)});
  }
  print_answers(answers);
  const std::string& predictions = answers.front().request.predictions;
  if (!predictions.empty()) {  // last, so that a disk that is full by now takes nothing else away
    write_file_atomically(predictions, predictions_csv(answers));
  }
  return 0;
}

}  // namespace probedarts::cli
