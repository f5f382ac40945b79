#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/nearest.hpp"  // what messages about misspelt names need

namespace CLI {
class App;
}  // namespace CLI

namespace probedarts::cli {

using probedarts::nearest;

/// A parser with our manners: defaults shown, unknown flags answered with the nearest known one.
std::unique_ptr<CLI::App> make_parser(const std::string& description, const std::string& name);

/// Parses arguments. \returns an exit code when there is nothing left to do (--help was printed),
/// else nothing. \throws UserError one sentence for anything that does not parse.
std::optional<int> parse(CLI::App& app, std::vector<std::string> arguments);

/// Turns a TOML file into flags ("--key", "value"), to stand before those of the command line,
/// which override them. \throws UserError for a file that is no TOML, a key that is no flag of
/// `app` (with the nearest known one), a table.
std::vector<std::string> flags_from_toml(const std::string& path, const CLI::App& app);

/// The value of a flag among raw arguments ("--key value" or "--key=value"), the last one; nothing
/// when absent.
std::optional<std::string> raw_value(const std::vector<std::string>& arguments,
                                     const std::string& flag);

}  // namespace probedarts::cli
