#include "learn/search_config.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <type_traits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;
using testing::sentence_of;

SearchConfig valid_config() {
  SearchConfig config;
  config.data = "tiles";
  return config;
}

std::string refusal(const std::function<void(SearchConfig&)>& change) {
  SearchConfig config = valid_config();
  change(config);
  return sentence_of([&] { validate(config); });
}

/// Every field moved away from its default.
SearchConfig changed_config() {
  SearchConfig config;
  for_each_option(config, [](const char* key, auto& field, const char*) {
    using Field = std::decay_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, bool>) {
      field = !field;
    } else if constexpr (std::is_arithmetic_v<Field>) {
      field = static_cast<Field>(field + 3);
    } else if constexpr (std::is_same_v<Field, std::string>) {
      field = std::string("another \"") + key + "\"";
    } else {
      field = {"a", "b"};
    }
  });
  return config;
}

TEST(ForEachOption, GivesEveryOptionANameOfItsOwnAndAHelp) {
  SearchConfig config;
  std::set<std::string> names;
  for_each_option(config, [&](const std::string& key, const auto&, const std::string& help) {
    EXPECT_TRUE(names.insert(key).second) << key << " occurs twice";
    EXPECT_EQ(key.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string::npos) << key;
    EXPECT_FALSE(help.empty()) << key;
  });
}

TEST(SearchConfig, ComesBackFromItsJson) {
  const SearchConfig config = changed_config();
  EXPECT_EQ(to_json(search_config_from_json(to_json(config))), to_json(config));
  EXPECT_NE(to_json(config), to_json(SearchConfig{}));
}

TEST(SearchConfig, TakesDefaultsForKeysThatAreAbsent) {
  const SearchConfig config = search_config_from_json({{"epochs", 7}});
  EXPECT_EQ(config.epochs, 7);
  EXPECT_EQ(config.batch, SearchConfig{}.batch);
}

TEST(SearchConfig, RefusesAKeyItDoesNotKnow) {
  EXPECT_EQ(sentence_of([] {
              search_config_from_json({{"epochs", 7}, {"colour", "red"}});
            }),
            "config: the run folder holds options that this version does not know; use the version "
            "that made it");
}

TEST(SearchConfig, RefusesAValueOfTheWrongKind) {
  EXPECT_EQ(sentence_of([] {
              search_config_from_json({{"epochs", "seven"}});
            }),
            "config: 'epochs' has a value of the wrong kind");
  EXPECT_EQ(sentence_of([] {
              search_config_from_json({{"label-columns", 3}});
            }),
            "config: 'label-columns' has a value of the wrong kind");
}

TEST(SearchConfig, WritesOneLineOfTomlForEachOption) {
  const SearchConfig config = valid_config();
  const std::string text = to_toml(config);
  for_each_option(config, [&](const std::string& key, const auto&, const char*) {
    EXPECT_NE(text.find("\n" + key + " = "), std::string::npos) << key;
  });
  EXPECT_NE(text.find("\ndata = \"tiles\"\n"), std::string::npos);
  EXPECT_NE(text.find("\nclip = 5.0\n"), std::string::npos) << "a float keeps its point";
  EXPECT_NE(text.find("\nlabel-columns = []\n"), std::string::npos);
}

TEST(IsMachineOption, HoldsOfWhereARunRunsNotOfWhatItComputes) {
  for (const char* key : {"data", "cache", "threads", "loader-threads", "executor"}) {
    EXPECT_TRUE(is_machine_option(key)) << key;
  }
  for (const char* key : {"seed", "epochs", "dtype", "batch", ""}) {
    EXPECT_FALSE(is_machine_option(key)) << key;
  }
}

TEST(PresetValues, NameOptionsThatExist) {
  std::set<std::string> names;
  SearchConfig config;
  for_each_option(config, [&](const char* key, const auto&, const char*) { names.insert(key); });
  for (const char* preset : {"pathology", "cifar"}) {
    for (const auto& [key, value] : search_preset(preset)) {
      EXPECT_EQ(names.count(key), 1U) << preset << ": " << key;
      EXPECT_FALSE(value.empty()) << preset << ": " << key;
    }
  }
}

TEST(PresetValues, RefuseAnUnknownPreset) {
  EXPECT_EQ(sentence_of([] { search_preset("imagenet"); }),
            "--preset: 'imagenet' is unknown; use one of pathology, cifar");
}

TEST(Validate, AcceptsTheDefaultsOnceDataAreGiven) { EXPECT_NO_THROW(validate(valid_config())); }

TEST(Validate, AsksForData) {
  EXPECT_EQ(sentence_of([] { validate(SearchConfig{}); }),
            "--data: no data set given; name its folder");
}

struct Range {
  const char* flag;
  double low, high;
};

class ValidateRange : public ::testing::TestWithParam<Range> {
 protected:
  /// The default configuration with this one option set.
  static SearchConfig with(const std::string& flag, double value) {
    SearchConfig config = valid_config();
    for_each_option(config, [&](const std::string& key, auto& field, const char*) {
      using Field = std::decay_t<decltype(field)>;
      if constexpr (std::is_arithmetic_v<Field> && !std::is_same_v<Field, bool>) {
        if (key == flag) {
          field = static_cast<Field>(value);
        }
      }
    });
    return config;
  }

  static void expect_refused(double value) {
    const Range& range = GetParam();
    const std::string sentence = sentence_of([&] { validate(with(range.flag, value)); });
    EXPECT_TRUE(sentence.starts_with(std::string("--") + range.flag + ": ")) << sentence;
    EXPECT_NE(sentence.find("is out of range; use "), std::string::npos) << sentence;
  }
};

TEST_P(ValidateRange, HoldsBothBoundsAndNothingBeyond) {
  const Range& range = GetParam();
  EXPECT_NO_THROW(validate(with(range.flag, range.high)));
  if (std::string_view(range.flag) != "size") {  // 8 px are a legal size but too few for the stem
    EXPECT_NO_THROW(validate(with(range.flag, range.low)));
  }
  expect_refused(range.low - 1.0);
  expect_refused(range.high + 1.0);
}

INSTANTIATE_TEST_SUITE_P(
    Options, ValidateRange,
    ::testing::Values(Range{"size", 8, 4096}, Range{"clip", 1e-12, 1e12}, Range{"cutout", 0, 64},
                      Range{"epochs", 1, 100000}, Range{"batch", 1, 65536}, Range{"lr", 0, 1000},
                      Range{"lr-final", 0, 1000}, Range{"momentum", 0, 1},
                      Range{"weight-decay", 0, 1}, Range{"beta", 0, 1}, Range{"zeta", 0, 1000},
                      Range{"gamma", 0, 1000}, Range{"step-size", 1, 100000}, Range{"order", 1, 2},
                      Range{"alpha-lr", 0, 1000}, Range{"alpha-weight-decay", 0, 1},
                      Range{"threads", 1, 1024}, Range{"loader-threads", 0, 1024},
                      Range{"train-portion", 0.01, 0.99}, Range{"rotation", 0, 180},
                      Range{"shift", 0, 1}),
    [](const auto& instance) {
      std::string name = instance.param.flag;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(Validate, RefusesANumberThatIsNone) {
  EXPECT_EQ(refusal([](SearchConfig& c) { c.lr = std::nan(""); }),
            "--lr: nan is out of range; use 0 to 1000");
}

TEST(Validate, RefusesAnUnknownChoiceAndListsTheKnownOnes) {
  EXPECT_EQ(refusal([](SearchConfig& c) { c.optimizer = "adam"; }),
            "--optimizer: 'adam' is unknown; use one of adas, sgd");
  EXPECT_EQ(refusal([](SearchConfig& c) { c.stem = "imagenet"; }),
            "--stem: 'imagenet' is unknown; use one of pathology, cifar");
  EXPECT_EQ(refusal([](SearchConfig& c) { c.dtype = "half"; }),
            "--dtype: 'half' is unknown; use one of float32, float64");
  EXPECT_EQ(refusal([](SearchConfig& c) { c.normalize = "mnist"; }),
            "--normalize: 'mnist' is unknown; use one of measured, none, cifar10, cifar100, adp, "
            "bcss, bach, osteosarcoma, imagenet, or numbers R,G,B/R,G,B");
}

TEST(Validate, RefusesAnImageTooSmallForTheStem) {
  EXPECT_EQ(refusal([](SearchConfig& c) { c.size = 16; }),
            "image size 16 px leaves 4 px after the pathology stem; at least 8 px are needed: use "
            "--size 32 or more");
}

TEST(AugmentationOf, FollowsTheNameOfTheRecipe) {
  const auto of = [](const char* name) {
    SearchConfig config;
    config.augment = name;
    config.cutout = 16;
    return augmentation_of(config);
  };
  EXPECT_FALSE(of("none").flip_horizontal);
  EXPECT_TRUE(of("flips").flip_vertical);
  EXPECT_EQ(of("flips").max_rotation_degrees, 0.0);
  EXPECT_EQ(of("pathology").max_rotation_degrees, 45.0);
  EXPECT_EQ(of("pathology").max_shift_share, 0.1);
  EXPECT_FALSE(of("cifar").flip_vertical);
  EXPECT_EQ(of("cifar").pad_crop_px, 4);
  EXPECT_EQ(of("none").cutout_px, 16);
}

TEST(AugmentationOf, GoesAsFarAsItIsTold) {
  SearchConfig config = valid_config();
  config.rotation = 10.0;
  config.shift = 0.25;
  EXPECT_NO_THROW(validate(config));
  EXPECT_EQ(augmentation_of(config).max_rotation_degrees, 10.0);
  EXPECT_EQ(augmentation_of(config).max_shift_share, 0.25);
  SearchConfig cifar = valid_config();
  cifar.augment = "cifar";
  cifar.pad_crop = 2;
  EXPECT_NO_THROW(validate(cifar));
  EXPECT_EQ(augmentation_of(cifar).pad_crop_px, 2);
}

TEST(Validate, RefusesAnAugmentationThatItsRecipeHasNot) {
  EXPECT_EQ(refusal([](SearchConfig& c) {
              c.augment = "flips";
              c.rotation = 10.0;
            }),
            "--rotation: changes nothing with --augment flips; it goes with pathology");
  EXPECT_EQ(refusal([](SearchConfig& c) { c.pad_crop = 2; }),
            "--pad-crop: changes nothing with --augment pathology; it goes with cifar");
  EXPECT_EQ(refusal([](SearchConfig& c) { c.pad_crop = 65; }),
            "--pad-crop: 65 is out of range; use 0 to 64");
}

TEST(AuxiliarySkip, FallsInALineToNothingInTheLastEpoch) {
  SearchConfig config;
  config.auxiliary_skip = 2.0;
  config.epochs = 5;
  for (int epoch = 0; epoch < config.epochs; ++epoch) {
    EXPECT_EQ(auxiliary_skip_in(config, epoch), 2.0 - 0.5 * epoch);
  }
  config.epochs = 1;
  EXPECT_EQ(auxiliary_skip_in(config, 0), 2.0);
}

}  // namespace
}  // namespace probedarts::learn
