#include "study/test_images.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

using testing::ScratchFolder;
using testing::sentence_of;

TestImages images(const std::vector<double>& right, const std::vector<std::uint64_t>& groups = {}) {
  TestImages made;
  for (std::size_t i = 0; i < right.size(); ++i) {
    made.names.push_back(std::to_string(i));
  }
  made.right = right;
  made.groups = groups;
  return made;
}

TEST(TestImages, AreReadFromPredictions) {
  const ScratchFolder scratch;
  const auto path = scratch.write("p.csv",
                                  "size,image,group,truth,right,logit a\n"
                                  "64,\"x, y.png\",3,a,1,0.5\n"
                                  "64,z.png,4,b,0.25,-0.5\n");
  const auto read = read_test_images(path);
  ASSERT_TRUE(read);
  EXPECT_THAT(read->names, ::testing::ElementsAre("x, y.png", "z.png"));
  EXPECT_THAT(read->right, ::testing::ElementsAre(1.0, 0.25));
  EXPECT_THAT(read->groups, ::testing::ElementsAre(0, 1));
}

TEST(TestImages, HaveNoGroupsUnlessAnImageHasOne) {
  const ScratchFolder scratch;
  const auto path = scratch.write("p.csv", "image,group,right\nx,,1\ny,,0\n");
  EXPECT_TRUE(read_test_images(path)->groups.empty());
}

TEST(TestImages, AreGroupedByNameAndAloneWithoutOne) {
  const ScratchFolder scratch;
  const auto path = scratch.write(
      "p.csv", "image,group,right\nu,,1\nv,patient 7,1\nw,3,1\nx,patient 7,0\ny,,0\n");
  EXPECT_THAT(read_test_images(path)->groups, ::testing::ElementsAre(0, 1, 2, 1, 3));
}

TEST(TestImages, MayNotBeThere) {
  const ScratchFolder scratch;
  EXPECT_FALSE(read_test_images(scratch.path() / "p.csv"));
  EXPECT_FALSE(read_test_images(scratch.write("p.csv", "size,image,truth\n64,x,a\n")));
}

TEST(TestImages, ThatAreDamagedAreRefused) {
  const ScratchFolder scratch;
  const auto path = scratch.write("p.csv", "image,group,right\nx,3,1\ny,3\n");
  EXPECT_EQ(sentence_of([&] { read_test_images(path); }),
            "study: '" + path.string() + "' is damaged; evaluate its training again");
}

TEST(MeanOverRuns, IsThatOfEachImage) {
  EXPECT_THAT(mean_over_runs({images({1, 0, 1}), images({1, 1, 0})})->right,
              ::testing::ElementsAre(1.0, 0.5, 0.5));
}

TEST(MeanOverRuns, IsNoneOfDifferentImages) {
  EXPECT_FALSE(mean_over_runs({images({1, 0, 1}), images({1, 1})}));
  EXPECT_FALSE(mean_over_runs({}));
}

TEST(ImageTest, IsMcNemarsForSingleRunsWithoutGroups) {
  // 25 images on which the two disagree, 5 for the first: 2 P(X <= 5) with X of 25 fair coins,
  // (1 + 25 + 300 + 2300 + 12650 + 53130) / 2^25 = 68406 / 33554432.
  std::vector<double> a(40, 1.0);
  std::vector<double> b(40, 1.0);
  std::fill(b.begin(), b.begin() + 5, 0.0);
  std::fill(a.begin() + 5, a.begin() + 25, 0.0);
  EXPECT_NEAR(image_test_p(images(a), images(b), 1), 2.0 * 68406.0 / 33554432.0, 1e-15);
}

TEST(ImageTest, CountsAGroupOnce) {
  // Three groups, all for the first: 2 of 2^3 choices of signs are as far from 0.
  std::vector<double> a(30, 1.0);
  std::vector<double> b(30, 0.0);
  std::vector<std::uint64_t> groups(30);
  for (std::size_t i = 0; i < 30; ++i) {
    groups[i] = i / 10;
    b[i] = i % 10 < i / 10 ? 1.0 : 0.0;  // of different sizes
  }
  EXPECT_DOUBLE_EQ(image_test_p(images(a, groups), images(b, groups), 1), 0.25);
}

TEST(CompareOnImages, SaysWhatManyImagesShow) {
  const std::vector<double> a(40, 1.0);
  std::vector<double> b(40, 1.0);
  std::fill(b.begin(), b.begin() + 20, 0.0);
  const auto all = compare_on_images({{"A", "d", images(a)}, {"B", "d", images(b)}}, {});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].verdict, Verdict::kBetter);
  EXPECT_THAT(all[0].sentence, ::testing::StartsWith("On 40 images, A is better than B: +50.00 "
                                                     "points (95 % interval "));
  EXPECT_THAT(all[0].sentence, ::testing::EndsWith("), sign-flip test p = 1.91e-06."));  // 2 / 2^20
}

TEST(CompareOnImages, IsCautiousWithFewGroups) {
  std::vector<std::uint64_t> groups(40);
  for (std::size_t i = 0; i < 40; ++i) {
    groups[i] = i / 10;
  }
  const std::vector<double> a(40, 1.0);
  const std::vector<double> b(40, 0.0);
  const auto all = compare_on_images(
      {{"A", "d", images(a, groups)}, {"B", "d", images(b, groups)}, {"C", "d", {}}}, {});
  ASSERT_EQ(all.size(), 1U);  // 4 groups: p = 2 / 2^4
  EXPECT_EQ(all[0].sentence,
            "On 40 images in 4 groups, A and B are not distinguishable: +100.00 points (too "
            "few for a 95 % interval), sign-flip test p = 0.125.");
}

TEST(CompareOnImages, LeavesOutRowsTestedOnOtherImages) {
  EXPECT_TRUE(
      compare_on_images({{"A", "d", images({1, 0})}, {"B", "d", images({1, 0, 1})}}, {}).empty());
}

TEST(CompareOnImages, LeavesOutRowsOfOtherDataSetsWhoseImagesAreCalledAlike) {
  EXPECT_TRUE(
      compare_on_images({{"A", "d", images({1, 0})}, {"B", "e", images({1, 1})}}, {}).empty());
}

TEST(CompareOnImages, HasTheIntervalOfItsTestForAFewGroups) {
  // Eight groups of five images; the first is better in all but one. K = 0.025 * 256 rounded down
  // = 6.
  std::vector<double> a(40, 0.0);
  std::vector<double> b(40, 0.0);
  std::vector<std::uint64_t> groups(40);
  for (std::size_t i = 0; i < 40; ++i) {
    groups[i] = i / 5;
    a[i] = i % 5 < 1 + i / 10 ? 1.0 : 0.0;  // 1, 1, 2, 2, 3, 3, 4, 4 of five
  }
  b[0] = b[1] = 1.0;
  const auto all =
      compare_on_images({{"A", "d", images(a, groups)}, {"B", "d", images(b, groups)}}, {});
  // Sums -1, 1, 2, 2, 3, 3, 4, 4 of 18. As far from 0: none turned, the -1, and the -1 with the 1;
  // twice, so p = 6 / 256.
  EXPECT_THAT(all[0].sentence,
              ::testing::StartsWith(
                  "On 40 images in 8 groups, A is better than B: +45.00 points (95 % interval "));
  EXPECT_THAT(all[0].sentence, ::testing::EndsWith("), sign-flip test p = 0.0234."));
  EXPECT_GT(all[0].interval->low, 0.0);
  EXPECT_LT(all[0].interval->low, 0.45);
}

TEST(ScoreOf, DrawsWholeGroups) {
  // Images of a group are alike, so the interval over two groups reaches from one to the other.
  std::vector<double> right(100, 0.0);
  std::vector<std::uint64_t> groups(100, 0);
  std::fill(right.begin(), right.begin() + 50, 1.0);
  std::fill(groups.begin(), groups.begin() + 50, 1);
  const ImageScore score = score_of(images(right, groups));
  EXPECT_DOUBLE_EQ(score.accuracy, 0.5);
  EXPECT_EQ(score.groups, 2U);
  EXPECT_DOUBLE_EQ(score.interval->low, 0.0);
  EXPECT_DOUBLE_EQ(score.interval->high, 1.0);
  EXPECT_TRUE(score.is_too_narrow());
  EXPECT_LT(score_of(images(right)).interval->high, 0.7);
  EXPECT_FALSE(score_of(images(right)).is_too_narrow());
}

}  // namespace
}  // namespace probedarts::study
