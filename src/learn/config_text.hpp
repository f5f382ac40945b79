#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"

/// Inside of the room: a configuration as JSON and as TOML, from its `for_each_option` alone.
namespace probedarts::learn {

template <class Config>
nlohmann::json config_to_json(const Config& config) {
  nlohmann::json result = nlohmann::json::object();
  for_each_option(config,
                  [&](const char* key, const auto& field, const char*) { result[key] = field; });
  return result;
}

/// Fields that are not in `stored` keep their defaults. \throws UserError for an unknown key or a
/// value of the wrong kind.
template <class Config>
void read_config(const nlohmann::json& stored, Config& config) {
  std::size_t known = 0;
  for_each_option(config, [&](const char* key, auto& field, const char*) {
    const auto found = stored.find(key);
    if (found == stored.end()) {
      return;
    }
    ++known;
    try {
      field = found->template get<std::decay_t<decltype(field)>>();
    } catch (const nlohmann::json::exception&) {
      throw UserError(fmt::format("config: '{}' has a value of the wrong kind", key));
    }
  });
  if (known != stored.size()) {
    throw UserError(
        "config: the run folder holds options that this version does not know; use the version "
        "that made it");
  }
}

/// \param command  whose --config reads it back. \param wanted  of a key: whether it means
/// anything.
template <class Config, class Wanted>
std::string config_to_toml(const Config& config, const std::string& command, const Wanted& wanted) {
  std::string text = fmt::format(
      "# Effective configuration of a run; `probedarts {} --config` reads it back.\n", command);
  for_each_option(config, [&](const char* key, const auto& field, const char*) {
    // JSON's numbers, strings (with the same escapes), booleans and arrays are TOML's.
    if (wanted(std::string_view(key))) {
      text += fmt::format("{} = {}\n", key, nlohmann::json(field).dump());
    }
  });
  return text;
}

template <class Config>
std::string config_to_toml(const Config& config, const std::string& command) {
  return config_to_toml(config, command, [](std::string_view) { return true; });
}

}  // namespace probedarts::learn
