// Layout "labels.csv", good and bad.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/dataset.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::data {
namespace {

using ::testing::ElementsAre;
using testing::ScratchFolder;
using testing::sentence_of;

/// A folder with images 1.png to 6.png and this labels.csv.
class LabelsCsv : public ::testing::Test {
 protected:
  Dataset open(const std::string& csv) const {
    for (int k = 1; k <= 6; ++k) {
      folder_.write(fmt::format("{}.png", k));
    }
    folder_.write("labels.csv", csv);
    return open_dataset(folder_.path(), options_);
  }
  std::string refusal(const std::string& csv) const {
    return sentence_of([&] { open(csv); });
  }
  std::string csv() const { return folder_.text() + "/labels.csv"; }

  ScratchFolder folder_;
  DatasetOptions options_;
};

TEST_F(LabelsCsv, GivesClassesInByteOrderAndSamplesInPathOrder) {
  const Dataset dataset = open(
      "file,split,label,extra\n3.png,train,tumor,7\n1.png,train,stroma,8\n2.png,valid,tumor,9\n"
      "4.png,test,stroma,9\n");
  EXPECT_EQ(dataset.layout, "labels.csv");
  EXPECT_EQ(dataset.kind, LabelKind::kSingle);
  EXPECT_THAT(dataset.classes, ElementsAre("stroma", "tumor"));
  ASSERT_EQ(dataset.train.size(), 2U);
  EXPECT_EQ(dataset.train[0].file, folder_.path() / "1.png");
  EXPECT_EQ(dataset.train[0].label, 0);
  EXPECT_EQ(dataset.train[1].label, 1);
  EXPECT_EQ(dataset.valid.at(0).label, 1);
  EXPECT_EQ(dataset.test.at(0).label, 0);
}

TEST_F(LabelsCsv, SortsClassNumbersAsNumbers) {
  const Dataset dataset = open("file,split,label\n1.png,train,10\n2.png,train,9\n3.png,train,2\n");
  EXPECT_THAT(dataset.classes, ElementsAre("2", "9", "10"));
}

TEST_F(LabelsCsv, AcceptsTheNamesValAndValidation) {
  const Dataset dataset =
      open("file,split,label\n1.png,train,a\n2.png,train,b\n3.png,val,a\n4.png,validation,b\n");
  EXPECT_EQ(dataset.valid.size(), 2U);
}

TEST_F(LabelsCsv, MayHoldATestSplitAlone) {
  const Dataset dataset = open("file,split,label\n1.png,test,a\n2.png,test,b\n");
  EXPECT_TRUE(dataset.train.empty());
  EXPECT_EQ(dataset.test.size(), 2U);
}

TEST_F(LabelsCsv, TakesZeroOneColumnsAfterSplitAsClasses) {
  const Dataset dataset = open(
      "file,split,gland,fat,source,flag\n1.png,train,1,0,s1,1\n2.png,train,1.0,1,s2,0\n"
      "3.png,test,0,0,s3,1\n");
  EXPECT_EQ(dataset.kind, LabelKind::kMulti);
  EXPECT_THAT(dataset.classes, ElementsAre("gland", "fat"));
  EXPECT_THAT(dataset.train.at(0).labels, ElementsAre(1, 0));
  EXPECT_THAT(dataset.train.at(1).labels, ElementsAre(1, 1));
  EXPECT_THAT(dataset.test.at(0).labels, ElementsAre(0, 0));
}

TEST_F(LabelsCsv, EndsTheClassesAtAColumnOfCounts) {
  const Dataset dataset =
      open("file,split,gland,fat,x0\n1.png,train,1,0,0\n2.png,train,0,1,36\n3.png,train,0,1,72\n");
  EXPECT_THAT(dataset.classes, ElementsAre("gland", "fat"));
}

TEST_F(LabelsCsv, DoesNotTakeAGroupNumberForAClass) {
  const Dataset dataset =
      open("file,split,gland,fat,group\n1.png,train,1,0,0\n2.png,train,0,1,1\n3.png,test,0,1,2\n");
  EXPECT_THAT(dataset.classes, ElementsAre("gland", "fat"));
}

TEST_F(LabelsCsv, TakesTheLabelColumnsItIsToldInThatOrder) {
  options_.label_columns = {"c", "a"};
  const Dataset dataset = open("file,split,a,b,c\n1.png,train,1,7,0\n2.png,train,0,7,1\n");
  EXPECT_THAT(dataset.classes, ElementsAre("c", "a"));
  EXPECT_THAT(dataset.train.at(0).labels, ElementsAre(0, 1));
}

TEST_F(LabelsCsv, ReadsGroups) {
  const std::string text =
      "file,split,label,group,patient\n1.png,train,a,s1,p1\n2.png,train,b,s2,p1\n";
  EXPECT_EQ(open(text).train.at(1).group, "s2");
  options_.group_column = "patient";
  EXPECT_EQ(open(text).train.at(1).group, "p1");
}

TEST_F(LabelsCsv, SplitsOffWholeGroups) {
  options_.valid_share = 0.5;
  for (options_.seed = 0; options_.seed < 10; ++options_.seed) {
    const Dataset dataset = open(
        "file,split,label,group\n1.png,train,a,p\n2.png,train,b,p\n3.png,train,a,q\n"
        "4.png,train,b,q\n5.png,train,a,r\n6.png,train,b,r\n");
    ASSERT_EQ(dataset.valid.size(), 2U);
    EXPECT_EQ(dataset.valid[0].group, dataset.valid[1].group);
  }
}

TEST_F(LabelsCsv, WithExcelHabitsIsReadAllTheSame) {
  const Dataset dataset = open(
      "\xEF\xBB\xBF"
      "file,split,label\r\n\"1.png\",train,\"a, well\"\r\n\r\n2.png,train,\"b \"\"x\"\"\"\r\n");
  EXPECT_THAT(dataset.classes, ElementsAre("a, well", "b \"x\""));
}

TEST_F(LabelsCsv, WithoutAFileColumnIsRefused) {
  EXPECT_EQ(refusal("name,split,label\n1.png,train,a\n"),
            csv() + ": column 'file' is missing among name, split, label; add it or rename one");
}

TEST_F(LabelsCsv, WithoutASplitColumnIsRefused) {
  EXPECT_EQ(refusal("file,label\n1.png,a\n"),
            csv() + ": column 'split' is missing among file, label; add it or rename one");
}

TEST_F(LabelsCsv, WithoutLabelsIsRefused) {
  EXPECT_EQ(refusal("file,split,class\n1.png,train,a\n"),
            csv() +
                ": column 'label' is missing, and no 0/1 column follows 'split'; add one or the "
                "other");
}

TEST_F(LabelsCsv, WithoutTheGroupColumnAskedForIsRefused) {
  options_.group_column = "patient";
  EXPECT_EQ(refusal("file,split,label\n1.png,train,a\n"),
            csv() + ": column 'patient' is missing among file, split, label; add it or rename one");
}

TEST_F(LabelsCsv, WithAnUnknownSplitIsRefused) {
  EXPECT_EQ(refusal("file,split,label\n1.png,train,a\n2.png,dev,b\n"),
            csv() + ": line 3: split 'dev' is unknown; use train, valid or test");
}

TEST_F(LabelsCsv, WithAFileThatIsNotThereIsRefused) {
  EXPECT_EQ(refusal("file,split,label\n1.png,train,a\n9.png,train,b\n"),
            csv() + ": line 3: image " + folder_.text() +
                "/9.png is not there; correct the path or remove the line");
}

TEST_F(LabelsCsv, WithAFileListedTwiceIsRefused) {
  EXPECT_EQ(refusal("file,split,label\n1.png,train,a\n./1.png,test,a\n"),
            csv() + ": line 3: image 1.png is listed already in line 2; keep one of the two");
}

TEST_F(LabelsCsv, WithALabelThatIsNeitherZeroNorOneIsRefused) {
  EXPECT_EQ(refusal("file,split,gland,fat\n1.png,train,1,0\n2.png,train,0,2\n3.png,train,0,1\n"),
            csv() + ": line 3: label '2' of class 'fat' is neither 0 nor 1; correct it");
}

TEST_F(LabelsCsv, WithABadValueInAColumnAskedForIsRefused) {
  options_.label_columns = {"fat", "gland"};
  EXPECT_EQ(refusal("file,split,gland,fat\n1.png,train,1,yes\n"),
            csv() + ": line 2: label 'yes' of class 'fat' is neither 0 nor 1; correct it");
}

TEST_F(LabelsCsv, WithAnEmptyLabelIsRefused) {
  EXPECT_EQ(refusal("file,split,label\n1.png,train,\n"),
            csv() + ": line 2: the label is empty; name the class of the image");
}

TEST_F(LabelsCsv, ThatCutsAGroupIsRefused) {
  EXPECT_EQ(refusal("file,split,label,group\n1.png,train,a,p1\n2.png,train,b,p2\n"
                    "3.png,test,a,p1\n"),
            csv() +
                ": line 4: group 'p1' is in split test here and in split train in line 2; put all "
                "images of a group into one split");
}

TEST_F(LabelsCsv, MayLeaveTheGroupOfAnImageOpen) {
  EXPECT_EQ(
      open("file,split,label,group\n1.png,train,a,\n2.png,train,b,\n3.png,test,a,\n").test.size(),
      1U);
}

TEST_F(LabelsCsv, WithASingleClassIsRefused) {
  EXPECT_EQ(refusal("file,split,label\n1.png,train,a\n2.png,train,a\n"),
            folder_.text() + ": 'a' is the only class; give images of at least two classes");
}

TEST_F(LabelsCsv, WithAClassThatNoTrainingImageHasIsRefused) {
  EXPECT_EQ(refusal("file,split,gland,fat\n1.png,train,1,0\n2.png,test,0,1\n"),
            folder_.text() +
                ": class 'fat' has no image in the train split; add images or remove the class");
}

TEST_F(LabelsCsv, WithAShortLineIsRefused) {
  EXPECT_EQ(refusal("file,split,label\n1.png,train\n"),
            csv() +
                ": line 2: 2 fields, but the first line names 3 columns; correct the line, and "
                "quote fields that hold a comma");
}

TEST_F(LabelsCsv, WithoutLinesIsRefused) {
  EXPECT_EQ(refusal("file,split,label\n"), csv() + ": no image is listed; add one line per image");
}

TEST_F(LabelsCsv, ThatIsEmptyIsRefused) {
  EXPECT_EQ(refusal(""), csv() + ": the file is empty; it needs a line that names its columns");
}

TEST_F(LabelsCsv, WithAColumnNamedTwiceIsRefused) {
  EXPECT_EQ(refusal("file,split,label,label\n1.png,train,a,b\n"),
            csv() + ": column 'label' is named twice; rename or remove one of them");
}

}  // namespace
}  // namespace probedarts::data
