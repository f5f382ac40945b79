#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "learn/options.hpp"

/// The command line of a command whose options are a configuration with a `for_each_option`: what
/// `search` and `train` share.
namespace probedarts::cli {

/// Is --help or -h among the arguments?
bool asks_for_help(const std::vector<std::string>& arguments);

/// Replaces every bare `flag` among the arguments by "flag=true".
void complete_flag(std::vector<std::string>& arguments, const std::string& flag);

/// A flag for a field of a configuration.
template <class Field>
void add_option(CLI::App& app, const char* key, Field& field, const char* help) {
  const std::string name = std::string("--") + key;
  if constexpr (std::is_same_v<Field, bool>) {
    app.add_option(name, field, help)  // bare: see with_flag_values
        ->type_name("BOOLEAN")
        ->default_str(field ? "true" : "false");
  } else if constexpr (std::is_same_v<Field, std::vector<std::string>>) {
    CLI::Option* list = app.add_option(name, field, help)
                            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                            ->delimiter(',');
    // Where images or folders may follow, they are no part of the list.
    const auto has_place = [](const CLI::Option* option) { return option->get_positional(); };
    list->allow_extra_args(app.get_options(has_place).empty());
  } else {
    app.add_option(name, field, help);
  }
}

/// Gives bare flags of yes or no their value: "--auxiliary" becomes "--auxiliary=true" unless
/// "true" or "false" follows. CLI11 takes either form, but not both, for one option.
template <class Config>
std::vector<std::string> with_flag_values(std::vector<std::string> arguments, Config& config) {
  for_each_option(config, [&](const char* key, auto& field, const char*) {
    if constexpr (std::is_same_v<std::decay_t<decltype(field)>, bool>) {
      complete_flag(arguments, std::string("--") + key);
    }
  });
  return arguments;
}

/// What a run is asked for.
template <class Config>
struct RunRequest {
  Config config;
  std::string out;
  std::string resume;
  std::string config_file;
  bool force = false;
  bool as_json = false;
  std::vector<std::string> given;  ///< flags of the command line and the file, not of the preset
};

using Preset = std::vector<std::pair<std::string, std::string>> (*)(const std::string&);

/// A command that makes or goes on with runs.
template <class Config>
struct RunCommand {
  const char* name;  ///< "search"
  const char* description;
  Preset preset;  ///< values of a preset
};

template <class Config>
std::unique_ptr<CLI::App> make_run_parser(const RunCommand<Config>& command,
                                          RunRequest<Config>& request) {
  auto app = make_parser(command.description, std::string("probedarts ") + command.name);
  for_each_option(request.config, [&](const char* key, auto& field, const char* help) {
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

/// Flags of the configuration file, and after them those of the command line, which win.
template <class Config>
std::vector<std::string> given_flags(const RunCommand<Config>& command,
                                     const std::vector<std::string>& arguments,
                                     const CLI::App& app) {
  std::vector<std::string> given;
  if (const auto path = raw_value(arguments, "--config")) {
    given = flags_from_toml(*path, app);
    RunRequest<Config> scratch;  // parsed on its own, so that a wrong value is blamed on the file
    try {
      parse(*make_run_parser(command, scratch), given);
    } catch (const UserError& error) {
      throw UserError(fmt::format("{}: {}", *path, error.what()));
    }
  }
  given.insert(given.end(), arguments.begin(), arguments.end());
  return given;
}

/// The preset's flags before those that were given.
template <class Config>
std::vector<std::string> with_preset(const RunCommand<Config>& command,
                                     const std::vector<std::string>& given) {
  const std::string preset = raw_value(given, "--preset").value_or(Config{}.preset);
  std::vector<std::string> flags;
  for (const auto& [key, value] : command.preset(preset)) {
    flags.push_back("--" + key + "=" + value);
  }
  flags.insert(flags.end(), given.begin(), given.end());
  return flags;
}

/// Gives `request` the values of the preset, which --help shows as the defaults then.
template <class Config>
void show_preset(const RunCommand<Config>& command, const std::vector<std::string>& given,
                 RunRequest<Config>& request) {
  const std::string preset = raw_value(given, "--preset").value_or(request.config.preset);
  parse(*make_run_parser(command, request), with_preset(command, {"--preset=" + preset}));
}

/// The options of the machine that were given with --resume. \throws UserError for any other.
nlohmann::json machine_options(const CLI::App& app, const nlohmann::json& values);

/// Reads the command line into `request`. \returns an exit code when there is nothing left to do.
/// \throws UserError one sentence for anything that does not parse or does not go together.
template <class Config>
std::optional<int> parse_run(const RunCommand<Config>& command, std::vector<std::string> arguments,
                             RunRequest<Config>& request, nlohmann::json& machine) {
  arguments = with_flag_values(std::move(arguments), request.config);
  if (asks_for_help(arguments)) {
    show_preset(command, arguments, request);
  }
  const auto app = make_run_parser(command, request);
  const bool resuming = raw_value(arguments, "--resume").has_value();
  request.given = resuming ? arguments : given_flags(command, arguments, *app);
  if (const auto code = parse(*app, resuming ? arguments : with_preset(command, request.given))) {
    return code;
  }
  if (resuming) {
    if (!request.out.empty() || request.force || !request.config_file.empty()) {
      throw UserError(
          "--resume goes with neither --out, --force nor --config; give the run folder alone");
    }
    machine = machine_options(*app, to_json(request.config));
  } else if (request.out.empty()) {
    throw UserError("--out: no run folder given; name one to make, for example runs/first");
  }
  return std::nullopt;
}

}  // namespace probedarts::cli
