#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"
#include "report/report.hpp"

namespace probedarts::cli {

int run_report_command(std::vector<std::string> arguments) {
  std::vector<std::string> runs;
  std::string out;
  const auto app = make_parser("Writes one self-contained page about runs (docs/report.md).",
                               "probedarts report");
  app->add_option("runs", runs, "run folders; several stand side by side")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option(
      "--out", out,
      "HTML file; default: report.html in the run folder, or in this one for several runs");
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  if (runs.empty()) {
    throw UserError("report: no run given; name one or more run folders");
  }
  const std::filesystem::path file = !out.empty() ? std::filesystem::path(out)
                                     : runs.size() == 1
                                         ? std::filesystem::path(runs[0]) / "report.html"
                                         : std::filesystem::path("report.html");
  write_file_atomically(file, report::render_report({runs.begin(), runs.end()}));
  print_line(fmt::format("report: {}", file.string()));
  return 0;
}

}  // namespace probedarts::cli
