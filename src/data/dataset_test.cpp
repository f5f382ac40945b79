#include "data/dataset.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch_folder.hpp"
#include "support/shared_files.hpp"

namespace probedarts::data {
namespace {

using ::testing::ElementsAre;
using testing::ScratchFolder;
using testing::sentence_of;

std::string refusal(const ScratchFolder& folder, const DatasetOptions& options = {}) {
  return sentence_of([&] { open_dataset(folder.path(), options); });
}

std::vector<std::string> names_in(const Dataset& dataset, Split split) {
  std::vector<std::string> names;
  for (const Sample& sample : dataset.of(split)) {
    names.push_back(sample.file.lexically_relative(dataset.root).generic_string());
  }
  return names;
}

std::vector<std::int32_t> labels_in(const Dataset& dataset, Split split) {
  std::vector<std::int32_t> labels;
  for (const Sample& sample : dataset.of(split)) {
    labels.push_back(sample.label);
  }
  return labels;
}

TEST(OpenDataset, ReadsClassFoldersAsTrainingImages) {
  const ScratchFolder folder;
  folder.write("tumor/b.JPG");
  folder.write("tumor/a.png");
  folder.write("stroma/c.tif");
  folder.write("stroma/notes.txt");
  folder.write("readme.txt");
  const Dataset dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset.layout, "class folders");
  EXPECT_EQ(dataset.kind, LabelKind::kSingle);
  EXPECT_THAT(dataset.classes, ElementsAre("stroma", "tumor"));
  EXPECT_THAT(names_in(dataset, Split::kTrain),
              ElementsAre("stroma/c.tif", "tumor/a.png", "tumor/b.JPG"));
  EXPECT_THAT(labels_in(dataset, Split::kTrain), ElementsAre(0, 1, 1));
  EXPECT_TRUE(dataset.valid.empty());
  EXPECT_TRUE(dataset.test.empty());
}

TEST(OpenDataset, ReadsClassFoldersWithinSplitFolders) {
  for (const char* valid : {"valid", "val", "validation"}) {
    const ScratchFolder folder;
    folder.write("train/a/1.png");
    folder.write("train/b/2.png");
    folder.write(fmt::format("{}/b/3.png", valid));
    folder.write("test/a/4.png");
    folder.write("originals/huge.png");
    const Dataset dataset = open_dataset(folder.path());
    EXPECT_THAT(names_in(dataset, Split::kTrain), ElementsAre("train/a/1.png", "train/b/2.png"));
    EXPECT_THAT(names_in(dataset, Split::kValid), ElementsAre(fmt::format("{}/b/3.png", valid)));
    EXPECT_THAT(labels_in(dataset, Split::kValid), ElementsAre(1));
    EXPECT_THAT(labels_in(dataset, Split::kTest), ElementsAre(0));
  }
}

TEST(OpenDataset, TakesAFolderNamedTestForAClassWhenItHoldsImages) {
  const ScratchFolder folder;
  folder.write("test/1.png");
  folder.write("control/2.png");
  EXPECT_THAT(open_dataset(folder.path()).classes, ElementsAre("control", "test"));
}

TEST(OpenDataset, RefusesAMissingFolder) {
  const ScratchFolder folder;
  const auto absent = folder.path() / "absent";
  EXPECT_EQ(sentence_of([&] { open_dataset(absent); }),
            absent.string() + ": there is no such folder; give the folder of the data set");
}

TEST(OpenDataset, RefusesAFileInPlaceOfAFolder) {
  const ScratchFolder folder;
  const auto file = folder.write("a.png");
  EXPECT_EQ(sentence_of([&] { open_dataset(file); }),
            file.string() + ": this is a file; give the folder of the data set");
}

TEST(OpenDataset, RefusesAnEmptyFolder) {
  const ScratchFolder folder;
  EXPECT_EQ(refusal(folder),
            folder.text() +
                ": the folder is empty; put the images of each class into a folder "
                "of its name");
}

TEST(OpenDataset, RefusesAFolderThatHoldsNoKnownLayout) {
  const ScratchFolder folder;
  folder.write("a.png");
  EXPECT_EQ(refusal(folder), folder.text() +
                                 ": no class folders, labels.csv, lists or CIFAR files are here; "
                                 "put the images of each class into a folder of its name");
}

TEST(OpenDataset, RefusesAClassFolderWithoutImages) {
  const ScratchFolder folder;
  folder.write("a/1.png");
  folder.write("b/notes.txt");
  EXPECT_EQ(refusal(folder), folder.text() +
                                 "/b: the class folder holds no image; add PNG, JPEG or TIFF files "
                                 "or remove the folder");
}

TEST(OpenDataset, RefusesAClassWithoutTrainingImages) {
  const ScratchFolder folder;
  folder.write("train/a/1.png");
  folder.write("train/b/2.png");
  folder.write("test/c/3.png");
  EXPECT_EQ(refusal(folder),
            folder.text() +
                ": class 'c' has no image in the train split; add images or remove "
                "the class");
}

TEST(OpenDataset, RefusesASingleClass) {
  const ScratchFolder folder;
  folder.write("a/1.png");
  EXPECT_EQ(refusal(folder),
            folder.text() + ": 'a' is the only class; give images of at least two classes");
}

TEST(OpenDataset, RefusesTwoFoldersForOneSplit) {
  const ScratchFolder folder;
  folder.write("train/a/1.png");
  folder.write("val/a/1.png");
  folder.write("valid/a/1.png");
  EXPECT_EQ(refusal(folder), folder.text() +
                                 ": folders 'val' and 'valid' both name the valid split; keep one "
                                 "of them");
}

TEST(OpenDataset, RefusesAnUnknownLayout) {
  const ScratchFolder folder;
  folder.write("a/1.png");
  DatasetOptions options;
  options.layout = "coco";
  EXPECT_EQ(refusal(folder, options),
            "layout 'coco' is unknown; use auto, folders, csv, cifar, adp, bcss or lists");
}

TEST(OpenDataset, ReadsAnyLayoutWhenToldWhich) {
  const ScratchFolder folder;
  folder.write("labels.csv", "file,split,label\na/1.png,train,x\nb/2.png,train,y\n");
  folder.write("a/1.png");
  folder.write("b/2.png");
  DatasetOptions options;
  options.layout = "folders";
  EXPECT_THAT(open_dataset(folder.path()).classes, ElementsAre("x", "y"));
  EXPECT_THAT(open_dataset(folder.path(), options).classes, ElementsAre("a", "b"));
}

void write_class_folders(const ScratchFolder& folder, int images) {
  for (int k = 0; k < images; ++k) {
    folder.write(fmt::format("{}/{:03}.png", k % 4 == 0 ? "rare" : "common", k));
  }
}

TEST(SplitOffValid, MovesTheShareAskedFor) {
  const ScratchFolder folder;
  write_class_folders(folder, 40);
  DatasetOptions options;
  options.valid_share = 0.25;
  const Dataset dataset = open_dataset(folder.path(), options);
  EXPECT_EQ(dataset.valid.size(), 10U);
  EXPECT_EQ(dataset.train.size(), 30U);
  std::set<std::string> all;
  for (const Split split : {Split::kTrain, Split::kValid}) {
    for (const std::string& name : names_in(dataset, split)) {
      all.insert(name);
    }
  }
  EXPECT_EQ(all.size(), 40U);
}

TEST(SplitOffValid, DependsOnTheSeedAlone) {
  const ScratchFolder folder;
  write_class_folders(folder, 40);
  DatasetOptions options;
  options.valid_share = 0.25;
  const auto first = names_in(open_dataset(folder.path(), options), Split::kValid);
  EXPECT_EQ(names_in(open_dataset(folder.path(), options), Split::kValid), first);
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
  options.seed = 1;
  EXPECT_NE(names_in(open_dataset(folder.path(), options), Split::kValid), first);
}

TEST(SplitOffValid, LeavesEveryClassInTrain) {
  const ScratchFolder folder;
  folder.write("rare/only.png");
  for (int k = 0; k < 9; ++k) {
    folder.write(fmt::format("common/{}.png", k));
  }
  DatasetOptions options;
  options.valid_share = 0.8;
  for (options.seed = 0; options.seed < 20; ++options.seed) {
    const Dataset dataset = open_dataset(folder.path(), options);
    EXPECT_EQ(dataset.valid.size(), 8U);
    EXPECT_THAT(names_in(dataset, Split::kTrain), ::testing::Contains("rare/only.png"));
  }
}

TEST(SplitOffValid, LeavesAValidSplitThatIsThereAlone) {
  const ScratchFolder folder;
  folder.write("train/a/1.png");
  folder.write("train/b/2.png");
  folder.write("valid/b/3.png");
  DatasetOptions options;
  options.valid_share = 0.5;
  EXPECT_EQ(open_dataset(folder.path(), options).train.size(), 2U);
}

TEST(SplitOffValid, RefusesAShareOutsideZeroToOne) {
  const ScratchFolder folder;
  folder.write("a/1.png");
  DatasetOptions options;
  options.valid_share = 1.5;
  EXPECT_EQ(
      refusal(folder, options),
      "valid share 1.5 is outside 0..1; give the share of the training images to validate on, "
      "for example 0.2");
}

TEST(SplitOffValid, RefusesAShareTooSmallForOneImage) {
  const ScratchFolder folder;
  folder.write("a/1.png");
  folder.write("b/2.png");
  DatasetOptions options;
  options.valid_share = 0.1;
  EXPECT_EQ(
      refusal(folder, options),
      folder.text() +
          ": a valid share of 0.1 takes no image or group out of train; choose another share");
}

}  // namespace
}  // namespace probedarts::data
