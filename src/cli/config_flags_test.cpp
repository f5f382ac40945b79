#include "cli/config_flags.hpp"

#include <regex>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "learn/search_config.hpp"
#include "learn/train_config.hpp"

namespace probedarts::cli {
namespace {

using nlohmann::json;

constexpr RunCommand<learn::SearchConfig> kSearch = {"search", "Searches.", learn::search_preset};
constexpr RunCommand<learn::TrainConfig> kTrain = {"train", "Trains.", learn::train_preset};

/// A value as the help shows it; nothing for an empty text.
std::string shown(const json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_array()) {
    return "[]";  // no list has a default
  }
  if (value.is_number_float()) {
    std::ostringstream text;
    text << value.get<double>();
    return text.str();
  }
  return value.dump();
}

template <class Config>
std::string help_of(const RunCommand<Config>& command, const std::vector<std::string>& arguments) {
  RunRequest<Config> request;
  json machine;
  ::testing::internal::CaptureStdout();
  const std::optional<int> code = parse_run(command, arguments, request, machine);
  std::string help = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(code, 0);
  return help;
}

/// The configuration of a preset, made by the way of a run.
template <class Config>
json preset_of(const RunCommand<Config>& command, const std::string& preset) {
  RunRequest<Config> request;
  json machine;
  EXPECT_EQ(parse_run(command, {"--preset", preset, "--out", "run"}, request, machine),
            std::nullopt);
  return to_json(request.config);
}

/// That every option has its line in the help, with its value in `config` as the default.
void expect_defaults(const std::string& help, const json& config) {
  ASSERT_GT(config.size(), 20U);
  for (const auto& [key, value] : config.items()) {
    const std::size_t begin = help.find("\n  --" + key + " ");
    ASSERT_NE(begin, help.npos) << "no line for --" << key;
    const std::string line = help.substr(begin + 3, help.find('\n', begin + 1) - begin - 3);
    const std::string text = shown(value);
    const std::regex after_key(R"(^--\S+ [A-Z]+(=(\S+))?( .*)?$)");
    std::smatch found;
    ASSERT_TRUE(std::regex_match(line, found, after_key)) << line;
    EXPECT_EQ(found[2].str(), text) << line;
  }
}

TEST(HelpOfARun, ShowsEveryDefault) {
  expect_defaults(help_of(kSearch, {"--help"}), to_json(learn::SearchConfig{}));
  expect_defaults(help_of(kTrain, {"-h"}), to_json(learn::TrainConfig{}));
}

TEST(HelpOfARun, ShowsTheDefaultsOfThePresetThatIsNamed) {
  for (const char* preset : {"pathology", "cifar"}) {
    const std::string flag = std::string("--preset=") + preset;
    expect_defaults(help_of(kSearch, {flag, "--help"}), preset_of(kSearch, preset));
    expect_defaults(help_of(kTrain, {"--help", "--preset", preset}), preset_of(kTrain, preset));
  }
}

TEST(HelpOfARun, RefusesAPresetThatIsUnknown) {
  RunRequest<learn::SearchConfig> request;
  json machine;
  EXPECT_THROW(parse_run(kSearch, {"--preset", "adp", "--help"}, request, machine), UserError);
}

}  // namespace
}  // namespace probedarts::cli
