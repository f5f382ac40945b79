#include "learn/search_history.hpp"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/scratch_folder.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

/// A line of epochs.jsonl as far as a history reads it.
std::string line(int epoch, double share, const json& ranks) {
  const json cell = {{"genes", json::array()}, {"concat", {epoch}}};
  return json({{"epoch", epoch},
               {"probe", {{"stable_rank", ranks}}},
               {"collapse", {{"normal", {{"parameter_free_share", share}}}}},
               {"genotype", {{"normal", cell}, {"reduce", cell}}}})
      .dump();
}

std::string line_with_eigenvalue(int epoch, double eigenvalue) {
  json whole = json::parse(line(epoch, 0.0, {0.1 * epoch, 0.5}));
  whole["eigenvalue"] = {{"largest", eigenvalue}};
  return whole.dump();
}

SearchConfig impatient() {
  SearchConfig config;
  config.stop_from = 1;
  config.stop_window = 2;
  return config;
}

TEST(SearchHistory, ReadsBackWhatWasAdded) {
  const testing::ScratchFolder scratch;
  const auto file = scratch.write(
      "epochs.jsonl", line(0, 0.25, {0.1, nullptr}) + "\n" + line_with_eigenvalue(1, 0.3) + "\n");
  const SearchHistory history = read_history(file);
  ASSERT_EQ(history.epochs(), 2);
  EXPECT_EQ(history.stable_rank[0][0], 0.1);
  EXPECT_TRUE(std::isnan(history.stable_rank[0][1]));
  EXPECT_EQ(history.mean_stable_rank[0], 0.1) << "a failed layer is left out";
  EXPECT_EQ(history.parameter_free_share[0], 0.25);
  EXPECT_EQ(history.eigenvalue, std::vector<double>{0.3});
  EXPECT_EQ(history.eigenvalue_epoch, std::vector<int>{1});
  EXPECT_EQ(json::parse(history.genotype[1])["normal"]["concat"][0], 1);
  EXPECT_EQ(read_history(scratch.path() / "none").epochs(), 0);
}

TEST(EarlyStopping, IsOffByDefault) {
  SearchHistory history;
  for (int epoch = 0; epoch < 30; ++epoch) {
    history.add(line(epoch, 1.0, {0.5, 0.5}));
  }
  EXPECT_FALSE(early_stop(SearchConfig{}, history).has_value());
}

TEST(EarlyStopping, KeepsTheCellFromBeforeTheEigenvalueGrew) {
  SearchConfig config = impatient();
  config.stop_eigenvalue = 1.3;
  SearchHistory history;
  const std::vector<double> values = {1.0, 1.0, 1.1, 1.2, 1.9};
  for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
    EXPECT_FALSE(early_stop(config, history).has_value()) << epoch;
    history.add(line_with_eigenvalue(static_cast<int>(epoch), values[epoch]));
  }
  const auto stop = early_stop(config, history);
  ASSERT_TRUE(stop.has_value());
  EXPECT_EQ(stop->rule, "eigenvalue");
  EXPECT_EQ(stop->genotype_epoch, 2) << "two values before the last";
  EXPECT_EQ(stop->why,
            "the largest eigenvalue in alpha, mean of 2 values, has grown by a factor of 1.3 or "
            "more; the cell of epoch 3 is kept");
}

TEST(EarlyStopping, CountsMeasuredEpochsOnly) {
  SearchConfig config = impatient();
  config.stop_eigenvalue = 1.3;
  SearchHistory history;
  for (int epoch = 0; epoch < 8; ++epoch) {
    history.add(epoch % 2 == 0 ? line_with_eigenvalue(epoch, 1.0 + epoch)
                               : line(epoch, 0.0, {0.1 * epoch, 0.5}));
  }
  const auto stop = early_stop(config, history);
  ASSERT_TRUE(stop.has_value());
  EXPECT_EQ(stop->genotype_epoch, 2) << "measured at 0, 2, 4, 6";
}

TEST(EarlyStopping, EndsWhenPrimitivesWithoutParametersHaveTakenOver) {
  SearchConfig config = impatient();
  config.stop_parameter_free = 0.5;
  SearchHistory history;
  history.add(line(0, 0.75, {0.1}));
  EXPECT_FALSE(early_stop(config, history).has_value());
  history.add(line(1, 0.5, {0.2}));
  const auto stop = early_stop(config, history);
  ASSERT_TRUE(stop.has_value());
  EXPECT_EQ(stop->rule, "parameter-free");
  EXPECT_EQ(stop->genotype_epoch, 1);
  EXPECT_EQ(
      stop->why,
      "at least 50 % of the normal cell's kept edges have carried no parameters for 2 epochs");
}

TEST(EarlyStopping, TellsAGlobalPlateauFromALocalOne) {
  SearchConfig config = impatient();
  SearchHistory history;  // the mean stands still while both layers move
  history.add(line(0, 0.0, {0.4, 0.2}));
  history.add(line(1, 0.0, {0.2, 0.4}));
  config.stop_plateau = "local";
  EXPECT_FALSE(early_stop(config, history).has_value());
  config.stop_plateau = "global";
  const auto stop = early_stop(config, history);
  ASSERT_TRUE(stop.has_value());
  EXPECT_EQ(stop->why, "the stable rank averaged over layers has moved less than 1 % in 2 epochs");
}

TEST(EarlyStopping, WaitsForTheEpochItMayBeginAt) {
  SearchConfig config = impatient();
  config.stop_plateau = "local";
  config.stop_from = 3;
  SearchHistory history;
  history.add(line(0, 0.0, {0.4}));
  history.add(line(1, 0.0, {0.4}));
  EXPECT_FALSE(early_stop(config, history).has_value());
  history.add(line(2, 0.0, {0.4}));
  EXPECT_EQ(early_stop(config, history).value().rule, "plateau");
}

}  // namespace
}  // namespace probedarts::learn
