#include "study/outlook.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

using probedarts::testing::ScratchFolder;

Plan plan_of(const std::string& text) {
  return make_plan(parse_study(text, "s.toml", {{}, {}, {}}));
}

/// Of each of two seeds a search and the quick training of what it found.
const std::string kTwo =
    "phases = [\"search\", \"quick\"]\nseeds = [1, 2]\n[grid]\ndata = \"d\"\n[search]\nepochs = "
    "10\n[quick]\nepochs = 4\n";

class Outlook : public ::testing::Test {
 protected:
  Outlook() : states(plan.tasks.size(), TaskState::kWaiting), costs(plan.tasks.size()) {
    for (std::size_t i = 0; i < 2; ++i) {
      costs[search(i)] = Cost{10.0, 100.0};
      costs[quick(i)] = Cost{4.0, 30.0};
    }
  }

  std::size_t search(std::size_t i) const { return plan.rows[0].searches[i]; }
  std::size_t quick(std::size_t i) const { return plan.rows[0].quicks[i]; }

  const Plan plan = plan_of(kTwo);
  std::vector<TaskState> states;
  std::vector<std::optional<Cost>> costs;
};

TEST_F(Outlook, OfOneWorkerIsTheSum) {
  const Schedule alone = schedule(plan, states, costs, 1);
  EXPECT_DOUBLE_EQ(alone.seconds, 28.0);
  EXPECT_DOUBLE_EQ(alone.memory_mib, 100.0);
}

TEST_F(Outlook, OfManyWorkersIsTheLongestChain) {
  const Schedule many = schedule(plan, states, costs, 5);
  EXPECT_DOUBLE_EQ(many.seconds, 14.0);
  EXPECT_DOUBLE_EQ(many.memory_mib, 200.0);
}

TEST_F(Outlook, WaitsForWhatATaskNeeds) {
  costs[search(1)] = Cost{20.0, 50.0};
  // The longer search first; the other's training runs beside its second half.
  const Schedule two = schedule(plan, states, costs, 2);
  EXPECT_DOUBLE_EQ(two.seconds, 24.0);
  EXPECT_DOUBLE_EQ(two.memory_mib, 150.0);
}

TEST_F(Outlook, LeavesOutWhatHasEndedAndWhatIsUnknown) {
  states[search(0)] = TaskState::kDone;
  states[search(1)] = TaskState::kFailed;
  states[quick(1)] = TaskState::kBlocked;
  EXPECT_DOUBLE_EQ(schedule(plan, states, costs, 1).seconds, 4.0);
  costs[quick(0)].reset();
  EXPECT_DOUBLE_EQ(schedule(plan, states, costs, 1).seconds, 0.0);
  EXPECT_EQ(schedule(plan, states, costs, 1).unknown, 1U);
}

TEST_F(Outlook, CountsTheEpochsOfWhatRuns) {
  const ScratchFolder scratch;
  const StudyFolder folder{scratch.path(), {}};
  const std::string epoch = "{\"seconds\": {\"total\": 3.0}}\n";
  scratch.write("runs/" + plan.tasks[search(0)].id + "/epochs.jsonl",
                epoch + epoch + epoch + epoch + "{\"seconds\": {\"to");
  Progress progress{states, std::vector<Record>(states.size())};
  progress.states[search(0)] = TaskState::kRunning;
  const auto left = costs_left(plan, progress, std::vector<std::optional<Cost>>(4), folder);
  EXPECT_DOUBLE_EQ(left[search(0)]->seconds, 6 * 3.0);
  EXPECT_DOUBLE_EQ(left[search(1)]->seconds, 10 * 3.0);  // of the same flags
  EXPECT_FALSE(left[quick(0)].has_value());
  EXPECT_DOUBLE_EQ(schedule(plan, progress.states, left, 1).seconds, 48.0);
  EXPECT_EQ(schedule(plan, progress.states, left, 1).unknown, 2U);
}

TEST_F(Outlook, CountsRunsOfEachPhase) {
  states[search(0)] = TaskState::kDone;
  const auto counts = count_phases(plan, states);
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].phase, Phase::kSearch);
  EXPECT_THAT(counts[0].states, ::testing::ElementsAre(1, 0, 1, 0, 0));
  EXPECT_EQ(counts[1].all(), 2U);
}

}  // namespace
}  // namespace probedarts::study
