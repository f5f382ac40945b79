// The layouts of published data sets: CIFAR, ADP, BCSS, lists; and the real ones at hand.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/cifar.hpp"
#include "data/dataset.hpp"
#include "support/npy_bytes.hpp"
#include "support/scratch_folder.hpp"
#include "support/shared_files.hpp"

namespace probedarts::data {
namespace {

using probedarts::testing::shared_folder;
using ::testing::ElementsAre;
using testing::npy_array;
using testing::ScratchFolder;
using testing::sentence_of;

std::string layout_refusal(const ScratchFolder& folder, const DatasetOptions& options = {}) {
  return sentence_of([&] { open_dataset(folder.path(), options); });
}

// CIFAR -------------------------------------------------------------------------------------------

std::string cifar_record(const std::string& labels, char red, char green, char blue) {
  return labels + std::string(1024, red) + std::string(1024, green) + std::string(1024, blue);
}

TEST(CifarLayout, ReadsTheTenClassVersion) {
  const ScratchFolder folder;
  folder.write("batches.meta.txt", "plane\ncar\nbird\n\n");
  folder.write("data_batch_1.bin", cifar_record(std::string(1, '\2'), 1, 2, 3) +
                                       cifar_record(std::string(1, '\0'), 4, 5, 6));
  folder.write("data_batch_2.bin", cifar_record(std::string(1, '\1'), 7, 8, 9));
  folder.write("test_batch.bin", cifar_record(std::string(1, '\1'), 7, 8, 9));
  folder.write("labels.csv", "file,split,label\nnot/here.jpg,train,plane\n");
  const Dataset dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset.layout, "cifar");
  EXPECT_EQ(dataset.cifar_label_bytes, 1);
  EXPECT_THAT(dataset.classes, ElementsAre("plane", "car", "bird"));
  ASSERT_EQ(dataset.train.size(), 3U);
  EXPECT_EQ(dataset.train[0].label, 2);
  EXPECT_EQ(dataset.train[1].record, 1);
  EXPECT_EQ(dataset.train[2].file, folder.path() / "data_batch_2.bin");
  EXPECT_EQ(dataset.test.size(), 1U);
}

TEST(CifarLayout, ReadsTheFineLabelOfTheHundredClassVersion) {
  const ScratchFolder folder;
  folder.write("cifar-100-binary/fine_label_names.txt", "apple\nbaby\n");
  folder.write("cifar-100-binary/coarse_label_names.txt", "fruit\n");
  folder.write("cifar-100-binary/train.bin", cifar_record(std::string("\0\1", 2), 1, 2, 3) +
                                                 cifar_record(std::string("\0\0", 2), 1, 2, 3));
  folder.write("cifar-100-binary/test.bin", cifar_record(std::string("\7\0", 2), 1, 2, 3));
  const Dataset dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset.cifar_label_bytes, 2);
  EXPECT_EQ(dataset.train.at(0).label, 1);
  EXPECT_EQ(dataset.test.at(0).label, 0);
}

TEST(CifarLayout, MayLackAClassButNotOneThatIsAskedFor) {
  const ScratchFolder folder;
  folder.write("batches.meta.txt", "plane\ncar\nbird\n");
  const auto of = [](int label) {
    return cifar_record(std::string(1, static_cast<char>(label)), 0, 0, 0);
  };
  folder.write("data_batch_1.bin", of(0) + of(1));
  folder.write("test_batch.bin", of(1));
  EXPECT_EQ(open_dataset(folder.path()).classes.size(), 3U);
  folder.write("test_batch.bin", of(2));
  EXPECT_EQ(sentence_of([&] { open_dataset(folder.path()); }),
            folder.path().string() +
                ": class 'bird' has no image in the train split; add images or remove the class");
}

TEST(CifarLayout, SplitsOffValidationImages) {
  const ScratchFolder folder;
  folder.write("batches.meta.txt", "plane\ncar\n");
  std::string batch;
  for (int k = 0; k < 10; ++k) {
    batch += cifar_record(std::string(1, static_cast<char>(k % 2)), 0, 0, 0);
  }
  folder.write("data_batch_1.bin", batch);
  DatasetOptions options;
  options.valid_share = 0.3;
  const Dataset dataset = open_dataset(folder.path(), options);
  EXPECT_EQ(dataset.train.size(), 7U);
  EXPECT_EQ(dataset.valid.size(), 3U);
}

TEST(CifarLayout, RefusesPartOfARecord) {
  const ScratchFolder folder;
  folder.write("batches.meta.txt", "plane\ncar\n");
  folder.write("data_batch_1.bin", std::string(3074, '\0'));
  EXPECT_EQ(layout_refusal(folder),
            folder.text() +
                "/data_batch_1.bin: 3074 bytes are no whole number of records of "
                "3073 bytes; fetch the file again");
}

TEST(CifarLayout, RefusesALabelWithoutAName) {
  const ScratchFolder folder;
  folder.write("batches.meta.txt", "plane\ncar\n");
  folder.write("test_batch.bin", cifar_record(std::string(1, '\2'), 1, 2, 3));
  EXPECT_EQ(layout_refusal(folder),
            folder.text() +
                "/test_batch.bin: record 0 has label 2, but only 2 classes are "
                "named; fetch the file again");
}

TEST(CifarLayout, RefusesBatchesWithoutClassNames) {
  const ScratchFolder folder;
  folder.write("test_batch.bin", cifar_record(std::string(1, '\2'), 1, 2, 3));
  EXPECT_EQ(layout_refusal(folder),
            folder.text() +
                ": the class names are missing; put batches.meta.txt (CIFAR-10) or "
                "fine_label_names.txt (CIFAR-100) beside the batches");
}

TEST(CifarImage, InterleavesThePlanes) {
  std::string batch = cifar_record("\1", 9, 9, 9) + cifar_record("\1", 10, 20, 30);
  batch[3073 + 1 + 33] = 77;  // red of row 1, column 1
  const Image image = cifar_image(batch, 1, 1);
  ASSERT_EQ(image.rgb.size(), 3072U);
  EXPECT_EQ(image.at(0, 0)[0], 10);
  EXPECT_EQ(image.at(0, 0)[1], 20);
  EXPECT_EQ(image.at(31, 31)[2], 30);
  EXPECT_EQ(image.at(1, 1)[0], 77);
}

TEST(CifarImage, OutsideTheBatchIsABug) {
  EXPECT_THROW(cifar_image(cifar_record("\1", 1, 2, 3), 1, 1), Bug);
}

// ADP ---------------------------------------------------------------------------------------------

constexpr const char* kL3 =
    "E,E.M,E.M.S,E.M.C,E.T,E.T.S,E.T.C,C,C.D,C.D.I,C.D.R,C.L,H,H.E,H.K,H.Y,S,S.M,S.C,S.R,A,A.W,A.M,"
    "M,N,N.P,N.R,N.G,N.G.M,G,G.O,G.N,T";

/// Four patches; patch k has class E if k is odd, and T always. `inside` is where splits and images
/// lie.
void write_adp(const ScratchFolder& folder, const std::string& inside = "ADP V1.0 Release/") {
  std::string sheet = fmt::format("Patch Names,{},X\n", kL3);
  for (int k = 0; k < 4; ++k) {
    sheet += fmt::format("{}.png,{}", k, k % 2);
    for (int label = 1; label < 32; ++label) {
      sheet += ",0";
    }
    sheet += ",1,0\n";
    folder.write(fmt::format("{}img_res_1um_bicubic/{}.png", inside, k));
  }
  folder.write("ADP V1.0 Release/ADP_EncodedLabels_Release1_Flat.csv", sheet);
  folder.write(inside + "splits/train.npy", npy_array<std::int64_t>("<i8", {3, 0}));
  folder.write(inside + "splits/valid.npy", npy_array<std::int32_t>("<i4", {1}));
  folder.write(inside + "splits/test.npy", npy_array<std::uint16_t>("<u2", {2}));
}

std::string split_file(const ScratchFolder& folder, const std::string& split) {
  return folder.text() + "/ADP V1.0 Release/splits/" + split + ".npy";
}

TEST(AdpLayout, ReadsSheetAndSplits) {
  const ScratchFolder folder;
  write_adp(folder);
  const Dataset dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset.layout, "adp");
  EXPECT_EQ(dataset.kind, LabelKind::kMulti);
  ASSERT_EQ(dataset.classes.size(), 33U);
  ASSERT_EQ(dataset.train.size(), 2U);
  EXPECT_EQ(dataset.train[0].file.filename(), "0.png");
  EXPECT_EQ(dataset.train[0].labels.front(), 0);
  EXPECT_EQ(dataset.train[0].labels.back(), 1);
  EXPECT_EQ(dataset.train[1].file.filename(), "3.png");
  EXPECT_EQ(dataset.train[1].labels.front(), 1);
  EXPECT_EQ(dataset.valid.size(), 1U);
  EXPECT_EQ(dataset.test.size(), 1U);
}

TEST(AdpLayout, HasTheClassCountsOfThePaper) {
  const ScratchFolder folder;
  write_adp(folder);
  DatasetOptions options;
  options.adp_level = "L1";
  EXPECT_THAT(open_dataset(folder.path(), options).classes,
              ElementsAre("E", "C", "H", "S", "A", "M", "N", "G", "T"));
  options.adp_level = "L2";
  EXPECT_EQ(open_dataset(folder.path(), options).classes.size(), 26U);
}

TEST(AdpLayout, AcceptsImagesAndSplitsBesideTheRelease) {
  const ScratchFolder folder;
  write_adp(folder, "");
  EXPECT_EQ(open_dataset(folder.path()).train.size(), 2U);
}

TEST(AdpLayout, AcceptsTheReleaseFolderItself) {
  const ScratchFolder folder;
  write_adp(folder);
  EXPECT_EQ(open_dataset(folder.path() / "ADP V1.0 Release").train.size(), 2U);
}

TEST(AdpLayout, RefusesAnUnknownLevel) {
  const ScratchFolder folder;
  write_adp(folder);
  DatasetOptions options;
  options.adp_level = "L4";
  EXPECT_EQ(layout_refusal(folder, options), "ADP level 'L4' is unknown; use L1, L2 or L3");
}

TEST(AdpLayout, RefusesAnIndexOutOfRange) {
  const ScratchFolder folder;
  write_adp(folder);
  folder.write("ADP V1.0 Release/splits/valid.npy", npy_array<std::int64_t>("<i8", {1, 4}));
  EXPECT_EQ(layout_refusal(folder),
            split_file(folder, "valid") +
                ": entry 1 is row 4, but the label sheet has rows 0 to 3; use the "
                "split files of this release");
  folder.write("ADP V1.0 Release/splits/valid.npy", npy_array<std::int64_t>("<i8", {-1}));
  EXPECT_EQ(layout_refusal(folder),
            split_file(folder, "valid") +
                ": entry 0 is row -1, but the label sheet has rows 0 to 3; use the "
                "split files of this release");
}

TEST(AdpLayout, RefusesARowInTwoSplits) {
  const ScratchFolder folder;
  write_adp(folder);
  folder.write("ADP V1.0 Release/splits/test.npy", npy_array<std::int64_t>("<i8", {2, 3}));
  EXPECT_EQ(layout_refusal(folder),
            split_file(folder, "test") +
                ": entry 1 is row 3, which train.npy holds already; keep each row "
                "in one split, once");
}

TEST(AdpLayout, RefusesAMissingImageFolder) {
  const ScratchFolder folder;
  write_adp(folder);
  std::filesystem::remove_all(folder.path() / "ADP V1.0 Release" / "img_res_1um_bicubic");
  EXPECT_EQ(layout_refusal(folder),
            folder.text() +
                "/ADP V1.0 Release: folder 'img_res_1um_bicubic' is missing; put "
                "it beside ADP_EncodedLabels_Release1_Flat.csv");
}

TEST(AdpLayout, IsMissedBySentenceWhenAskedForByName) {
  const ScratchFolder folder;
  folder.write("a/1.png");
  DatasetOptions options;
  options.layout = "adp";
  EXPECT_EQ(layout_refusal(folder, options),
            folder.text() +
                ": ADP_EncodedLabels_Release1_Flat.csv is missing; give the folder that holds 'ADP "
                "V1.0 Release'");
}

// BCSS --------------------------------------------------------------------------------------------

void write_bcss(const ScratchFolder& folder, const std::string& images) {
  folder.write("BCSS_transformed/train.csv", ",image,tumor,fat\n0,1.png,1,0\n1,2.png,0,1\n");
  folder.write("BCSS_transformed/valid.csv", "image,tumor,fat\n3.png,1,1\n");
  folder.write("BCSS_transformed/test.csv", "image,tumor,fat\n4.png,0,0\n");
  for (int k = 1; k <= 4; ++k) {
    folder.write(fmt::format("{}/{}.png", images, k));
  }
}

TEST(BcssLayout, ReadsOneTablePerSplit) {
  const ScratchFolder folder;
  write_bcss(folder, "BCSS_transformed");
  const Dataset dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset.layout, "bcss");
  EXPECT_EQ(dataset.kind, LabelKind::kMulti);
  EXPECT_THAT(dataset.classes, ElementsAre("tumor", "fat"));
  EXPECT_THAT(dataset.train.at(1).labels, ElementsAre(0, 1));
  EXPECT_THAT(dataset.valid.at(0).labels, ElementsAre(1, 1));
  EXPECT_EQ(dataset.test.size(), 1U);
  EXPECT_EQ(open_dataset(folder.path() / "BCSS_transformed").layout, "bcss");
}

TEST(BcssLayout, FindsImagesInAFolderOfTheirOwn) {
  const ScratchFolder folder;
  write_bcss(folder, "BCSS_transformed/images");
  EXPECT_EQ(open_dataset(folder.path()).train.at(0).file,
            folder.path() / "BCSS_transformed/images/1.png");
}

TEST(BcssLayout, RefusesOtherClassesInAnotherSplit) {
  const ScratchFolder folder;
  write_bcss(folder, "BCSS_transformed");
  folder.write("BCSS_transformed/test.csv", "image,tumor\n4.png,0\n");
  EXPECT_EQ(layout_refusal(folder),
            folder.text() +
                "/BCSS_transformed/test.csv: column 'fat' is missing among image, "
                "tumor; add it or rename one");
  folder.write("BCSS_transformed/test.csv", "image,tumor,fat,bone\n4.png,0,0,0\n");
  EXPECT_EQ(layout_refusal(folder),
            folder.text() +
                "/BCSS_transformed/test.csv: 3 class columns, but train.csv has 2; "
                "give all split files the same columns");
}

TEST(BcssLayout, RefusesAMissingImage) {
  const ScratchFolder folder;
  write_bcss(folder, "BCSS_transformed");
  std::filesystem::remove(folder.path() / "BCSS_transformed/2.png");
  EXPECT_EQ(layout_refusal(folder),
            folder.text() + "/BCSS_transformed/train.csv: line 3: image " + folder.text() +
                "/BCSS_transformed/2.png is not there; correct the path or remove "
                "the line");
}

// Lists -------------------------------------------------------------------------------------------

TEST(ListsLayout, ReadsNamesAndNumbersAsLabels) {
  const ScratchFolder folder;
  for (int k = 1; k <= 4; ++k) {
    folder.write(fmt::format("images/{}.tif", k));
  }
  folder.write("train.csv", "path,label\nimages/2.tif,Benign\nimages/1.tif,InSitu\n");
  folder.write("val.txt", "images/3.tif,InSitu\n");
  folder.write("test.csv", "images/4.tif,Benign\n");
  Dataset dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset.layout, "lists");
  EXPECT_THAT(dataset.classes, ElementsAre("Benign", "InSitu"));
  EXPECT_EQ(dataset.train.at(0).label, 1);
  EXPECT_EQ(dataset.valid.at(0).label, 1);
  EXPECT_EQ(dataset.test.at(0).label, 0);
  folder.write("train.csv", "images/1.tif,0\nimages/2.tif,1\n");
  folder.write("val.txt", "images/3.tif,1\n");
  folder.write("test.csv", (folder.path() / "images/4.tif").string() + ",0\n");
  dataset = open_dataset(folder.path());
  EXPECT_THAT(dataset.classes, ElementsAre("0", "1"));
  EXPECT_EQ(dataset.test.at(0).file, folder.path() / "images/4.tif");
}

TEST(ListsLayout, RefusesAMalformedLine) {
  const ScratchFolder folder;
  folder.write("1.png");
  folder.write("train.txt", "1.png,a\n1.png a\n");
  EXPECT_EQ(layout_refusal(folder),
            folder.text() + "/train.txt: line 2: expected 'path,label'; correct the line");
}

TEST(ListsLayout, RefusesAnImageInTwoSplits) {
  const ScratchFolder folder;
  folder.write("1.png");
  folder.write("2.png");
  folder.write("train.csv", "1.png,a\n2.png,b\n");
  folder.write("test.csv", "1.png,a\n");
  EXPECT_EQ(layout_refusal(folder), folder.text() +
                                        "/test.csv: line 1: image 1.png is listed already in " +
                                        folder.text() + "/train.csv: line 1; keep one of the two");
}

TEST(ListsLayout, RefusesTwoListsForOneSplit) {
  const ScratchFolder folder;
  folder.write("train.csv", "1.png,a\n");
  folder.write("train.txt", "1.png,a\n");
  EXPECT_EQ(layout_refusal(folder),
            folder.text() +
                ": train.csv and train.txt both list the train split; keep one of "
                "them");
}

TEST(ListsLayout, RefusesAnEmptyList) {
  const ScratchFolder folder;
  folder.write("train.csv", "path,label\n");
  EXPECT_EQ(layout_refusal(folder),
            folder.text() + "/train.csv: no image is listed; add one line per image");
}

// Real data; the counts are those of their SOURCE.md
// ------------------------------------------------

TEST(RealData, OfOsteosarcomaTilesOpens) {
  const auto root = shared_folder() / "data" / "osteo3_tiles";
  PROBEDARTS_NEEDS(root);
  const Dataset dataset = open_dataset(root);
  EXPECT_EQ(dataset.layout, "labels.csv");
  EXPECT_EQ(dataset.classes.size(), 3U);
  EXPECT_EQ(dataset.train.size(), 1517U);
  EXPECT_EQ(dataset.valid.size(), 349U);
  EXPECT_EQ(dataset.test.size(), 575U);
}

TEST(RealData, OfOsteosarcomaTilesReadsTheSameAsClassFolders) {
  const auto root = shared_folder() / "data" / "osteo3_tiles";
  PROBEDARTS_NEEDS(root);
  DatasetOptions options;
  options.layout = "folders";
  const Dataset folders = open_dataset(root, options);
  const Dataset csv = open_dataset(root);
  EXPECT_EQ(folders.classes, csv.classes);
  ASSERT_EQ(folders.train.size(), csv.train.size());
  for (std::size_t k = 0; k < csv.train.size(); ++k) {
    EXPECT_EQ(folders.train[k].file, csv.train[k].file);
    EXPECT_EQ(folders.train[k].label, csv.train[k].label);
  }
}

TEST(RealData, OfOsteosarcomaTilesKeepsBlocksButNotPatientsTogether) {
  const auto root = shared_folder() / "data" / "osteo3_tiles";
  PROBEDARTS_NEEDS(root);
  DatasetOptions options;
  options.group_column = "block";
  EXPECT_FALSE(open_dataset(root, options).train.at(0).group.empty());
  options.group_column = "patient";
  EXPECT_THAT(sentence_of([&] { open_dataset(root, options); }),
              ::testing::HasSubstr("; put all images of a group into one split"));
}

TEST(RealData, OfColonNucleiIsMultiLabel) {
  const auto root = shared_folder() / "data" / "crchisto_multilabel_68px";
  PROBEDARTS_NEEDS(root);
  const Dataset dataset = open_dataset(root);
  EXPECT_EQ(dataset.kind, LabelKind::kMulti);
  EXPECT_THAT(dataset.classes, ElementsAre("epithelial", "fibroblast", "inflammatory", "others"));
  EXPECT_EQ(dataset.train.size(), 1125U);
  EXPECT_EQ(dataset.valid.size(), 182U);
  EXPECT_EQ(dataset.test.size(), 328U);
}

TEST(RealData, OfCifarSubsetOpens) {
  const auto root = shared_folder() / "data" / "cifar10_subset_bin";
  PROBEDARTS_NEEDS(root);
  const Dataset dataset = open_dataset(root);
  EXPECT_EQ(dataset.layout, "cifar");
  EXPECT_EQ(dataset.classes.size(), 10U);
  EXPECT_EQ(dataset.train.size(), 5000U);
  EXPECT_EQ(dataset.test.size(), 2000U);
}

TEST(RealData, OfColonTexturesIsATestSplit) {
  const auto root = shared_folder() / "data" / "kather24_fixture";
  PROBEDARTS_NEEDS(root);
  const Dataset dataset = open_dataset(root);
  EXPECT_EQ(dataset.classes.size(), 8U);
  EXPECT_EQ(dataset.test.size(), 24U);
  EXPECT_TRUE(dataset.train.empty());
}

}  // namespace
}  // namespace probedarts::data
