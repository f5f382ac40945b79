#include "core/run_folder.hpp"

#include <gtest/gtest.h>

#include "core/files.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts {
namespace {

using testing::ScratchFolder;
using testing::sentence_of;
namespace fs = std::filesystem;

RunFolder create(const fs::path& path, RunFolder::IfExists if_exists) {
  return RunFolder::create(path, if_exists);
}

std::string folder_refusal(const fs::path& path,
                           RunFolder::IfExists if_exists = RunFolder::IfExists::kRefuse) {
  return sentence_of([&] { create(path, if_exists); });
}

std::string that_it_exists(const ScratchFolder& scratch) {
  return "run folder '" + scratch.text() +
         "' exists; choose another with --out, go on with --resume, or replace it with --force";
}

TEST(RunFolder, IsMadeWithTheFoldersAboveIt) {
  const ScratchFolder scratch;
  const RunFolder folder = create(scratch.path() / "a/b/run", RunFolder::IfExists::kRefuse);
  EXPECT_TRUE(fs::is_directory(folder.path() / "checkpoint"));
  EXPECT_EQ(folder.run_json(), scratch.path() / "a/b/run/run.json");
}

TEST(RunFolder, TakesAnEmptyFolder) {
  const ScratchFolder scratch;
  EXPECT_NO_THROW(create(scratch.path(), RunFolder::IfExists::kRefuse));
}

TEST(RunFolder, RefusesAFolderWithARun) {
  const ScratchFolder scratch;
  scratch.write("run.json", "{}");
  EXPECT_EQ(folder_refusal(scratch.path()), that_it_exists(scratch));
}

TEST(RunFolder, RefusesAFolderWithOtherFilesEvenByForce) {
  const ScratchFolder scratch;
  scratch.write("thesis.tex", "years of work");
  EXPECT_EQ(folder_refusal(scratch.path(), RunFolder::IfExists::kReplace),
            "folder '" + scratch.text() +
                "' is not empty and is no run folder; choose another with --out");
  EXPECT_EQ(read_file(scratch.path() / "thesis.tex"), "years of work");
}

TEST(RunFolder, RefusesAFile) {
  const ScratchFolder scratch;
  const fs::path file = scratch.write("run", "text");
  EXPECT_EQ(folder_refusal(file),
            "'" + file.string() + "' is a file, not a run folder; choose another with --out");
}

TEST(RunFolder, NamesAFolderThatCannotBeMade) {
  const ScratchFolder scratch;
  const fs::path below_a_file = scratch.write("file", "text") / "run";
  EXPECT_EQ(folder_refusal(below_a_file), "cannot make the run folder '" + below_a_file.string() +
                                              "': Not a directory; choose another with --out");
}

TEST(RunFolder, RemovesByForceWhatARunWroteAndNothingElse) {
  const ScratchFolder scratch;
  for (const char* name : {"run.json", "epochs.jsonl", "checkpoint/last.safetensors", "notes.md"}) {
    scratch.write(name);
  }
  const RunFolder folder = create(scratch.path(), RunFolder::IfExists::kReplace);
  EXPECT_FALSE(fs::exists(folder.run_json()));
  EXPECT_FALSE(fs::exists(folder.epochs_jsonl()));
  EXPECT_FALSE(fs::exists(folder.checkpoint()));
  EXPECT_TRUE(fs::exists(scratch.path() / "notes.md"));
}

TEST(RunFolder, ReplacesWhatARunLeftThatNeverBegan) {
  const ScratchFolder scratch;
  for (const char* name : {".lock", "config.toml", "checkpoint/half", "run.json.partial",
                           "config.toml.partial.x7Yz9A"}) {
    scratch.write(name, "");
  }
  const RunFolder folder = create(scratch.path(), RunFolder::IfExists::kRefuse);
  for (const char* name :
       {"config.toml", "checkpoint/half", "run.json.partial", "config.toml.partial.x7Yz9A"}) {
    EXPECT_FALSE(fs::exists(scratch.path() / name)) << name;
  }
}

TEST(RunFolder, LeavesFilesAloneThatNoRunLeft) {
  for (const char* name : {"config.toml", "checkpoint/mine.pt"}) {
    const ScratchFolder scratch;  // without a lock somebody put them there
    scratch.write(name, "years of work");
    EXPECT_EQ(folder_refusal(scratch.path()), that_it_exists(scratch));
    EXPECT_EQ(read_file(scratch.path() / name), "years of work");
  }
}

TEST(RunFolder, RefusesARunThatLostItsRunJson) {
  const ScratchFolder scratch;
  scratch.write(".lock", "");
  scratch.write("epochs.jsonl");
  EXPECT_EQ(folder_refusal(scratch.path()), that_it_exists(scratch));
  EXPECT_TRUE(fs::exists(scratch.path() / "epochs.jsonl"));
}

TEST(RunFolder, IsLockedWhileItLives) {
  const ScratchFolder scratch;
  scratch.write("run.json", "{}");
  const std::string in_use = "run folder '" + scratch.text() +
                             "' is in use by another process; wait for it or choose another with "
                             "--out";
  {
    const RunFolder first = RunFolder::open(scratch.path());
    EXPECT_EQ(sentence_of([&] { RunFolder::open(scratch.path()); }), in_use);
    EXPECT_EQ(folder_refusal(scratch.path(), RunFolder::IfExists::kReplace), in_use);
    EXPECT_TRUE(fs::exists(scratch.path() / "run.json")) << "a run in use was removed";
  }
  EXPECT_NO_THROW(RunFolder::open(scratch.path()));
}

TEST(RunFolder, KeepsItsLockWhenMoved) {
  const ScratchFolder scratch;
  scratch.write("run.json", "{}");
  RunFolder first = RunFolder::open(scratch.path());
  const RunFolder second = std::move(first);
  EXPECT_THROW(RunFolder::open(scratch.path()), UserError);
  EXPECT_EQ(second.path(), scratch.path());
}

TEST(RunFolder, OpensARunOnly) {
  const ScratchFolder scratch;
  EXPECT_EQ(
      sentence_of([&] { RunFolder::open(scratch.path()); }),
      "'" + scratch.text() + "' is no run folder: it has no run.json; give the folder of a run");
}

TEST(RunFolder, AppendsEpochsAsLines) {
  const ScratchFolder scratch;
  RunFolder folder = create(scratch.path() / "run", RunFolder::IfExists::kRefuse);
  EXPECT_EQ(folder.epochs_bytes(), 0U);
  folder.append_epoch("{\"epoch\":0}");
  folder.append_epoch("{\"epoch\":1}");
  EXPECT_EQ(read_file(folder.epochs_jsonl()), "{\"epoch\":0}\n{\"epoch\":1}\n");
  EXPECT_EQ(folder.epochs_bytes(), 24U);
}

TEST(RunFolder, CutsEpochsBackToWhatACheckpointRemembers) {
  const ScratchFolder scratch;
  RunFolder folder = create(scratch.path() / "run", RunFolder::IfExists::kRefuse);
  folder.append_epoch("first");
  const std::uint64_t remembered = folder.epochs_bytes();
  folder.append_epoch("second");
  folder.truncate_epochs(remembered);
  EXPECT_EQ(read_file(folder.epochs_jsonl()), "first\n");
  folder.truncate_epochs(remembered);
  EXPECT_EQ(read_file(folder.epochs_jsonl()), "first\n");
}

TEST(RunFolder, RefusesEpochsShorterThanACheckpointRemembers) {
  const ScratchFolder scratch;
  RunFolder folder = create(scratch.path() / "run", RunFolder::IfExists::kRefuse);
  folder.append_epoch("first");
  EXPECT_EQ(sentence_of([&] { folder.truncate_epochs(7); }),
            "'" + folder.epochs_jsonl().string() +
                "' is shorter than its checkpoint says; restore the file or start again with "
                "--force");
}

}  // namespace
}  // namespace probedarts
