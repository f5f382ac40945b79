#include "cli/config_flags.hpp"

#include <algorithm>

namespace probedarts::cli {

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [](const std::string& argument) {
    return argument == "--help" || argument == "-h";
  });
}

void complete_flag(std::vector<std::string>& arguments, const std::string& flag) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string next = i + 1 < arguments.size() ? arguments[i + 1] : "";
    if (arguments[i] == flag && next != "true" && next != "false") {
      arguments[i] += "=true";
    }
  }
}

nlohmann::json machine_options(const CLI::App& app, const nlohmann::json& values) {
  nlohmann::json given = nlohmann::json::object();
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

}  // namespace probedarts::cli
