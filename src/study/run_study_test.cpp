#include "study/run_study.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "study/child_process.hpp"
#include "study/estimate.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

using probedarts::testing::ScratchFolder;

/// A shell script in place of the program: notes its arguments, prints what a command would.
/// Seed 3 diverges; the error of a training is its seed over ten.
constexpr const char* kProgram = R"(#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
seed=0
for word in "$@"; do
  case "$word" in --seed=*) seed=${word#--seed=} ;; esac
done
if [ "$1 $seed" = "search 3" ]; then
  echo "probedarts: epoch 0: the loss became NaN" >&2
  exit 3
fi
echo "{\"best_error\": 0.$seed, \"valid_error\": 0.$seed, \"genotype_text\": \"cell $seed\"}"
)";

class RunStudy : public ::testing::Test {
 protected:
  RunStudy() {
    const auto program = scratch.write("program", kProgram);
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    folder.path = scratch.path() / "study";
    options.program = program;
    options.say = [](const std::string&) {};
    options.interrupted = [] { return 0; };
  }

  Plan plan(const std::string& text) const {
    return make_plan(parse_study(text, "s.toml", {{}, {}, {}}));
  }

  std::size_t calls() const {
    const auto path = scratch.path() / "calls";
    const std::string text = std::filesystem::exists(path) ? read_file(path) : "";
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  ScratchFolder scratch;
  StudyFolder folder;
  RunStudyOptions options;
};

const std::string kSearches = "phases = [\"search\"]\nseeds = [1, 2, 4]\n[grid]\ndata = \"d\"\n";
const std::string kProtocol =
    "phases = [\"search\", \"quick\", \"select\", \"final\"]\nseeds = [3, 2, 1]\n[grid]\n"
    "data = \"d\"\n[final]\nruns = 1\n";

TEST_F(RunStudy, RunsEachTaskOnce) {
  const Plan searches = plan(kSearches);
  EXPECT_EQ(run_study(searches, folder, options).count(TaskState::kDone), 3U);
  EXPECT_EQ(calls(), 3U);
  EXPECT_EQ(run_study(searches, folder, options).count(TaskState::kDone), 3U);
  EXPECT_EQ(calls(), 3U);
}

TEST_F(RunStudy, WaitsForWhatIsLeftOfAKilledStudy) {
  // A child of the killed study that has not left the kernel yet: it still has its log open.
  const Plan searches = plan(kSearches);
  const auto log = folder.log(searches.tasks[1].id);
  std::filesystem::create_directories(log.parent_path());
  auto held = ChildLog::open(log);
  ASSERT_TRUE(held);
  std::vector<std::string> said;
  options.say = [&](const std::string& line) {
    said.push_back(line);
    if (said.size() == 4) {  // the other two have started and ended
      EXPECT_THAT(
          said, ::testing::Not(::testing::Contains(::testing::HasSubstr(searches.tasks[1].label))));
      held.reset();
    }
  };
  EXPECT_EQ(run_study(searches, folder, options).count(TaskState::kDone), 3U);
  EXPECT_FALSE(held);
  EXPECT_EQ(calls(), 3U);
}

TEST_F(RunStudy, GivesUpARunThatAnotherProcessHasTaken) {
  const auto program = scratch.write("program", R"(#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
case "$*" in *--seed=1*) sleep 60 ;; esac
echo '{"valid_error": 0.5}'
)");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const Plan searches = plan(kSearches);
  const std::string taken = searches.tasks[0].id;
  const Ledger ledger(folder.ledger(), 600.0);
  const std::string other = "study/ledger/claims/" + taken + ".claim.2";
  std::vector<std::string> said;
  options.renew_seconds = 0.0;
  options.say = [&](const std::string& line) {
    said.push_back(line);
    if (line == "started: " + searches.tasks[0].label) {
      scratch.write(other, R"({"host":"elsewhere","pid":1,"start":"1"})");
    } else if (line.starts_with("given up")) {  // the other one ends
      ledger.write(taken, {true, "", 0, 1.0, 1.0, R"({"valid_error":0.25})"});
      std::filesystem::remove(scratch.path() / other);
    }
  };
  const Progress progress = run_study(searches, folder, options);
  EXPECT_THAT(said, ::testing::Contains("given up, another process has taken it: " +
                                        searches.tasks[0].label));
  EXPECT_EQ(progress.count(TaskState::kDone), 3U);
  EXPECT_EQ(progress.records[0].result, R"({"valid_error":0.25})");
  EXPECT_EQ(std::count(said.begin(), said.end(), "started: " + searches.tasks[0].label), 1);
}

TEST_F(RunStudy, RecordsAFailureAndCompletesTheRest) {
  const Plan protocol = plan(kProtocol);
  const Progress progress = run_study(protocol, folder, options);
  EXPECT_EQ(progress.count(TaskState::kFailed), 1U);
  EXPECT_EQ(progress.count(TaskState::kBlocked), 1U);  // its quick training
  EXPECT_EQ(progress.records[0].reason, "diverged: epoch 0: the loss became NaN");
  EXPECT_EQ(progress.states.back(), TaskState::kDone);
}

TEST_F(RunStudy, StopsWhenTheDiskIsFullAndLosesNothing) {
  // The second search finds no space as long as a file says so.
  const auto program = scratch.write("program", R"(#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
if [ -e "$(dirname "$0")/full" ]; then
  case "$*" in *--seed=2*)
    echo "probedarts: cannot write '/x/run.json': No space left on device; free some space" >&2
    exit 2 ;;
  esac
fi
echo "{}"
)");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const auto full = scratch.write("full");
  const Plan searches = plan(kSearches);
  EXPECT_EQ(probedarts::testing::sentence_of([&] { run_study(searches, folder, options); }),
            "study: search, searched, seed 2: cannot write '/x/run.json': No space left on device; "
            "free some space and go on with the same command");
  EXPECT_EQ(calls(), 2U);  // the third was not tried
  const Ledger ledger(folder.ledger(), 600.0);
  EXPECT_EQ(read_progress(searches, ledger).count(TaskState::kWaiting), 2U);
  EXPECT_TRUE(std::filesystem::is_empty(folder.ledger() / "claims"));
  std::filesystem::remove(full);
  EXPECT_EQ(run_study(searches, folder, options).count(TaskState::kDone), 3U);
  EXPECT_EQ(calls(), 4U);
}

TEST_F(RunStudy, ChecksTheDataOfEachRunBeforeItStarts) {
  std::vector<std::string> checked;
  options.check_data = [&](const std::string& data) {
    checked.push_back(data);
    if (checked.size() == 3) {
      throw UserError("changed");
    }
  };
  const Plan protocol = plan(kProtocol);
  EXPECT_EQ(probedarts::testing::sentence_of([&] { run_study(protocol, folder, options); }),
            "changed");
  EXPECT_EQ(calls(), 2U);
  EXPECT_THAT(checked, ::testing::Each("d"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.ledger() / "claims"));
}

TEST_F(RunStudy, ExplainsWhatWasTrainedAndLeavesOutWhatWasNot) {
  // A shell script as above: trainings of resnet18 fail.
  const auto program = scratch.write("program", R"(#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
case "$*" in train*resnet18*) echo "probedarts: no memory" >&2; exit 2 ;; esac
echo "{}"
)");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const Plan explained = make_plan(
      parse_study("phases = [\"final\", \"explain\"]\n[grid]\ndata = \"d\"\n[rows]\nnetworks = "
                  "[\"resnet18\", \"senet18\"]\n[final]\nruns = 1\n",
                  "s.toml", {{}, {}, {"resnet18", "senet18"}}));
  const Progress progress = run_study(explained, folder, options);
  EXPECT_EQ(progress.count(TaskState::kFailed), 1U);
  EXPECT_EQ(progress.count(TaskState::kBlocked), 1U);  // its test
  const Task& sheet = explained.tasks.back();
  EXPECT_THAT(read_file(scratch.path() / "calls"),
              ::testing::EndsWith("explain --data=d --target=label --run=" +
                                  folder.run(explained.tasks[2].id).string() +
                                  " --name=senet18 --pick=5 --threads=1 --json --out=" +
                                  folder.run(sheet.id).string() + "\n"));
}

TEST_F(RunStudy, AsksTestsForWhatTheySayOfEachImage) {
  const Plan protocol = plan(kProtocol);
  run_study(protocol, folder, options);
  EXPECT_THAT(read_file(scratch.path() / "calls"),
              ::testing::HasSubstr("--predictions=" +
                                   folder.predictions(protocol.tasks.back().id).string()));
}

TEST_F(RunStudy, LooksForRelativeDataBelowItsRoot) {
  folder.data_root = "/data";
  run_study(plan(kSearches), folder, options);
  EXPECT_THAT(read_file(scratch.path() / "calls"),
              ::testing::StartsWith("search --data=/data/d --epochs=50 --seed=1"));
}

TEST_F(RunStudy, SelectsByTheLeastValidationError) {
  const Plan protocol = plan(kProtocol);
  run_study(protocol, folder, options);
  const std::string& id = protocol.tasks[*protocol.rows[0].select].id;
  EXPECT_THAT(Ledger(folder.ledger(), 600.0).record(id)->result,
              ::testing::HasSubstr("\"genotype\":\"cell 1\""));
  EXPECT_THAT(read_file(scratch.path() / "calls"),
              ::testing::HasSubstr("--genotype=cell 1 --epochs=600 --seed=1"));
}

TEST_F(RunStudy, RepeatsFailuresOnRequestOnly) {
  const Plan protocol = plan(kProtocol);
  run_study(protocol, folder, options);
  const std::size_t before = calls();
  run_study(protocol, folder, options);
  EXPECT_EQ(calls(), before);
  options.retry_failed = true;
  run_study(protocol, folder, options);
  EXPECT_EQ(calls(), before + 1);
}

TEST_F(RunStudy, GoesOnWithARunThatWasKilled) {
  const Plan searches = plan(kSearches);
  scratch.write("study/runs/" + searches.tasks[0].id + "/run.json", "{}");
  run_study(searches, folder, options);
  EXPECT_THAT(read_file(scratch.path() / "calls"),
              ::testing::HasSubstr("--resume=" + folder.run(searches.tasks[0].id).string()));
}

TEST_F(RunStudy, AddsTheLeastValidationErrorOfTheEpochs) {
  const Plan searches = plan(kSearches);
  const std::string run = "study/runs/" + searches.tasks[0].id;
  scratch.write(run + "/run.json", "{}");
  scratch.write(run + "/epochs.jsonl",
                "{\"train\": {\"error\": 0.5}, \"valid\": {\"error\": 0.25}}\n"
                "{\"train\": {\"error\": 0.375}, \"valid\": {\"error\": 0.75}}\n");
  const Progress progress = run_study(searches, folder, options);
  EXPECT_THAT(progress.records[0].result, ::testing::HasSubstr("\"best_error\":0.25"));
}

TEST_F(RunStudy, LetsNobodyElseRunTheSameShard) {
  const Ledger ledger(folder.ledger(), 600.0);
  const auto claim = ledger.claim("shard-1-of-1");
  try {
    run_study(plan(kSearches), folder, options);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(error.what(), "study: shard 1/1 of '" + folder.path.string() + "' is being run by " +
                                *ledger.holder("shard-1-of-1") +
                                "; give each process its own --shard");
  }
}

TEST_F(RunStudy, TakesOverWhatOtherShardsLeave) {
  options.shard = 2;
  options.shards = 2;
  EXPECT_EQ(run_study(plan(kSearches), folder, options).count(TaskState::kDone), 3U);
  EXPECT_THAT(read_file(scratch.path() / "calls"),
              ::testing::StartsWith("search --data=d --epochs=50 --seed=2"));
}

TEST_F(RunStudy, GivesClaimsBackWhenInterrupted) {
  options.interrupted = [] { return 15; };
  EXPECT_THROW(run_study(plan(kSearches), folder, options), Interrupted);
  EXPECT_TRUE(std::filesystem::is_empty(folder.ledger() / "claims"));
}

TEST_F(RunStudy, EstimatesFromRunsOfTheSameKind) {
  const Plan searches = plan(kSearches);
  Ledger(folder.ledger(), 600.0).write(searches.tasks[0].id, {true, "", 0, 4.0, 100.0, "{}"});
  Ledger(folder.ledger(), 600.0).write(searches.tasks[1].id, {true, "", 0, 6.0, 120.0, "{}"});
  const Progress progress = read_progress(searches, Ledger(folder.ledger(), 600.0));
  const auto costs = estimate(searches, progress, {});
  EXPECT_DOUBLE_EQ(costs[0]->seconds, 4.0);
  EXPECT_DOUBLE_EQ(costs[2]->seconds, 5.0);
  EXPECT_DOUBLE_EQ(costs[2]->memory_mib, 120.0);
}

TEST_F(RunStudy, MeasuresChainsByWhatIsKnown) {
  const Plan whole =
      plan(kProtocol);  // of each seed a search and a quick training, then one choice
  const auto index = [&](TaskKind kind) {
    return static_cast<std::size_t>(
        std::find_if(whole.tasks.begin(), whole.tasks.end(),
                     [&](const Task& task) { return task.kind == kind; }) -
        whole.tasks.begin());
  };
  std::vector<std::optional<Cost>> costs(whole.tasks.size());
  costs[index(TaskKind::kSelect)] = Cost{};
  // Nothing known: search, quick, final, test of final.
  EXPECT_DOUBLE_EQ(longest_chains(whole, costs)[index(TaskKind::kSearch)], 4.0);
  costs[index(TaskKind::kEvaluate)] = Cost{0.5, 1.0};
  costs[index(TaskKind::kSearch)] = Cost{3.0, 1.0};
  const auto chains = longest_chains(whole, costs);
  EXPECT_DOUBLE_EQ(chains[index(TaskKind::kEvaluate)], 0.5);
  EXPECT_DOUBLE_EQ(chains[index(TaskKind::kSelect)], 3.5);  // an unknown final counts as 3 s
  EXPECT_DOUBLE_EQ(chains[index(TaskKind::kSearch)], 9.5);
}

TEST_F(RunStudy, StartsTheLongestChainFirstAmongSeveralWorkers) {
  const Plan searches = plan(
      "phases = [\"search\"]\nseeds = [1, 2, 4, 5]\n[grid]\ndata = \"d\"\n"
      "nodes = [2, 3]\n");
  Ledger(folder.ledger(), 600.0).write(searches.tasks[0].id, {true, "", 0, 2.0, 1.0, "{}"});
  Ledger(folder.ledger(), 600.0).write(searches.tasks[4].id, {true, "", 0, 9.0, 1.0, "{}"});
  options.workers = 2;
  std::vector<std::string> said;
  options.say = [&](const std::string& line) { said.push_back(line); };
  run_study(searches, folder, options);
  ASSERT_GE(said.size(), 1U);
  EXPECT_EQ(said[0], "started: " + searches.tasks[5].label);
}

TEST_F(RunStudy, EstimatesUnknownCellsByRandomOnes) {
  // The script prints nothing of epochs, so it writes them where --out says: 2 s each.
  const auto program = scratch.write("program", R"(#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
for word in "$@"; do
  case "$word" in --out=*) out=${word#--out=} ;; esac
done
if [ "$1" != evaluate ]; then
  mkdir -p "$out"
  for epoch in 0 1; do
    echo '{"seconds": {"total": 2.0}}' >> "$out/epochs.jsonl"
  done
fi
echo "{}"
)");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const Plan protocol = plan(
      "phases = [\"search\", \"quick\", \"select\", \"final\"]\nseeds = [1, 2]\n[grid]\n"
      "data = \"d\"\nnodes = 2\n[search]\nepochs = 3\n[quick]\nepochs = 4\n[final]\nepochs = 5\n");
  const auto measured = measure(protocol, folder, options);
  // A search, and three cells that stand for any that it may find; quick and final differ in
  // epochs.
  EXPECT_EQ(measured.size(), 1U + 3U);
  EXPECT_EQ(calls(), 2U * 1U + 1U + 3U + 3U);  // two first runs decode; three tests
  EXPECT_THAT(read_file(scratch.path() / "calls"),
              ::testing::HasSubstr("--genotype=" + random_cell(2, 1)));
  const auto costs = estimate(protocol, read_progress(protocol, Ledger(folder.ledger(), 600.0)),
                              read_measurements(folder));
  EXPECT_NEAR(costs[0]->seconds, 6.0, 0.5);  // the script takes almost no time
  EXPECT_NEAR(costs[protocol.rows[0].quicks[0]]->seconds, 8.0, 0.5);
  EXPECT_NEAR(costs[protocol.rows[0].trained[0].trainings[0]]->seconds, 10.0, 0.5);
  EXPECT_TRUE(costs[protocol.rows[0].trained[0].evaluations[0]].has_value());
}

}  // namespace
}  // namespace probedarts::study
