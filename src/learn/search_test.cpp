// Whole searches in memory of the process on a small synthetic data set: what a probe or a response
// may change of a search, and what it must not.

#include "learn/search.hpp"

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/tensor_file.hpp"
#include "data/synth.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

class WholeSearch : public ::testing::Test {
 protected:
  WholeSearch() {
    data::SynthOptions options;
    options.size_px = 32;
    options.train = 64;
    options.valid = options.test = 16;
    data::write_synthetic_dataset(scratch_.path() / "data", options);
    config_.data = (scratch_.path() / "data").string();
    config_.cache = (scratch_.path() / "cache").string();
    config_.size = 32;
    config_.channels = 4;
    config_.cells = 3;
    config_.nodes = 1;
    config_.batch = 8;
    config_.epochs = 3;
    config_.threads = 1;
    config_.loader_threads = 0;
  }

  SearchResult run(const std::string& name, const SearchConfig& config) const {
    return run_search(config, scratch_.path() / name, RunFolder::IfExists::kRefuse);
  }

  std::filesystem::path file(const std::string& run, const std::string& name) const {
    return scratch_.path() / run / name;
  }

  std::vector<json> lines(const std::string& run) const {
    std::istringstream text(read_file(file(run, "epochs.jsonl")));
    std::vector<json> found;
    for (std::string line; std::getline(text, line);) {
      found.push_back(json::parse(line));
    }
    return found;
  }

  /// The bits that the search computed.
  std::string tensors(const std::string& run) const {
    const TensorFile stored = read_tensor_file(file(run, "checkpoint/last.safetensors"));
    std::string bits;
    for (const auto& [name, tensor] : stored.tensors) {
      bits += name + tensor.bytes;
    }
    return bits;
  }

  testing::ScratchFolder scratch_;
  SearchConfig config_;
};

TEST_F(WholeSearch, HasTheSameBitsWithAndWithoutProbes) {
  run("plain", config_);
  config_.probe = {"eigenvalue", "gap", "alignment"};
  run("probed", config_);
  EXPECT_EQ(tensors("probed"), tensors("plain"));
  const std::vector<json> plain = lines("plain");
  std::vector<json> probed = lines("probed");
  ASSERT_EQ(probed.size(), plain.size());
  for (std::size_t epoch = 0; epoch < plain.size(); ++epoch) {
    EXPECT_GE(probed[epoch].at("eigenvalue").at("largest"), 0.0) << "0 is among them";
    EXPECT_EQ(probed[epoch].at("gap").at("gap").get<double>(),
              probed[epoch].at("gap").at("derived_error").get<double>() -
                  probed[epoch].at("valid").at("error").get<double>());
    EXPECT_LE(std::abs(probed[epoch].at("alignment").at("cosine").get<double>()), 1.0);
    json without = plain[epoch];
    for (const char* key : {"eigenvalue", "gap", "alignment"}) {
      EXPECT_GT(probed[epoch].at("seconds").at(key), 0.0);
      EXPECT_FALSE(without.contains(key));
      probed[epoch].erase(key);
    }
    probed[epoch].erase("seconds");
    without.erase("seconds");
    EXPECT_EQ(probed[epoch], without) << epoch;
  }
}

TEST_F(WholeSearch, HasTheSameBitsWithProbesOnTheComposedExecutor) {
  config_.executor = "composed";
  config_.epochs = 2;
  run("plain", config_);
  config_.probe = {"eigenvalue", "gap", "alignment"};
  run("probed", config_);
  EXPECT_EQ(tensors("probed"), tensors("plain"));
}

TEST_F(WholeSearch, MeasuresEveryFewEpochsAndAtTheEnd) {
  config_.probe = {"alignment"};
  config_.probe_every = 2;
  config_.epochs = 4;
  run("run", config_);
  std::vector<bool> measured;
  for (const json& line : lines("run")) {
    measured.push_back(line.contains("alignment"));
  }
  EXPECT_EQ(measured, (std::vector<bool>{true, false, true, true}));
}

TEST_F(WholeSearch, RecordsTheVelocityOfEveryLayer) {
  run("run", config_);
  const std::vector<json> found = lines("run");
  EXPECT_TRUE(found[0].at("probe").at("velocity").at(0).is_null()) << "nothing came before";
  for (std::size_t epoch = 1; epoch < found.size(); ++epoch) {
    const json& now = found[epoch].at("probe");
    for (std::size_t layer = 0; layer < now.at("stable_rank").size(); ++layer) {
      EXPECT_EQ(now.at("velocity").at(layer).get<double>(),
                now.at("stable_rank").at(layer).get<double>() -
                    found[epoch - 1].at("probe").at("stable_rank").at(layer).get<double>());
    }
  }
}

TEST_F(WholeSearch, ThatIsStoppedEndsNormallyAndSaysWhy) {
  config_.epochs = 9;
  config_.stop_plateau = "global";
  config_.stop_tolerance = 1.0;  // anything that has begun is flat
  config_.stop_window = 2;
  config_.stop_from = 3;
  config_.lr = 0.5;
  const SearchResult result = run("run", config_);
  ASSERT_TRUE(result.stopped.has_value()) << "no stable rank rose above 0";
  EXPECT_EQ(result.stopped->rule, "plateau");
  EXPECT_EQ(result.epochs, static_cast<int>(lines("run").size()));
  EXPECT_LT(result.epochs, 9);
  const json head = json::parse(read_file(file("run", "run.json")));
  EXPECT_EQ(head.at("stopped").at("rule"), "plateau");
  EXPECT_EQ(head.at("stopped").at("why"), result.stopped->why);
  EXPECT_EQ(head.at("stopped").at("genotype_epoch"), result.epochs - 1);
  EXPECT_EQ(space::parse_genotype(read_file(file("run", "genotype.json"))), result.genotype);
}

TEST_F(WholeSearch, ThatIsStoppedIsTheBeginningOfOneThatIsNot) {
  config_.epochs = 4;
  config_.optimizer = "adas";  // whose rates do not depend on the number of epochs
  run("whole", config_);
  config_.probe = {"eigenvalue"};
  config_.stop_parameter_free = 1e-9;  // any kept edge without parameters
  config_.stop_window = 2;
  config_.stop_from = 2;
  const SearchResult stopped = run("stopped", config_);
  const std::vector<json> whole = lines("whole");
  const std::vector<json> cut = lines("stopped");
  ASSERT_LE(cut.size(), whole.size());
  for (std::size_t epoch = 0; epoch < cut.size(); ++epoch) {
    EXPECT_EQ(cut[epoch].at("alpha_softmax"), whole[epoch].at("alpha_softmax"));
  }
  const std::string before = tensors("stopped");
  const SearchResult again = resume_search(scratch_.path() / "stopped", json::object());
  EXPECT_EQ(again.epochs, stopped.epochs) << "there is nothing left to do";
  EXPECT_EQ(again.genotype, stopped.genotype);
  EXPECT_EQ(again.stopped.has_value(), stopped.stopped.has_value());
  EXPECT_EQ(tensors("stopped"), before);
}

TEST_F(WholeSearch, SamplesAnewInEveryEpochAndRepeatably) {
  config_.epochs = 2;
  config_.gumbel = 1.0;
  run("one", config_);
  run("other", config_);
  EXPECT_EQ(tensors("one"), tensors("other"));
  config_.gumbel = 0.0;
  run("plain", config_);
  EXPECT_NE(tensors("one"), tensors("plain"));
}

TEST_F(WholeSearch, LearnsAndValidatesWithItsAuxiliarySkip) {
  config_.epochs = 2;
  run("plain", config_);
  config_.auxiliary_skip = 1.0;
  run("one", config_);
  run("other", config_);
  EXPECT_EQ(tensors("one"), tensors("other"));
  EXPECT_NE(tensors("one"), tensors("plain"));
  EXPECT_NE(lines("one")[0].at("valid"), lines("plain")[0].at("valid"));
}

TEST_F(WholeSearch, LetsSomeChannelsAroundItsCandidates) {
  config_.epochs = 2;
  config_.nodes = 2;
  config_.executor = "composed";
  run("plain", config_);
  config_.executor = "auto";
  config_.partial_channels = 2;
  config_.probe = {"gap"};
  const SearchResult result = run("one", config_);
  run("other", config_);
  EXPECT_EQ(tensors("one"), tensors("other"));
  EXPECT_EQ(result.genotype.nodes(), 2);
  const auto record = [&](const char* name) {
    return json::parse(read_file(file(name, "run.json")));
  };
  EXPECT_EQ(record("one").at("executor"), "composed");
  EXPECT_EQ(record("one").at("config").at("partial-channels"), 2);
  EXPECT_LT(record("one").at("parameters"), record("plain").at("parameters"));
  EXPECT_NE(lines("one")[0].at("valid"), lines("plain")[0].at("valid"));
}

TEST_F(WholeSearch, DecaysItsLogitsFromTheSecondEpochOn) {
  config_.epochs = 2;
  run("plain", config_);
  config_.beta_decay = 5.0;
  run("decayed", config_);
  EXPECT_EQ(lines("decayed")[0].at("alpha_softmax"), lines("plain")[0].at("alpha_softmax"));
  EXPECT_NE(lines("decayed")[1].at("alpha_softmax"), lines("plain")[1].at("alpha_softmax"));
}

}  // namespace
}  // namespace probedarts::learn
