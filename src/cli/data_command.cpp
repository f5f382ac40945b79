#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "data/check.hpp"
#include "data/dataset.hpp"
#include "data/prepare.hpp"
#include "data/synth.hpp"

namespace probedarts::cli {
namespace {

constexpr const char* kUsage =
    "Data sets (docs/data.md).\n"
    "Usage: probedarts data check DIR [OPTIONS]   what a data set holds, and what is wrong with "
    "it\n"
    "       probedarts data prepare SOURCE --out DIR [OPTIONS]   cut a release of large images "
    "into "
    "tiles\n"
    "       probedarts data synth DIR [OPTIONS]   write the embedded data set: synthetic tissue\n";

int check(std::vector<std::string> arguments) {
  std::string root;
  data::DatasetOptions options;
  int threads = 2;
  bool as_json = false;
  const auto app = make_parser(
      "Checks a data set: counts, classes, sizes, mean and sd, duplicates, unreadable files.",
      "probedarts data check");
  app->add_option("folder", root, "folder with the data set");
  app->add_option("--layout", options.layout, "auto, folders, csv, cifar, adp, bcss, lists");
  app->add_option("--adp-level", options.adp_level, "ADP only: L1, L2 or L3");
  app->add_option("--label-columns", options.label_columns,
                  "labels.csv: columns of a multi-label set")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',');
  app->add_option("--group-column", options.group_column,
                  "labels.csv: column with the patient or slide");
  app->add_option("--threads", threads, "CPU threads");
  app->add_flag("--json", as_json, "print JSON");
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  if (root.empty()) {
    throw UserError("data check: no folder given; name the folder of a data set");
  }
  const data::CheckReport report = data::check_dataset(data::open_dataset(root, options), threads);
  std::fputs((as_json ? report.json + "\n" : report.text).c_str(), stdout);
  return 0;
}

int synth(std::vector<std::string> arguments) {
  std::string folder;
  data::SynthOptions options;
  bool as_json = false;
  const auto app =
      make_parser("Writes the embedded data set: procedural tissue in the colours of H&E.",
                  "probedarts data synth");
  app->add_option("folder", folder, "folder to make");
  app->add_option("--size", options.size_px, "side of a patch, px");
  app->add_option("--train", options.train, "training images");
  app->add_option("--valid", options.valid, "validation images");
  app->add_option("--test", options.test, "test images");
  app->add_flag("--multi-label", options.multi_label, "several tissues in a patch");
  app->add_option("--seed", options.seed, "of every random stream");
  app->add_flag("--json", as_json, "print JSON");
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  if (folder.empty()) {
    throw UserError("data synth: no folder given; name one to make");
  }
  catch_interrupts();
  data::write_synthetic_dataset(folder, options);
  if (as_json) {
    const nlohmann::json out = {
        {"folder", folder},
        {"splits", {{"train", options.train}, {"valid", options.valid}, {"test", options.test}}}};
    std::printf("%s\n", out.dump(1).c_str());
  } else {
    print_line(
        fmt::format("{} images in {}", options.train + options.valid + options.test, folder));
  }
  return 0;
}

struct PrepareRequest {
  data::PrepareOptions options;
  std::string source, sheet, out, config;
  bool as_json = false;
};

void add_cutting_flags(CLI::App& app, data::PrepareOptions& options) {
  app.add_option("--tile", options.tile_px, "side of a tile, px");
  app.add_option("--stride", options.stride_px,
                 "from one tile to the next, px of a tile; 0: side by side");
  app.add_option("--downsample", options.downsample, "source pixels for one pixel of a tile");
  app.add_option("--mpp", options.mpp_um,
                 "instead of --downsample: micrometres per pixel of a tile");
  app.add_option("--source-mpp", options.source_mpp_um,
                 "micrometres per pixel of the source; 0: what is known of the release");
  app.add_option("--min-tissue", options.min_tissue,
                 "share of a tile that must be tissue, not glass");
  app.add_option("--min-share", options.min_share,
                 "masks: share of a tile from which on a class counts");
  app.add_option("--min-labelled", options.min_labelled,
                 "masks: share of a tile that must lie in classes");
}

void add_source_flags(CLI::App& app, data::PrepareOptions& options) {
  app.add_option("--file-column", options.file_column, "of the sheet: name of the image");
  app.add_option("--label-column", options.label_column, "of the sheet: class");
  app.add_option("--split-column", options.split_column, "of the sheet: train, valid or test");
  app.add_option("--group-column", options.group_column, "of the sheet: patient, slide or block");
  app.add_option("--valid-share", options.valid_share,
                 "of the images, by group, where nothing tells the splits");
  app.add_option("--test-share", options.test_share, "likewise");
  app.add_option("--seed", options.seed, "of the choice of splits");
  app.add_option("--threads", options.threads, "CPU threads");
}

std::unique_ptr<CLI::App> make_prepare_parser(PrepareRequest& request) {
  auto app = make_parser(
      "Cuts a release of large images into a folder of tiles to train on (docs/data.md).",
      "probedarts data prepare");
  std::string kinds;
  for (const data::Release& release : data::releases()) {
    kinds += fmt::format("{}{}: {}", kinds.empty() ? "" : "; ", release.name, release.summary);
  }
  app->add_option("source", request.source, "folder of the release");
  app->add_option("--release", request.options.release, kinds);
  app->add_option("--sheet", request.sheet, "CSV with a row for each image; default: folders");
  add_cutting_flags(*app, request.options);
  add_source_flags(*app, request.options);
  app->add_option("--out", request.out, "folder to make");
  app->add_option("--config", request.config, "TOML file with the same keys; flags override it");
  app->add_flag("--json", request.as_json, "print JSON");
  return app;
}

nlohmann::json to_json(const data::PrepareReport& report) {
  nlohmann::json all = {{"classes", report.classes},
                        {"classes_left_out", report.classes_left_out},
                        {"too_small", report.too_small}};
  for (const auto& [split, counts] :
       {std::pair{"train", &report.train}, {"valid", &report.valid}, {"test", &report.test}}) {
    all["splits"][split] = {{"images", counts->sources},
                            {"tiles", counts->tiles},
                            {"glass", counts->glass},
                            {"unlabelled", counts->unlabelled}};
  }
  return all;
}

void print_report(const data::PrepareReport& report, const std::string& out) {
  std::printf("%s\n", fmt::format("{:<8}{:>8}{:>8}{:>8}{:>12}", "", "images", "tiles", "glass",
                                  "unlabelled")
                          .c_str());
  for (const auto& [split, counts] :
       {std::pair{"train", &report.train}, {"valid", &report.valid}, {"test", &report.test}}) {
    std::printf("%s\n", fmt::format("{:<8}{:>8}{:>8}{:>8}{:>12}", split, counts->sources,
                                    counts->tiles, counts->glass, counts->unlabelled)
                            .c_str());
  }
  std::printf("%s\n", fmt::format("classes: {}", fmt::join(report.classes, ", ")).c_str());
  if (!report.classes_left_out.empty()) {
    std::printf("%s\n", fmt::format("left out, since no training tile has them: {}",
                                    fmt::join(report.classes_left_out, ", "))
                            .c_str());
  }
  if (!report.too_small.empty()) {
    std::printf("%s\n",
                fmt::format("smaller than a tile: {}", fmt::join(report.too_small, ", ")).c_str());
  }
  print_line(fmt::format("data prepare: {}", out));
}

int prepare(std::vector<std::string> arguments) {
  PrepareRequest request;
  const auto app = make_prepare_parser(request);
  if (const auto path = raw_value(arguments, "--config")) {
    std::vector<std::string> flags = flags_from_toml(*path, *app);
    flags.insert(flags.end(), arguments.begin(), arguments.end());
    arguments = std::move(flags);
  }
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  if (request.source.empty()) {
    throw UserError("data prepare: no folder given; name the folder of a release");
  }
  if (request.out.empty()) {
    throw UserError("--out: no folder given; name one to make");
  }
  request.options.source = request.source;
  request.options.sheet = request.sheet;
  catch_interrupts();
  const data::PrepareReport report = data::prepare_dataset(request.options, request.out);
  if (request.as_json) {
    std::printf(
        "%s\n",
        to_json(report).dump(1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    print_report(report, request.out);
  }
  return 0;
}

}  // namespace

int run_data_command(std::vector<std::string> arguments) {
  const std::string action = arguments.empty() ? "--help" : arguments.front();
  if (action == "--help" || action == "-h") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  arguments.erase(arguments.begin());
  if (action == "check") {
    return check(std::move(arguments));
  }
  if (action == "synth") {
    return synth(std::move(arguments));
  }
  if (action == "prepare") {
    return prepare(std::move(arguments));
  }
  throw UserError(fmt::format("data: unknown action '{}'; use check, prepare or synth", action));
}

}  // namespace probedarts::cli
