#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/config_flags.hpp"
#include "cli/genotype_source.hpp"
#include "cli/tables.hpp"
#include "core/progress.hpp"
#include "learn/predict.hpp"

namespace probedarts::cli {
namespace {

// Insertion order, so that the output reads as the documentation does.
using Json = nlohmann::ordered_json;

struct PredictRequest {
  learn::PredictConfig config;
  std::vector<std::string> images;
  bool as_json = false;
};

std::unique_ptr<CLI::App> make_predict_parser(PredictRequest& request) {
  auto app = make_parser(
      "Gives logits, probabilities and labels of images, as CSV or JSON (docs/evaluate.md).",
      "probedarts predict");
  app->add_option("images", request.images, "image files, or folders of them");
  app->add_option("--run", request.config.model.run, "run folder of a training: its best weights");
  for_each_option(request.config, [&](const char* key, auto& field, const char* help) {
    add_option(*app, key, field, help);
  });
  app->add_flag("--json", request.as_json, "print JSON");
  return app;
}

std::vector<float> row_of(const std::vector<float>& values, std::size_t image,
                          std::size_t classes) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(image * classes);
  return {begin, begin + static_cast<std::ptrdiff_t>(classes)};
}

std::vector<std::string> label_names(const learn::PredictedImages& result, std::size_t image) {
  std::vector<std::string> names;
  for (const std::size_t label : result.labels(image)) {
    names.push_back(result.card.classes[label]);
  }
  return names;
}

void print_json(const learn::PredictedImages& result) {
  const std::size_t classes = result.card.classes.size();
  Json images = Json::array();
  for (std::size_t i = 0; i < result.files.size(); ++i) {
    images.push_back({{"image", result.files[i]},
                      {"labels", label_names(result, i)},
                      {"logits", row_of(result.logits, i, classes)},
                      {"probabilities", row_of(result.probabilities, i, classes)}});
  }
  const Json out = {{"checkpoint", result.checkpoint},
                    {"labels", result.card.labels == data::LabelKind::kSingle ? "single" : "multi"},
                    {"classes", result.card.classes},
                    {"size", result.size_px},
                    {"mean", result.card.normalization.mean},
                    {"sd", result.card.normalization.sd},
                    {"unreadable", result.unreadable},
                    {"images", images}};
  std::printf("%s\n", out.dump(1).c_str());
}

void print_csv(const learn::PredictedImages& result) {
  const std::size_t classes = result.card.classes.size();
  std::vector<std::string> head = {"image", "labels"};
  for (const char* what : {"logit ", "probability "}) {
    for (const std::string& name : result.card.classes) {
      head.push_back(what + name);
    }
  }
  std::fputs(csv_line(head).c_str(), stdout);
  for (std::size_t i = 0; i < result.files.size(); ++i) {
    std::vector<std::string> row = {result.files[i], label_list(label_names(result, i))};
    for (const std::vector<float>* values : {&result.logits, &result.probabilities}) {
      for (const float value : row_of(*values, i, classes)) {
        row.push_back(fmt::format("{}", value));
      }
    }
    std::fputs(csv_line(row).c_str(), stdout);
  }
}

}  // namespace

int run_predict_command(std::vector<std::string> arguments) {
  PredictRequest request;
  const auto app = make_predict_parser(request);
  arguments = with_flag_values(std::move(arguments), request.config);
  if (const auto code = parse(*app, arguments)) {
    return *code;
  }
  refuse_idle_cell_flags(request.config.model.network, arguments);
  resolve_genotype(request.config.model.network);
  const learn::PredictedImages result = learn::predict_images(request.config, request.images);
  if (!result.unreadable.empty()) {
    print_line(fmt::format("{} unreadable images left out:", result.unreadable.size()));
    for (const std::string& file : result.unreadable) {
      print_line("  " + file);
    }
  }
  if (request.as_json) {
    print_json(result);
  } else {
    print_csv(result);
  }
  return 0;
}

}  // namespace probedarts::cli
