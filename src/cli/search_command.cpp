#include <cstdio>
#include <type_traits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "learn/search.hpp"
#include "report/report.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;

struct Request {
  learn::SearchConfig config;
  std::string out;
  std::string resume;
  std::string config_file;
  bool force = false;
  bool as_json = false;
};

template <class Field>
void add_option(CLI::App& app, const char* key, Field& field, const char* help) {
  const std::string name = std::string("--") + key;
  if constexpr (std::is_same_v<Field, bool>) {
    app.add_option(name, field,
                   help);  // "--skip-unreadable true", and without a value through expected(0, 1)
    app.get_option(name)->expected(0, 1)->type_name("BOOLEAN");
  } else if constexpr (std::is_same_v<Field, std::vector<std::string>>) {
    app.add_option(name, field, help)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->delimiter(',');
  } else {
    app.add_option(name, field, help);
  }
}

std::unique_ptr<CLI::App> make_search_parser(Request& request) {
  auto app = make_parser("Searches the cell of a network on a folder of patches (docs/search.md).",
                         "probedarts search");
  learn::for_each_option(request.config, [&](const char* key, auto& field, const char* help) {
    add_option(*app, key, field, help);
  });
  app->add_option("--config", request.config_file,
                  "TOML file with the same keys; flags override it");
  app->add_option("--out", request.out, "run folder to make (docs/run-folder.md)");
  app->add_option("--resume", request.resume, "run folder to go on with; takes its configuration");
  app->add_flag("--force", request.force, "replace an existing run");
  app->add_flag("--json", request.as_json, "print the result as JSON");
  return app;
}

/// Parses a file's flags on their own, so that a wrong value is blamed on the file.
void check_values(const std::string& path, const std::vector<std::string>& flags) {
  Request scratch;
  try {
    parse(*make_search_parser(scratch), flags);
  } catch (const UserError& error) {
    throw UserError(fmt::format("{}: {}", path, error.what()));
  }
}

/// Flags in order of rising precedence: preset, configuration file, command line.
std::vector<std::string> all_flags(const std::vector<std::string>& arguments, const CLI::App& app) {
  std::vector<std::string> from_file;
  if (const auto path = raw_value(arguments, "--config")) {
    from_file = flags_from_toml(*path, app);
    check_values(*path, from_file);
  }
  std::string preset = learn::SearchConfig{}.preset;
  preset = raw_value(from_file, "--preset").value_or(preset);
  preset = raw_value(arguments, "--preset").value_or(preset);
  std::vector<std::string> flags;
  for (const auto& [key, value] : learn::search_preset(preset)) {
    flags.push_back("--" + key + "=" + value);
  }
  flags.insert(flags.end(), from_file.begin(), from_file.end());
  flags.insert(flags.end(), arguments.begin(), arguments.end());
  return flags;
}

/// The options of the machine that were given with --resume. \throws UserError for any other.
json machine_options(const CLI::App& app, const learn::SearchConfig& config) {
  json given = json::object();
  const json values = learn::to_json(config);
  for (const auto& [key, value] : values.items()) {
    if (app.count("--" + key) == 0) {
      continue;
    }
    if (!learn::is_machine_option(key)) {
      throw UserError(fmt::format(
          "--resume goes on with the configuration of the run; --{} cannot change it, start "
          "a new run for that",
          key));
    }
    given[key] = value;
  }
  return given;
}

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
                      {"report", (result.run / "report.html").string()}};
    std::printf("%s\n", out.dump(1).c_str());
    return;
  }
  std::printf("%s\n", space::to_python(result.genotype).c_str());
  print_line(fmt::format("{} epochs in {}; report: {}", result.epochs,
                         duration_text(result.seconds), (result.run / "report.html").string()));
}

}  // namespace

int run_search_command(std::vector<std::string> arguments) {
  Request request;
  const auto app = make_search_parser(request);
  const bool resuming = raw_value(arguments, "--resume").has_value();
  if (const auto code = parse(*app, resuming ? arguments : all_flags(arguments, *app))) {
    return *code;
  }
  catch_interrupts();
  learn::SearchResult result;
  if (resuming) {
    if (!request.out.empty() || request.force || !request.config_file.empty()) {
      throw UserError(
          "--resume goes with neither --out, --force nor --config; give the run folder alone");
    }
    result = learn::resume_search(request.resume, machine_options(*app, request.config));
  } else {
    if (request.out.empty()) {
      throw UserError("--out: no run folder given; name one to make, for example runs/first");
    }
    result = learn::run_search(
        request.config, request.out,
        request.force ? RunFolder::IfExists::kReplace : RunFolder::IfExists::kRefuse);
  }
  write_report(result.run);
  print_result(result, request.as_json);
  return 0;
}

}  // namespace probedarts::cli
