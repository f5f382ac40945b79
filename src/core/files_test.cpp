#include "core/files.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/errors.hpp"
#include "support/file_size_limit.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts {
namespace {

class Files : public ::testing::Test {
 protected:
  std::size_t files_in_folder() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_),
                                                  std::filesystem::directory_iterator()));
  }

  testing::ScratchFolder scratch_;
  std::filesystem::path folder_ = scratch_.path();
};

TEST_F(Files, AreReadBackAsWritten) {
  const std::string content("a\0b\nc\xff", 6);
  write_file_atomically(folder_ / "f", content);
  EXPECT_EQ(read_file(folder_ / "f"), content);
  write_file_atomically(folder_ / "f", "");
  EXPECT_EQ(read_file(folder_ / "f"), "");
}

TEST_F(Files, OfManyBlocksAreReadWhole) {
  const std::string content(1'000'003, 'x');
  write_file_atomically(folder_ / "f", content);
  EXPECT_EQ(read_file(folder_ / "f"), content);
}

TEST_F(Files, AreReplacedWithoutALeftover) {
  write_file_atomically(folder_ / "f", "old and longer");
  write_file_atomically(folder_ / "f", "new");
  EXPECT_EQ(read_file(folder_ / "f"), "new");
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(Files, BehindALinkAreReplacedAndTheLinkStays) {
  std::filesystem::create_directory(folder_ / "d");
  write_file_atomically(folder_ / "d" / "f", "old");
  std::filesystem::create_symlink("d/f", folder_ / "link");
  write_file_atomically(folder_ / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  EXPECT_EQ(read_file(folder_ / "d" / "f"), "new");
  std::filesystem::create_symlink("d/none", folder_ / "dangling");
  write_file_atomically(folder_ / "dangling", "first");
  EXPECT_EQ(read_file(folder_ / "d" / "none"), "first");
}

TEST_F(Files, ThatAreDevicesAreWrittenTo) {
  std::filesystem::create_symlink("/dev/null", folder_ / "null");
  write_file_atomically(folder_ / "null", "gone");
  EXPECT_TRUE(std::filesystem::is_character_file(folder_ / "null"));
  std::filesystem::create_symlink("/dev/full", folder_ / "full");
  EXPECT_THAT(testing::sentence_of([&] { write_file_atomically(folder_ / "full", "x"); }),
              ::testing::HasSubstr("No space left on device; free some space"));
  EXPECT_EQ(files_in_folder(), 2U);
}

TEST_F(Files, OfTwoWritersAtATimeAreBothWhole) {
  // Another process is writing the same file: it holds its draft, and is killed halfway.
  const std::filesystem::path draft = folder_ / "f.partial";
  const int other = ::open(draft.c_str(), O_WRONLY | O_CREAT, 0644);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  ASSERT_EQ(::write(other, "theirs", 6), 6);
  std::thread ours([&] { write_file_atomically(folder_ / "f", "ours"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(read_file(draft), "theirs");
  ::close(other);
  ours.join();
  EXPECT_EQ(read_file(folder_ / "f"), "ours");
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(Files, OfManyWritersAtATimeAreWhole) {
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c'}) {
    writers.emplace_back([this, letter] {
      for (int i = 0; i < 20; ++i) {
        write_file_atomically(folder_ / "f", std::string(5000, letter));
        const std::string found = read_file(folder_ / "f");
        EXPECT_EQ(found, std::string(5000, found.at(0)));
      }
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(Files, KeepTheOldContentWhenTheDiskIsFull) {
  const std::filesystem::path path = folder_ / "f";
  write_file_atomically(path, "old");
  // The temporary name leads to a device that is always full.
  std::filesystem::create_symlink("/dev/full", folder_ / "f.partial");
  EXPECT_EQ(testing::sentence_of([&] { write_file_atomically(path, "new"); }),
            "cannot write '" + path.string() + "': No space left on device; free some space");
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(Files, KeepTheOldContentWhenTheDiskFillsUpHalfway) {
  const std::filesystem::path path = folder_ / "f";
  write_file_atomically(path, "old");
  {
    const testing::FileSizeLimit limit(10);
    EXPECT_EQ(testing::sentence_of([&] { write_file_atomically(path, std::string(100, 'x')); }),
              "cannot write '" + path.string() + "': File too large; free some space");
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(Files, KeepAFolderInTheWay) {
  std::filesystem::create_directory(folder_ / "d");
  const std::string path = (folder_ / "d").string();
  EXPECT_EQ(testing::sentence_of([&] { write_file_atomically(path, "new"); }),
            "cannot write '" + path + "': Is a directory; check the path");
  EXPECT_TRUE(std::filesystem::is_directory(path));
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(Files, AreNotWrittenIntoAMissingFolder) {
  const std::string path = (folder_ / "no" / "f").string();
  EXPECT_EQ(testing::sentence_of([&] { write_file_atomically(path, "new"); }),
            "cannot write '" + path + "': No such file or directory; check the path");
}

TEST_F(Files, ThatAreMissingCannotBeRead) {
  const std::string path = (folder_ / "f").string();
  EXPECT_EQ(testing::sentence_of([&] { read_file(path); }),
            "cannot read '" + path + "': No such file or directory; check the path");
}

TEST_F(Files, ThatAreFoldersCannotBeRead) {
  EXPECT_EQ(testing::sentence_of([&] { read_file(folder_); }),
            "cannot read '" + folder_.string() + "': Is a directory; check the path");
}

TEST_F(Files, WithoutAKnownSizeAreReadWhole) {
  EXPECT_FALSE(read_file("/proc/self/status").empty());  // its size is told as 0
}

TEST_F(Files, GrowByAppending) {
  append_to_file(folder_ / "f", "one\n");
  append_to_file(folder_ / "f", "two\n");
  EXPECT_EQ(read_file(folder_ / "f"), "one\ntwo\n");
}

TEST_F(Files, LoseAPartialLineThatDidNotFit) {
  const std::filesystem::path path = folder_ / "f";
  append_to_file(path, "one\n");
  {
    const testing::FileSizeLimit limit(10);
    EXPECT_EQ(testing::sentence_of([&] { append_to_file(path, "a line that is too long\n"); }),
              "cannot write '" + path.string() + "': File too large; free some space");
  }
  EXPECT_EQ(read_file(path), "one\n");
}

TEST_F(Files, SayThatTheDiskIsFullWhenAppending) {
  EXPECT_EQ(testing::sentence_of([&] { append_to_file("/dev/full", "line\n"); }),
            "cannot write '/dev/full': No space left on device; free some space");
}

TEST_F(Files, AreNotAppendedToInAMissingFolder) {
  const std::string path = (folder_ / "no" / "f").string();
  EXPECT_EQ(testing::sentence_of([&] { append_to_file(path, "line\n"); }),
            "cannot write '" + path + "': No such file or directory; check the path");
}

TEST(ContentHash, OfNothingIsThePublishedConstant) {
  EXPECT_EQ(content_hash(""), "99aa06d3014798d86001c324468d497f");  // XXH3-128, seed 0
}

TEST(ContentHash, SeesEveryByte) {
  const std::string content(300, 'a');
  for (std::size_t i = 0; i < content.size(); ++i) {
    std::string changed = content;
    changed[i] = 'b';
    EXPECT_NE(content_hash(changed), content_hash(content)) << i;
  }
  EXPECT_EQ(content_hash(content).size(), 32U);
}

}  // namespace
}  // namespace probedarts
