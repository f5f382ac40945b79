#include "cli/flags.hpp"

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.hpp"
#include "support/mutation.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::mutate;
using testing::ScratchFolder;
using testing::sentence_of;

/// A command of a number, a text, a list and a switch.
struct Demo {
  int epochs = 50;
  std::string optimizer = "adas";
  std::vector<std::string> columns;
  bool force = false;
  std::unique_ptr<CLI::App> app = make_parser("A command.", "probedarts demo");

  Demo() {
    app->add_option("--epochs", epochs, "epochs");
    app->add_option("--optimizer", optimizer, "of the weights");
    app->add_option("--columns", columns, "names")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->delimiter(',');
    app->add_flag("--force", force, "replace");
    app->add_option("--config", config, "file");
  }

  std::string refusal(std::vector<std::string> arguments) {
    return sentence_of([&] { parse(*app, std::move(arguments)); });
  }

 private:
  std::string config;
};

std::string toml_refusal(const std::string& text) {
  const ScratchFolder scratch;
  const std::string path = scratch.write("my.toml", text).string();
  const Demo demo;
  const std::string sentence = sentence_of([&] { flags_from_toml(path, *demo.app); });
  EXPECT_TRUE(sentence.starts_with(path + ": ")) << sentence;
  return sentence.substr(std::min(sentence.size(), path.size() + 2));
}

std::vector<std::string> toml_flags(const std::string& text) {
  const ScratchFolder scratch;
  const Demo demo;
  return flags_from_toml(scratch.write("my.toml", text).string(), *demo.app);
}

TEST(Parse, FillsFieldsAndLeavesDefaults) {
  Demo demo;
  EXPECT_EQ(parse(*demo.app, {"--epochs", "3", "--force"}), std::nullopt);
  EXPECT_EQ(demo.epochs, 3);
  EXPECT_EQ(demo.optimizer, "adas");
  EXPECT_TRUE(demo.force);
}

TEST(Parse, TakesTheLastOfARepeatedOption) {
  Demo demo;
  parse(*demo.app, {"--epochs=3", "--epochs", "4"});
  EXPECT_EQ(demo.epochs, 4);
}

TEST(Parse, SplitsAListAtItsCommas) {
  Demo demo;
  parse(*demo.app, {"--columns", "tumor,stroma", "--columns", "fat"});
  EXPECT_THAT(demo.columns, ElementsAre("tumor", "stroma", "fat"));
}

TEST(Parse, PrintsHelpAndIsDone) {
  Demo demo;
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(parse(*demo.app, {"--help"}), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStdout(), ::testing::HasSubstr("--optimizer"));
}

TEST(Parse, EndsAListOfValuesAtTwoDashes) {
  Demo demo;
  std::vector<std::string> files;
  demo.app->add_option("files", files, "files");
  EXPECT_EQ(parse(*demo.app, {"--columns", "a", "b", "--", "c", "d"}), std::nullopt);
  EXPECT_THAT(demo.columns, ElementsAre("a", "b"));
  EXPECT_THAT(files, ElementsAre("c", "d"));
}

TEST(Parse, TakesNoFlagsAfterTwoDashes) {
  Demo demo;
  std::vector<std::string> files;
  demo.app->add_option("files", files, "files");
  EXPECT_EQ(parse(*demo.app, {"--epochs", "3", "--", "-c", "d"}), std::nullopt);
  EXPECT_EQ(demo.epochs, 3);
  EXPECT_THAT(files, ElementsAre("-c", "d"));
}

TEST(Parse, NamesTheNearestOptionOfAMisspeltOne) {
  EXPECT_EQ(Demo().refusal({"--epoch", "3"}), "unknown option '--epoch'; did you mean '--epochs'?");
  EXPECT_EQ(Demo().refusal({"--optimiser=sgd"}),
            "unknown option '--optimiser'; did you mean '--optimizer'?");
}

TEST(Parse, PointsToTheHelpWhenNoOptionIsNear) {
  EXPECT_EQ(Demo().refusal({"--colour"}), "unknown option '--colour'; see probedarts demo --help");
  EXPECT_EQ(Demo().refusal({"--"}), "unknown option '--'; see probedarts demo --help");
}

TEST(Parse, RefusesAnArgumentThatBelongsToNothing) {
  EXPECT_EQ(Demo().refusal({"folder"}), "unexpected argument 'folder'; see probedarts demo --help");
}

TEST(Parse, RefusesAValueOfTheWrongKind) {
  EXPECT_EQ(Demo().refusal({"--epochs", "many"}),
            "--epochs = many: a value of the wrong kind; see probedarts demo --help");
}

TEST(Parse, RefusesAnOptionWithoutItsValue) {
  EXPECT_EQ(Demo().refusal({"--epochs"}),
            "--epochs: 1 required INT missing; see probedarts demo --help");
}

TEST(RawValue, TakesTheLastInEitherForm) {
  EXPECT_EQ(raw_value({"--config", "a", "--config=b"}, "--config"), "b");
  EXPECT_EQ(raw_value({"--config=b", "--config", "a"}, "--config"), "a");
  EXPECT_EQ(raw_value({"--config="}, "--config"), "");
}

TEST(RawValue, IsAbsentWithoutTheFlagOrItsValue) {
  EXPECT_EQ(raw_value({"--configuration", "a"}, "--config"), std::nullopt);
  EXPECT_EQ(raw_value({"--config"}, "--config"), std::nullopt);
}

TEST(FlagsFromToml, BecomeFlagsInEveryKindOfValue) {
  EXPECT_THAT(toml_flags("epochs = 3\n"), ElementsAre("--epochs=3"));
  EXPECT_THAT(toml_flags("optimizer = \"s g=d\"\n"), ElementsAre("--optimizer=s g=d"));
  EXPECT_THAT(toml_flags("optimizer = \"\"\nepochs = 3\n"),
              ElementsAre("--epochs=3", "--optimizer", ""));
  EXPECT_THAT(toml_flags("force = true\n"), ElementsAre("--force=true"));
  EXPECT_THAT(toml_flags("epochs = 2.5e-7\n"), ElementsAre("--epochs=2.5e-07"));
  EXPECT_THAT(toml_flags("columns = ['a', 'b']\n"), ElementsAre("--columns=a", "--columns=b"));
}

TEST(FlagsFromToml, OfAnEmptyFileAreNone) {
  EXPECT_THAT(toml_flags(""), IsEmpty());
  EXPECT_THAT(toml_flags("# epochs = 3\n"), IsEmpty());
}

TEST(FlagsFromToml, RefuseAKeyThatIsNoFlag) {
  EXPECT_EQ(toml_refusal("epoch = 3\n"), "unknown key 'epoch'; did you mean 'epochs'?");
  EXPECT_EQ(toml_refusal("colour = 3\n"), "unknown key 'colour'; see probedarts demo --help");
}

TEST(FlagsFromToml, RefuseTheKeysThatMakeNoSenseInAFile) {
  EXPECT_TRUE(toml_refusal("config = 'other.toml'\n").starts_with("unknown key 'config'"));
  EXPECT_TRUE(toml_refusal("help = true\n").starts_with("unknown key 'help'"));
}

TEST(FlagsFromToml, RefuseTablesAndDates) {
  const std::string sentence =
      "key 'epochs' must be a number, a text, true or false; tables are not used";
  EXPECT_EQ(toml_refusal("[epochs]\nfirst = 3\n"), sentence);
  EXPECT_EQ(toml_refusal("epochs = 2026-01-01\n"), sentence);
}

TEST(FlagsFromToml, QuoteTheLineThatIsNoToml) {
  EXPECT_EQ(toml_refusal("epochs = 3\noptimizer = sgd\n"),
            "line 2 ('optimizer = sgd') is not TOML; write key = value, texts in quotes");
}

TEST(FlagsFromToml, DoNotQuoteALineThatIsLongOrNotPrintable) {
  const std::string sentence = "line 1 is not TOML; write key = value, texts in quotes";
  EXPECT_EQ(toml_refusal("= " + std::string(100, 'x') + "\n"), sentence);
  EXPECT_EQ(toml_refusal("= \x1b[2J\n"), sentence);
}

TEST(FlagsFromToml, SurviveAnyDamageToTheFile) {
  const ScratchFolder scratch;
  const Demo demo;
  const std::string sound = "epochs = 3\noptimizer = \"sgd\"\ncolumns = ['a', 'b']\nforce = true\n";
  Stream stream(2, "mutations");
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string path = scratch.write("my.toml", mutate(sound, stream)).string();
    try {
      flags_from_toml(path, *demo.app);
    } catch (const UserError&) {
      ++refused;  // anything else ends the test
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace probedarts::cli
