#include "data/check.hpp"

#include <array>
#include <cmath>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "data/image.hpp"
#include "support/scratch_folder.hpp"
#include "support/shared_files.hpp"

namespace probedarts::data {
namespace {

using probedarts::testing::shared_folder;
using ::testing::HasSubstr;
using testing::ScratchFolder;

void write_flat(const ScratchFolder& folder, const std::string& name, int height, int width,
                std::array<std::uint8_t, 3> colour) {
  Image image{height, width, {}};
  for (int pixel = 0; pixel < height * width; ++pixel) {
    image.rgb.insert(image.rgb.end(), colour.begin(), colour.end());
  }
  std::filesystem::create_directories((folder.path() / name).parent_path());
  write_png(folder.path() / name, image);
}

/// Eight images: 1 = 3 (across splits), 1 = 2 (within train, other label), 8 unreadable.
class CheckDataset : public ::testing::Test {
 protected:
  CheckDataset() {
    write_flat(folder_, "1.png", 4, 6, {10, 20, 30});
    write_flat(folder_, "2.png", 4, 6, {10, 20, 30});
    write_flat(folder_, "3.png", 4, 6, {10, 20, 30});
    write_flat(folder_, "4.png", 4, 6, {0, 0, 255});
    write_flat(folder_, "5.png", 6, 4, {10, 20, 30});  // same bytes, another shape
    write_flat(folder_, "6.png", 4, 6, {1, 1, 1});
    write_flat(folder_, "7.png", 4, 6, {2, 2, 2});
    folder_.write("8.png", "");
    folder_.write("labels.csv",
                  "file,split,label,group\n1.png,train,a,p\n2.png,train,b,p\n4.png,train,b,q\n"
                  "8.png,train,a,\n3.png,test,a,r\n5.png,test,b,r\n6.png,valid,a,s\n"
                  "7.png,valid,b,t\n");
  }
  nlohmann::json json(int threads = 1) const {
    return nlohmann::json::parse(check_dataset(open_dataset(folder_.path()), threads).json);
  }

  ScratchFolder folder_;
};

TEST_F(CheckDataset, CountsImagesClassesAndGroups) {
  const auto train = json()["splits"]["train"];
  EXPECT_EQ(train["images"], 4);
  EXPECT_EQ(train["per_class"]["a"], 2);
  EXPECT_EQ(train["per_class"]["b"], 2);
  EXPECT_EQ(train["groups"], 2);
  EXPECT_EQ(train["without_group"], 1);
  EXPECT_EQ(train["unreadable"], 1);
}

TEST_F(CheckDataset, ListsUnreadableImagesWithTheReason) {
  const CheckReport report = check_dataset(open_dataset(folder_.path()), 1);
  EXPECT_EQ(report.unreadable, 1U);
  const auto listed = json()["unreadable"];
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0]["image"], "8.png");
  EXPECT_EQ(listed[0]["split"], "train");
  EXPECT_THAT(listed[0]["why"].get<std::string>(), HasSubstr("8.png: "));
  EXPECT_THAT(report.text, HasSubstr("unreadable images: 1\n  " + folder_.text() + "/8.png: "));
}

TEST_F(CheckDataset, FindsDuplicatesByPixelsAndShape) {
  const CheckReport report = check_dataset(open_dataset(folder_.path()), 1);
  EXPECT_EQ(report.duplicates_across_splits, 1U);
  EXPECT_EQ(report.duplicates_within_splits, 1U);
  EXPECT_EQ(report.conflicting_labels, 1U);
  EXPECT_EQ(json()["duplicates"]["sets"].size(), 1U);
  EXPECT_THAT(report.text,
              HasSubstr("duplicates by content: 1 across splits, 1 within a split, 1 with "
                        "conflicting labels\n  1.png (train) = 2.png (train) = 3.png (test)\n"));
}

TEST_F(CheckDataset, MeasuresSizes) {
  const auto sizes = json()["sizes"];
  ASSERT_EQ(sizes.size(), 2U);
  EXPECT_EQ(sizes[0]["width"], 6);
  EXPECT_EQ(sizes[0]["height"], 4);
  EXPECT_EQ(sizes[0]["images"], 6);
  EXPECT_EQ(sizes[1]["images"], 1);
}

TEST_F(CheckDataset, MeasuresMeanAndSdPerSplit) {
  const auto train = json()["splits"]["train"];
  // Blue of train: 30, 30, 255 in images of equal size: mean 105, variance 11250. The bound is that
  // of a few roundings.
  EXPECT_NEAR(train["mean"][2].get<double>(), 105.0 / 255.0, 1e-12);
  EXPECT_NEAR(train["sd"][2].get<double>(), std::sqrt(11250.0) / 255.0, 1e-12);
}

TEST_F(CheckDataset, DoesNotDependOnThreads) {
  const Dataset dataset = open_dataset(folder_.path());
  const CheckReport one = check_dataset(dataset, 1);
  const CheckReport four = check_dataset(dataset, 4);
  EXPECT_EQ(one.text, four.text);
  EXPECT_EQ(one.json, four.json);
}

TEST(CheckMultiLabel, CountsImagesWithoutAnyClass) {
  const ScratchFolder folder;
  for (int k = 1; k <= 3; ++k) {
    write_flat(folder, fmt::format("{}.png", k), 2, 2, {static_cast<std::uint8_t>(k), 0, 0});
  }
  folder.write("labels.csv", "file,split,x,y\n1.png,train,1,1\n2.png,train,0,1\n3.png,train,0,0\n");
  const CheckReport report = check_dataset(open_dataset(folder.path()), 1);
  const auto train = nlohmann::json::parse(report.json)["splits"]["train"];
  EXPECT_EQ(train["per_class"]["y"], 2);
  EXPECT_EQ(train["without_class"], 1);
  EXPECT_EQ(report.duplicates_within_splits, 0U);
}

TEST(CheckCifar, NamesRecords) {
  const ScratchFolder folder;
  folder.write("batches.meta.txt", "plane\ncar\n");
  folder.write("data_batch_1.bin", std::string(2 * 3073, '\0'));
  folder.write("test_batch.bin", '\0' + std::string(3072, '\1'));
  const CheckReport report = check_dataset(open_dataset(folder.path()), 2);
  EXPECT_THAT(report.text, HasSubstr("  data_batch_1.bin record 0 (train) = data_batch_1.bin "
                                     "record 1 (train)\n"));
  EXPECT_EQ(nlohmann::json::parse(report.json)["sizes"][0]["width"], 32);
}

// The original tiles: 150 x 150 px TIFF, three of each class (SOURCE.md of the folder).
TEST(CheckRealData, OfColonTexturesReadsEveryTile) {
  const auto root = shared_folder() / "data" / "kather24_fixture";
  PROBEDARTS_NEEDS(root);
  const CheckReport report = check_dataset(open_dataset(root), 2);
  EXPECT_EQ(report.unreadable, 0U);
  const auto json = nlohmann::json::parse(report.json);
  ASSERT_EQ(json["sizes"].size(), 1U);
  EXPECT_EQ(json["sizes"][0]["width"], 150);
  for (const auto& images : json["splits"]["test"]["per_class"]) {
    EXPECT_EQ(images, 3);
  }
}

}  // namespace
}  // namespace probedarts::data
