#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/config_flags.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "learn/search.hpp"
#include "report/report.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;

constexpr RunCommand<learn::SearchConfig> kSearch = {
    "search", "Searches the cell of a network on a folder of patches (docs/search.md).",
    learn::search_preset};

void write_report(const std::filesystem::path& run) {
  write_file_atomically(run / "report.html", report::render_report({run}));
}

void print_result(const learn::SearchResult& result, bool as_json) {
  if (as_json) {
    const json out = {{"run", result.run.string()},
                      {"epochs", result.epochs},
                      {"genotype", json::parse(space::to_json(result.genotype))},
                      {"genotype_text", space::to_python(result.genotype)},
                      {"train_error", result.train_error},
                      {"valid_error", result.valid_error},
                      {"stable_rank", result.stable_rank},
                      {"seconds", result.seconds},
                      {"stopped", result.stopped ? json(result.stopped->rule) : json(nullptr)},
                      {"report", (result.run / "report.html").string()}};
    std::printf("%s\n", out.dump(1).c_str());
    return;
  }
  std::printf("%s\n", space::to_python(result.genotype).c_str());
  print_line(fmt::format("{} epochs in {}; report: {}", result.epochs,
                         duration_text(result.seconds), (result.run / "report.html").string()));
}

}  // namespace

void check_search_flags(std::vector<std::string> flags) {
  RunRequest<learn::SearchConfig> request;
  json machine;
  flags.emplace_back("--out=none");  // a run needs one, and this is none
  parse_run(kSearch, std::move(flags), request, machine);
  learn::validate(request.config);
}

int run_search_command(std::vector<std::string> arguments) {
  RunRequest<learn::SearchConfig> request;
  json machine;
  if (const auto code = parse_run(kSearch, arguments, request, machine)) {
    return *code;
  }
  catch_interrupts();
  const learn::SearchResult result =
      !request.resume.empty() ? learn::resume_search(request.resume, machine)
                              : learn::run_search(request.config, request.out,
                                                  request.force ? RunFolder::IfExists::kReplace
                                                                : RunFolder::IfExists::kRefuse);
  write_report(result.run);
  print_result(result, request.as_json);
  return 0;
}

}  // namespace probedarts::cli
