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

}  // namespace
}  // namespace probedarts::data
