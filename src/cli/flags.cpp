#include "cli/flags.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts::cli {
namespace {

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back(name);
    }
  }
  return names;
}

[[noreturn]] void unknown_flag(const CLI::App& app, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  if (!name.starts_with("-")) {
    throw UserError(
        fmt::format("unexpected argument '{}'; see {} --help", argument, app.get_name()));
  }
  const std::string bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
  const std::optional<std::string> near = nearest(bare, flag_names(app));
  throw UserError(near ? fmt::format("unknown option '{}'; did you mean '--{}'?", name, *near)
                       : fmt::format("unknown option '{}'; see {} --help", name, app.get_name()));
}

std::string scalar_text(const toml::node& node, const std::string& key, const std::string& path) {
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  if (const auto* number = node.as_integer()) {
    return std::to_string(number->get());
  }
  if (const auto* number = node.as_floating_point()) {
    return fmt::format("{}", number->get());
  }
  if (const auto* truth = node.as_boolean()) {
    return truth->get() ? "true" : "false";
  }
  throw UserError(fmt::format(
      "{}: key '{}' must be a number, a text, true or false; tables are not used", path, key));
}

/// " ('...')" with line `number` (from 1) of a text; empty where it is blank, long or not
/// printable.
std::string quoted_line(const std::string& text, std::size_t number) {
  constexpr std::size_t kLongest = 60;
  std::istringstream lines(text);
  std::string line;
  for (std::size_t i = 0; i < number; ++i) {
    line.clear();
    std::getline(lines, line);
  }
  const bool printable = std::all_of(line.begin(), line.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F;
  });
  return line.empty() || line.size() > kLongest || !printable ? "" : fmt::format(" ('{}')", line);
}

/// In two words where the value is empty: after "--cache=" CLI11 would take the next flag for it.
void push_flag(const std::string& key, const std::string& value, std::vector<std::string>& flags) {
  if (value.empty()) {
    flags.insert(flags.end(), {"--" + key, ""});
  } else {
    flags.push_back(fmt::format("--{}={}", key, value));
  }
}

}  // namespace

std::unique_ptr<CLI::App> make_parser(const std::string& description, const std::string& name) {
  auto app = std::make_unique<CLI::App>(description, name);
  app->option_defaults()->always_capture_default();
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app->allow_extras();  // told apart in `parse`, with a better sentence
  return app;
}

std::optional<int> parse(CLI::App& app, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them last first
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ConversionError& error) {
    // CLI11 says "Could not convert: --momentum = much".
    const std::string text = error.what();
    const std::size_t begin = text.find("--");
    throw UserError(fmt::format("{}: a value of the wrong kind; see {} --help",
                                begin == std::string::npos ? text : text.substr(begin),
                                app.get_name()));
  } catch (const CLI::ParseError& error) {
    throw UserError(fmt::format("{}; see {} --help", error.what(), app.get_name()));
  }
  std::vector<std::string> extras = app.remaining();
  const auto has_place = [](const CLI::Option* option) { return option->get_positional(); };
  if (!app.get_options(has_place).empty()) {
    std::erase(extras, "--");  // "no flag follows": CLI11 keeps it unless it ended a list of values
  }
  if (!extras.empty()) {
    unknown_flag(app, extras.front());
  }
  return std::nullopt;
}

std::vector<std::string> flags_from_toml(const std::string& path, const CLI::App& app) {
  const std::string content = read_file(path);
  toml::table table;
  try {
    table = toml::parse(content, path);
  } catch (const toml::parse_error& error) {
    // The library's own text speaks of its grammar; the line says more to whoever wrote it.
    const std::size_t line = error.source().begin.line;
    throw UserError(fmt::format("{}: line {}{} is not TOML; write key = value, texts in quotes",
                                path, line, quoted_line(content, line)));
  }
  const std::vector<std::string> known = flag_names(app);
  std::vector<std::string> flags;
  for (const auto& [raw_key, node] : table) {
    const std::string key(raw_key.str());
    if (std::find(known.begin(), known.end(), key) == known.end() || key == "config" ||
        key == "help") {
      const std::optional<std::string> near = nearest(key, known);
      throw UserError(
          near ? fmt::format("{}: unknown key '{}'; did you mean '{}'?", path, key, *near)
               : fmt::format("{}: unknown key '{}'; see {} --help", path, key, app.get_name()));
    }
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& element : *list) {
        push_flag(key, scalar_text(element, key, path), flags);
      }
    } else {
      push_flag(key, scalar_text(node, key, path), flags);
    }
  }
  return flags;
}

std::optional<std::string> raw_value(const std::vector<std::string>& arguments,
                                     const std::string& flag) {
  std::optional<std::string> value;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == flag && i + 1 < arguments.size()) {
      value = arguments[i + 1];
    } else if (arguments[i].starts_with(flag + "=")) {
      value = arguments[i].substr(flag.size() + 1);
    }
  }
  return value;
}

}  // namespace probedarts::cli
