#include "study/ledger.hpp"

#include <chrono>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

using probedarts::testing::ScratchFolder;
using probedarts::testing::sentence_of;

TEST(Claims, BelongToOneAtATime) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  auto first = ledger.claim("a");
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(ledger.claim("a").has_value());
  EXPECT_TRUE(ledger.claim("b").has_value());
  first.reset();
  EXPECT_TRUE(ledger.claim("a").has_value());
}

/// What a claim of this very process says.
nlohmann::json own_claim(const ScratchFolder& scratch, const Ledger& ledger) {
  const auto claim = ledger.claim("own");
  return nlohmann::json::parse(read_file(scratch.path() / "ledger/claims/own.claim.1"));
}

TEST(Claims, OfADeadProcessAreTakenOver) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  nlohmann::json dead = own_claim(scratch, ledger);
  dead["start"] = "1";  // this process's number with another start: a process that is gone
  scratch.write("ledger/claims/a.claim.1", dead.dump());
  EXPECT_FALSE(ledger.holder("a").has_value());
  const auto claim = ledger.claim("a");
  ASSERT_TRUE(claim.has_value());
  EXPECT_TRUE(std::filesystem::exists(scratch.path() / "ledger/claims/a.claim.2"));
  EXPECT_FALSE(claim->lost());
}

TEST(Claims, OfAContainerOrMachineOfTheSameNameAreKeptWhileTheyAreFresh) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  nlohmann::json other = own_claim(scratch, ledger);
  other["space"] = 5;  // another boot's, or damaged: its process numbers say nothing here
  other["start"] = "1";
  const auto file = scratch.write("ledger/claims/a.claim.1", other.dump());
  EXPECT_FALSE(ledger.claim("a").has_value());
  const auto old = std::filesystem::last_write_time(file) - std::chrono::seconds(700);
  std::filesystem::last_write_time(file, old);
  EXPECT_TRUE(ledger.claim("a").has_value());
}

TEST(Claims, OfAnotherMachineAreKeptWhileTheyAreFresh) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  const auto file =
      scratch.write("ledger/claims/a.claim.1", R"({"host":"elsewhere","pid":1,"start":"1"})");
  EXPECT_FALSE(ledger.claim("a").has_value());
  EXPECT_EQ(ledger.holder("a"), "process 1 on elsewhere");
  const auto old = std::filesystem::last_write_time(file) - std::chrono::seconds(700);
  std::filesystem::last_write_time(file, old);
  EXPECT_TRUE(ledger.claim("a").has_value());
}

TEST(Claims, AreLostToWhoeverTookThemOver) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  const auto claim = ledger.claim("a");
  scratch.write("ledger/claims/a.claim.2", R"({"host":"elsewhere","pid":1,"start":"1"})");
  EXPECT_TRUE(claim->lost());
}

TEST(Claims, ThatWereLostLeaveThoseOfOthers) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  auto claim = ledger.claim("a");
  // One took it over as number 2 and ended, so that the numbers began again with a third.
  const std::string third = R"({"host":"elsewhere","pid":1,"start":"1"})";
  const auto file = scratch.write("ledger/claims/a.claim.1", third);
  EXPECT_TRUE(claim->lost());
  claim.reset();
  ASSERT_TRUE(std::filesystem::exists(file));
  EXPECT_EQ(read_file(file), third);
  EXPECT_EQ(ledger.holder("a"), "process 1 on elsewhere");
}

TEST(Claims, WithoutContentAreJudgedByTheirAge) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  scratch.write("ledger/claims/a.claim.1", "");
  EXPECT_FALSE(ledger.claim("a").has_value());
}

TEST(Claims, OfTheDeadAreCleanedAwayAndThoseOfTheLivingKept) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  const auto living = ledger.claim("b");
  const auto file =
      scratch.write("ledger/claims/a.claim.3", R"({"host":"elsewhere","pid":1,"start":"1"})");
  std::filesystem::last_write_time(
      file, std::filesystem::last_write_time(file) - std::chrono::seconds(700));
  ledger.clean();
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_FALSE(living->lost());
}

TEST(Records, AreReadBackAsWritten) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  EXPECT_FALSE(ledger.record("a").has_value());
  ledger.write("a", {true, "", 0, 1.5, 20.0, R"({"error":0.25})"});
  const auto record = ledger.record("a");
  ASSERT_TRUE(record.has_value());
  EXPECT_TRUE(record->done);
  EXPECT_EQ(record->seconds, 1.5);
  EXPECT_EQ(record->result, R"({"error":0.25})");
  EXPECT_EQ(ledger.ended(), std::vector<std::string>{"a"});
  ledger.forget("a");
  EXPECT_FALSE(ledger.record("a").has_value());
}

TEST(Records, ThatAreDamagedAreNamed) {
  const ScratchFolder scratch;
  const Ledger ledger(scratch.path() / "ledger", 600.0);
  const std::string without_result =
      R"({"done":true,"reason":"","exit":0,"seconds":1,"memory_mib":1,"result":null})";
  for (const std::string& text : {std::string("{\"done\": tr"), without_result}) {
    const auto file = scratch.write("ledger/a.json", text);
    EXPECT_EQ(sentence_of([&] { ledger.record("a"); }),
              "study: '" + file.string() + "' is damaged; delete it to repeat the run");
  }
}

}  // namespace
}  // namespace probedarts::study
