#include "core/new_folder.hpp"

#include <gtest/gtest.h>

#include "core/files.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts {
namespace {

namespace fs = std::filesystem;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(NewFolder, AppearsWithAllThatWasWritten) {
  const testing::ScratchFolder scratch;
  NewFolder folder(scratch.path() / "deep" / "out");
  write_file_atomically(folder.path() / "a.txt", "a");
  EXPECT_FALSE(fs::exists(scratch.path() / "deep" / "out"));
  folder.publish();
  EXPECT_EQ(read_file(scratch.path() / "deep" / "out" / "a.txt"), "a");
  EXPECT_EQ(entries(scratch.path() / "deep"), 1U);
}

TEST(NewFolder, LeavesNothingWhenItIsNotPublished) {
  const testing::ScratchFolder scratch;
  {
    const NewFolder folder(scratch.path() / "out");
    write_file_atomically(folder.path() / "a.txt", "a");
  }
  EXPECT_EQ(entries(scratch.path()), 0U);
}

TEST(NewFolder, RemovesWhatAKilledProcessLeft) {
  const testing::ScratchFolder scratch;
  scratch.write(".out.a1B2c3/half.txt");
  scratch.write(".other.a1B2c3/half.txt");
  scratch.write(".out.a1B2c3d/half.txt");  // not a name that is given here
  const NewFolder living(scratch.path() / "out");
  const NewFolder second(scratch.path() / "out");
  EXPECT_FALSE(fs::exists(scratch.path() / ".out.a1B2c3"));
  EXPECT_TRUE(fs::exists(living.path())) << "its process lives";
  EXPECT_EQ(entries(scratch.path()), 4U);
}

TEST(NewFolder, TakesThePlaceOfAnEmptyOne) {
  const testing::ScratchFolder scratch;
  fs::create_directory(scratch.path() / "out");
  NewFolder folder(scratch.path() / "out/");
  write_file_atomically(folder.path() / "a.txt", "a");
  folder.publish();
  EXPECT_TRUE(fs::exists(scratch.path() / "out" / "a.txt"));
}

TEST(NewFolder, RefusesAFolderThatHoldsSomething) {
  const testing::ScratchFolder scratch;
  scratch.write("out/mine.txt");
  EXPECT_EQ(
      testing::sentence_of([&] { NewFolder folder(scratch.path() / "out"); }),
      scratch.text() + "/out: exists and is not an empty folder; choose another one or remove it");
  EXPECT_EQ(entries(scratch.path()), 1U);
}

TEST(NewFolder, DoesNotReplaceWhatCameMeanwhile) {
  const testing::ScratchFolder scratch;
  NewFolder folder(scratch.path() / "out");
  scratch.write("out/mine.txt", "mine");
  EXPECT_EQ(
      testing::sentence_of([&] { folder.publish(); }),
      scratch.text() + "/out: exists and is not an empty folder; choose another one or remove it");
  EXPECT_EQ(read_file(scratch.path() / "out" / "mine.txt"), "mine");
}

TEST(NewFolder, SaysWhyItCannotBeMade) {
  const testing::ScratchFolder scratch;
  scratch.write("file");
  EXPECT_EQ(
      testing::sentence_of([&] { NewFolder folder(scratch.path() / "file" / "out"); }),
      "cannot make the folder '" + scratch.text() + "/file': Not a directory; check the path");
}

}  // namespace
}  // namespace probedarts
