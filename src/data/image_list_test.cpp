#include "data/image_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch_folder.hpp"

namespace probedarts::data {
namespace {

using testing::ScratchFolder;
using testing::sentence_of;

TEST(ListImages, TakesFilesAsGivenAndFoldersInOrderOfNames) {
  const ScratchFolder scratch;
  const auto single = scratch.write("z.dat");
  scratch.write("set/b/2.TIF");
  scratch.write("set/b/1.png");
  scratch.write("set/a.jpeg");
  scratch.write("set/.hidden.png");
  scratch.write("set/notes.txt");
  const auto set = scratch.path() / "set";
  EXPECT_THAT(list_images({single, set}),
              ::testing::ElementsAre(single, set / "a.jpeg", set / "b/1.png", set / "b/2.TIF"));
}

TEST(ListImages, DoesNotFollowLinksInRings) {
  const ScratchFolder scratch;
  scratch.write("set/a.png");
  std::filesystem::create_directory_symlink(scratch.path() / "set", scratch.path() / "set/ring");
  EXPECT_EQ(list_images({scratch.path() / "set"}).size(), 1U);
}

TEST(ListImages, RefusesWhatIsNotThere) {
  const ScratchFolder scratch;
  EXPECT_EQ(sentence_of([&] { list_images({scratch.path() / "x.png"}); }),
            scratch.text() + "/x.png: there is no such file or folder; check the path");
}

TEST(ListImages, RefusesAFolderWithoutImages) {
  const ScratchFolder scratch;
  scratch.write("set/notes.txt");
  EXPECT_EQ(sentence_of([&] { list_images({scratch.path() / "set"}); }),
            scratch.text() + "/set: the folder holds no image; give PNG, JPEG or TIFF files");
}

Dataset three_classes() {
  Dataset dataset;
  dataset.root = "d";
  dataset.classes = {"a", "b", "c"};
  for (int i = 0; i < 30; ++i) {  // 28 of a, one each of b and c
    Sample sample;
    sample.file = std::to_string(i);
    sample.label = i < 28 ? 0 : i - 27;
    dataset.test.push_back(sample);
  }
  return dataset;
}

TEST(PickImages, ShowsRareClassesBeforeACommonOneTwice) {
  const Dataset dataset = three_classes();
  for (const std::uint64_t seed : {1, 2, 3}) {
    EXPECT_THAT(pick_images(dataset, Split::kTest, 3, seed), ::testing::IsSupersetOf({"28", "29"}));
  }
}

TEST(PickImages, DependsOnTheSeedAlone) {
  const Dataset dataset = three_classes();
  EXPECT_EQ(pick_images(dataset, Split::kTest, 9, 1), pick_images(dataset, Split::kTest, 9, 1));
  EXPECT_NE(pick_images(dataset, Split::kTest, 9, 1), pick_images(dataset, Split::kTest, 9, 2));
}

TEST(PickImages, TakesAllWhereThereAreFewer) {
  EXPECT_EQ(pick_images(three_classes(), Split::kTest, 99, 1).size(), 30U);
}

TEST(PickImages, RefusesBatchFilesAndEmptySplits) {
  Dataset dataset = three_classes();
  EXPECT_EQ(sentence_of([&] { pick_images(dataset, Split::kValid, 1, 1); }),
            "data set 'd' has no labelled image in its split 'valid'; name images");
  dataset.test[0].record = 0;
  EXPECT_EQ(sentence_of([&] { pick_images(dataset, Split::kTest, 30, 1); }),
            "data set 'd' keeps its images in batch files; name image files instead");
}

}  // namespace
}  // namespace probedarts::data
