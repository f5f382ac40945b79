#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "learn/train.hpp"
#include "report/report.hpp"

namespace probedarts::cli {
namespace {

/// The runs of a folder of several in its place.
std::vector<std::filesystem::path> single_runs(const std::vector<std::string>& runs) {
  std::vector<std::filesystem::path> folders;
  for (const std::string& run : runs) {
    if (learn::holds_several_runs(run)) {
      const auto inside = learn::finished_runs(run);
      folders.insert(folders.end(), inside.begin(), inside.end());
    } else {
      folders.emplace_back(run);
    }
  }
  return folders;
}

}  // namespace

int run_report_command(std::vector<std::string> arguments) {
  std::vector<std::string> runs;
  std::string out;
  bool as_json = false;
  const auto app = make_parser("Writes one self-contained page about runs (docs/report.md).",
                               "probedarts report");
  app->add_option(
         "runs", runs,
         "run folders, or folders of several runs (train --runs); several stand side by side")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option(
      "--out", out,
      "HTML file; default: report.html in the run folder, or in this one for several runs");
  app->add_flag("--json", as_json, "print where it was written, and about what, as JSON");
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  if (runs.empty()) {
    throw UserError("report: no run given; name one or more run folders");
  }
  const std::vector<std::filesystem::path> folders = single_runs(runs);
  const std::filesystem::path file = !out.empty() ? std::filesystem::path(out)
                                     : runs.size() == 1
                                         ? std::filesystem::path(runs[0]) / "report.html"
                                         : std::filesystem::path("report.html");
  write_file_atomically(file, report::render_report(folders));
  if (as_json) {
    nlohmann::json names = nlohmann::json::array();
    for (const std::filesystem::path& folder : folders) {
      names.push_back(folder.string());
    }
    const nlohmann::json done = {{"report", file.string()}, {"runs", names}};
    std::printf("%s\n", done.dump(1).c_str());
  } else {
    print_line(fmt::format("report: {}", file.string()));
  }
  return 0;
}

}  // namespace probedarts::cli
