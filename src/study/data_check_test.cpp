#include "study/data_check.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

using probedarts::testing::ScratchFolder;
using probedarts::testing::sentence_of;

TEST(DataCheck, NoticesThatTheDataChanged) {
  const ScratchFolder scratch;
  StudyFolder folder;
  folder.path = scratch.path() / "study";
  scratch.write("data/a.png", "123");
  const std::string data = scratch.text() + "/data";
  const Study study =
      parse_study("phases = \"search\"\n[grid]\ndata = \"" + data + "\"\n", "s.toml", {{}, {}, {}});
  std::filesystem::create_directories(folder.path);
  require_same_data(study, folder);
  require_same_data(study, folder);
  scratch.write("data/a.png", "124");  // as long as before
  try {
    require_same_data(study, folder);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(error.what(), "study: the files of data set '" + data +
                                "' changed since the study began; put them back or begin another "
                                "study");
  }
}

class Watched : public ::testing::Test {
 protected:
  Watched() {
    file = scratch.write("data/a.png", "123");
    folder.path = scratch.path() / "study";
    folder.data_root = scratch.path();
    std::filesystem::create_directories(folder.path);
    require_same_data(study, folder);
  }

  ScratchFolder scratch;
  StudyFolder folder;
  std::filesystem::path file;
  const Study study =
      parse_study("phases = \"search\"\n[grid]\ndata = \"data\"\n", "s.toml", {{}, {}, {}});
  const std::string changed =
      "study: the files of data set 'data' changed since the study began; put them back or begin "
      "another study";
};

TEST_F(Watched, DataMayBeTouchedButNotChanged) {
  DataWatch watch(folder);
  watch.require_same("data");
  const auto later = std::filesystem::last_write_time(file) + std::chrono::seconds(5);
  std::filesystem::last_write_time(file, later);
  watch.require_same("data");
  scratch.write("data/a.png", "124");
  std::filesystem::last_write_time(file, later + std::chrono::seconds(5));
  EXPECT_EQ(sentence_of([&] { watch.require_same("data"); }), changed);
}

TEST_F(Watched, DataMayNotGrowOrGoAway) {
  DataWatch watch(folder);
  const auto more = scratch.write("data/b.png", "1");
  EXPECT_EQ(sentence_of([&] { watch.require_same("data"); }), changed);
  std::filesystem::remove(more);
  watch.require_same("data");
  std::filesystem::remove_all(scratch.path() / "data");
  EXPECT_EQ(sentence_of([&] { watch.require_same("data"); }), changed);
}

TEST_F(Watched, DataOfALargeSetAreReadAgainOnlyAfterATouch) {
  // A hole of 1 GiB: long, and read in a moment.
  std::filesystem::resize_file(scratch.write("data/hole"), (std::uintmax_t{1} << 30) + 1);
  std::filesystem::remove(folder.data_json());
  require_same_data(study, folder);
  const auto before = std::filesystem::last_write_time(file);
  scratch.write("data/a.png", "124");
  std::filesystem::last_write_time(file, before);
  require_same_data(study, folder);  // which nobody can see without reading it
  std::filesystem::last_write_time(file, before + std::chrono::seconds(5));
  EXPECT_EQ(sentence_of([&] { require_same_data(study, folder); }), changed);
}

TEST_F(Watched, NotesOfAnEarlierVersionCount) {
  const std::string noted = read_file(folder.data_json());
  const std::size_t at = noted.find("\"hash\": \"") + 9;
  scratch.write("study/data.json", "{\"data\": \"" + noted.substr(at, 32) + "\"}\n");
  require_same_data(study, folder);
  EXPECT_EQ(read_file(folder.data_json()), noted);
  scratch.write("study/data.json", "{\"data\": \"" + std::string(32, '0') + "\"}\n");
  EXPECT_EQ(sentence_of([&] { require_same_data(study, folder); }), changed);
}

TEST_F(Watched, NotesThatAreDamagedAreNamed) {
  scratch.write("study/data.json", "{\"data\": 3}");
  EXPECT_EQ(sentence_of([&] { require_same_data(study, folder); }),
            "study: '" + folder.data_json().string() +
                "' is damaged; delete it to note the data sets anew");
}

}  // namespace
}  // namespace probedarts::study
