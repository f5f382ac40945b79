#include "explain/explain.hpp"

#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "core/files.hpp"
#include "data/image.hpp"
#include "explain/trained_network.hpp"
#include "nets/zoo.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::explain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ScratchFolder;
using testing::sentence_of;

std::shared_ptr<TrainedNetwork> network(const std::string& name, const std::string& zoo) {
  auto made = std::make_shared<TrainedNetwork>();
  made->name = name;
  made->graph = nets::make_zoo_network(zoo, 3);
  made->state = nets::initial_state(made->graph, nets::Precision::kFloat32, 5);
  made->classes = {"fat", "gland", "muscle"};
  made->size_px = 64;
  return made;
}

/// An image with a dark square, in the folder of its class.
fs::path write_image(const ScratchFolder& scratch, const std::string& name, int side = 80) {
  data::Image image{side, side, {}};
  for (int i = 0; i < side * side; ++i) {
    const bool dark = i % side > side / 2 && i / side > side / 2;
    image.rgb.insert(image.rgb.end(), {static_cast<std::uint8_t>(dark ? 90 : 230),
                                       static_cast<std::uint8_t>(dark ? 40 : 180), 200});
  }
  fs::create_directories((scratch.path() / name).parent_path());
  data::write_png(scratch.path() / name, image);
  return scratch.path() / name;
}

ExplainOptions quick(std::vector<std::string> targets) {
  ExplainOptions options;
  options.targets = std::move(targets);
  options.threads = 1;
  return options;
}

TEST(ExplainImages, WritesMapsOfEveryImageNetworkAndTarget) {
  const ScratchFolder scratch;
  const auto file = write_image(scratch, "gland/a b.png");
  const auto images = label_images({file}, nullptr, {"fat", "gland", "muscle"});
  const json facts =
      explain_images({network("one", "mobilenet_v3_small"), network("two", "mobilenet_v3_small")},
                     images, quick({"top", "label", "2"}), scratch.path() / "out");
  const json& maps = facts.at("images").at(0).at("maps");
  std::set<std::pair<std::string, std::string>> explained, wanted;
  for (const json& map : maps) {
    explained.emplace(map.at("network"), map.at("class"));
    for (const char* name : {"gland", "muscle"}) {
      wanted.emplace(map.at("network"), name);
    }
    wanted.emplace(map.at("network"), map.at("top_class"));
  }
  EXPECT_EQ(explained, wanted);
  EXPECT_EQ(maps.size(), wanted.size());  // a class that is also the first answer comes once
  for (const json& map : maps) {
    const data::Image painted =
        data::read_image(scratch.path() / "out" / map.at("overlay").get<std::string>());
    EXPECT_EQ(painted.width, 64);
    const std::string heat = read_file(scratch.path() / "out" / map.at("heat").get<std::string>());
    EXPECT_NE(heat.find("'shape': (64, 64)"), std::string::npos);
    const std::string raw = read_file(scratch.path() / "out" / map.at("raw").get<std::string>());
    EXPECT_NE(raw.find("'shape': (2, 2)"), std::string::npos);
  }
  EXPECT_EQ(json::parse(read_file(scratch.path() / "out/explain.json")), facts);
  EXPECT_TRUE(fs::exists(scratch.path() / "out/index.html"));
  EXPECT_TRUE(fs::is_directory(scratch.path() / "out/a_b"));
}

TEST(ExplainImages, ProbabilitiesOfASingleLabelNetworkAddUpToOne) {
  const ScratchFolder scratch;
  const auto images = label_images({write_image(scratch, "a.png")}, nullptr, {});
  const json facts = explain_images({network("n", "mobilenet_v3_small")}, images,
                                    quick({"0", "1", "2"}), scratch.path() / "out");
  double sum = 0.0;
  for (const json& map : facts.at("images").at(0).at("maps")) {
    sum += map.at("probability").get<double>();
  }
  EXPECT_NEAR(sum, 1.0, 1e-12);
}

TEST(ExplainImages, TakesEachProbabilityByItselfForSeveralLabels) {
  const ScratchFolder scratch;
  const auto images = label_images({write_image(scratch, "a.png")}, nullptr, {});
  auto multi = network("n", "mobilenet_v3_small");
  multi->labels = data::LabelKind::kMulti;
  const json facts = explain_images({multi}, images, quick({"gland"}), scratch.path() / "out");
  const json& map = facts.at("images").at(0).at("maps").at(0);
  EXPECT_NEAR(map.at("probability").get<double>(),
              1.0 / (1.0 + std::exp(-map.at("logit").get<double>())), 1e-12);
}

TEST(ExplainImages, GivesTheSameBytesAgain) {
  const ScratchFolder scratch;
  const auto images = label_images({write_image(scratch, "a.png")}, nullptr, {});
  for (const char* out : {"first", "second"}) {
    explain_images({network("n", "mobilenet_v3_small")}, images, quick({"top"}),
                   scratch.path() / out);
  }
  EXPECT_EQ(read_file(scratch.path() / "first/index.html"),
            read_file(scratch.path() / "second/index.html"));
  EXPECT_EQ(read_file(scratch.path() / "first/explain.json"),
            read_file(scratch.path() / "second/explain.json"));
}

TEST(ExplainImages, KeepsImagesOfTheSameNameApart) {
  const ScratchFolder scratch;
  const auto images = label_images(
      {write_image(scratch, "x/a.png"), write_image(scratch, "y/a.png", 100)}, nullptr, {});
  explain_images({network("n", "mobilenet_v3_small")}, images, quick({"top"}),
                 scratch.path() / "out");
  EXPECT_TRUE(fs::is_directory(scratch.path() / "out/a"));
  EXPECT_TRUE(fs::is_directory(scratch.path() / "out/a-2"));
}

TEST(ExplainImages, LeavesNothingBehindWhenAnImageIsUnreadable) {
  const ScratchFolder scratch;
  const auto bad = scratch.write("in/b.png", "no image");
  const auto images = label_images({write_image(scratch, "in/a.png"), bad}, nullptr, {});
  EXPECT_EQ(sentence_of([&] {
              explain_images({network("n", "mobilenet_v3_small")}, images, quick({"top"}),
                             scratch.path() / "out");
            }),
            bad.string() + ": not a PNG, JPEG or TIFF file; convert, replace or remove it");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()), 1);
}

TEST(ExplainImages, NamesTheNearestClass) {
  const ScratchFolder scratch;
  const auto images = label_images({write_image(scratch, "a.png")}, nullptr, {});
  const auto refusal = [&](const std::string& target) {
    return sentence_of([&] {
      explain_images({network("n", "mobilenet_v3_small")}, images, quick({target}),
                     scratch.path() / "out");
    });
  };
  EXPECT_EQ(refusal("glnad"), "--target: n knows no class 'glnad'; did you mean 'gland'?");
  EXPECT_EQ(refusal("3"),
            "--target: n knows no class '3'; use top, label, a number below 3, or one of fat, "
            "gland, muscle");
  EXPECT_EQ(refusal("label"), "--target label: the label of " + scratch.text() +
                                  "/a.png is not known; give the data set with --data, or name a "
                                  "class");
}

TEST(ExplainImages, RefusesALabelThatTheNetworkHasNeverSeen) {
  const ScratchFolder scratch;
  const auto images = label_images({write_image(scratch, "bone/a.png")}, nullptr, {"bone"});
  EXPECT_EQ(sentence_of([&] {
              explain_images({network("n", "mobilenet_v3_small")}, images, quick({"label"}),
                             scratch.path() / "out");
            }),
            scratch.text() +
                "/bone/a.png: n has never seen its label 'bone'; it knows fat, gland, muscle");
}

TEST(ExplainImages, RefusesTwoLayersForThreeNetworks) {
  const ScratchFolder scratch;
  const auto images = label_images({write_image(scratch, "a.png")}, nullptr, {});
  ExplainOptions options = quick({"top"});
  options.layers = {"features.1", "features.2"};
  const auto one = network("n", "mobilenet_v3_small");
  EXPECT_EQ(sentence_of([&] {
              explain_images({one, one, one}, images, options, scratch.path() / "out");
            }),
            "--layer: 2 layers for 3 networks; give one for all, or one each");
}

TEST(LabelImages, TakesLabelsOfADataSet) {
  const ScratchFolder scratch;
  const auto a = write_image(scratch, "a.png");
  write_image(scratch, "b.png", 64);
  scratch.write("labels.csv", "file,split,fat,gland\na.png,train,1,1\nb.png,train,0,0\n");
  const data::Dataset dataset = data::open_dataset(scratch.path());
  const auto images =
      label_images({scratch.path() / "./a.png", scratch.path() / "b.png"}, &dataset, {});
  EXPECT_THAT(images[0].label.value(), ::testing::ElementsAre("fat", "gland"));
  EXPECT_THAT(images[1].label.value(), ::testing::IsEmpty());
  const auto other = write_image(scratch, "c.png");
  EXPECT_EQ(sentence_of([&] { label_images({other}, &dataset, {}); }),
            other.string() + ": the data set " + scratch.text() +
                " does not list this image; check --data");
}

}  // namespace
}  // namespace probedarts::explain
