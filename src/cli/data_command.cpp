#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/progress.hpp"
#include "data/check.hpp"
#include "data/dataset.hpp"
#include "data/synth.hpp"

namespace probedarts::cli {
namespace {

constexpr const char* kUsage =
    "Data sets (docs/data.md).\n"
    "Usage: probedarts data check DIR [OPTIONS]   what a data set holds, and what is wrong with "
    "it\n"
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
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  if (folder.empty()) {
    throw UserError("data synth: no folder given; name one to make");
  }
  data::write_synthetic_dataset(folder, options);
  print_line(fmt::format("{} images in {}", options.train + options.valid + options.test, folder));
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
  throw UserError(fmt::format("data: unknown action '{}'; use check or synth", action));
}

}  // namespace probedarts::cli
