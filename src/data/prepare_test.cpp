#include "data/prepare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "data/csv.hpp"
#include "data/dataset.hpp"
#include "data/image.hpp"
#include "support/scratch_folder.hpp"
#include "support/shared_files.hpp"

namespace probedarts::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ScratchFolder;
using testing::sentence_of;

/// A picture whose pixel tells its place: red is the column, blue the row, green as given.
Image placed(int height, int width, std::uint8_t green = 100) {
  Image image{height, width, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.insert(image.rgb.end(),
                       {static_cast<std::uint8_t>(x), green, static_cast<std::uint8_t>(y)});
    }
  }
  return image;
}

Image grey(int height, int width, std::uint8_t value) {
  const auto count = 3 * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  return {height, width, std::vector<std::uint8_t>(count, value)};
}

void paint(Image& image, int x0, int x1, std::uint8_t value) {
  for (int y = 0; y < image.height; ++y) {
    for (int x = 3 * x0; x < 3 * x1; ++x) {
      image.rgb[static_cast<std::size_t>(3 * y * image.width + x)] = value;
    }
  }
}

class Prepare : public ::testing::Test {
 protected:
  Prepare() {
    options.source = scratch.path() / "in";
    options.tile_px = 16;
    options.valid_share = options.test_share = 0.0;
    options.threads = 1;
  }

  void image(const std::string& name, const Image& picture) const {
    const fs::path file = options.source / name;
    fs::create_directories(file.parent_path());
    write_png(file, picture);
  }

  PrepareReport run(const std::string& out = "out") const {
    return prepare_dataset(options, scratch.path() / out);
  }

  std::string refusal() const {
    const std::string sentence = sentence_of([&] { run(); });
    EXPECT_FALSE(fs::exists(scratch.path() / "out"));
    for (const auto& entry : fs::directory_iterator(scratch.path())) {
      EXPECT_FALSE(entry.path().filename().string().starts_with(".out")) << entry.path();
    }
    return sentence;
  }

  fs::path out(const std::string& name) const { return scratch.path() / "out" / name; }
  std::string labels() const { return read_file(out("labels.csv")); }

  ScratchFolder scratch;
  PrepareOptions options;
};

/// A microscopy image of BACH's size as TIFF; red tells the column and blue the row, by eights.
void write_bach_tiff(const fs::path& file) {
  cv::Mat bgr(1536, 2048, CV_8UC3);
  for (int y = 0; y < bgr.rows; ++y) {
    for (int x = 0; x < bgr.cols; ++x) {
      bgr.at<cv::Vec3b>(y, x) =
          cv::Vec3b(static_cast<std::uint8_t>(y / 8), 90, static_cast<std::uint8_t>(x / 8));
    }
  }
  std::vector<std::uint8_t> bytes;
  ASSERT_TRUE(cv::imencode(".tiff", bgr, bytes));
  fs::create_directories(file.parent_path());
  write_file_atomically(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

TEST_F(Prepare, CutsBachAtAResolutionInMicrometres) {
  for (const char* name : {"Benign", "InSitu", "Invasive", "Normal"}) {
    write_bach_tiff(options.source / name / (std::string(name) + "1.tif"));
  }
  options.release = "bach";
  options.tile_px = 272;
  options.mpp_um = 1.0;  // of 0.42: a tile covers 647.6 px of 2048 x 1536, three by two times
  const PrepareReport report = run();
  EXPECT_EQ(report.classes, (std::vector<std::string>{"Benign", "InSitu", "Invasive", "Normal"}));
  EXPECT_EQ(report.train.sources, 4U);
  EXPECT_EQ(report.train.tiles, 4U * 3 * 2);
  EXPECT_EQ(open_dataset(scratch.path() / "out").train.size(), 24U);

  options.mpp_um = 0.5;  // 323.8 px, six by four times
  EXPECT_EQ(run("finer").train.tiles, 4U * 6 * 4);
  const Dataset finer = open_dataset(scratch.path() / "finer");
  const Image last = read_image(finer.train.back().file);
  EXPECT_EQ(last.width, 272);
  // The sixth tile of the fourth row has its middle at 5.5 and 3.5 times 323.8 px.
  EXPECT_NEAR(last.at(136, 136)[0], 5.5 * 272 / 0.84 / 8, 1.0);
  EXPECT_NEAR(last.at(136, 136)[2], 3.5 * 272 / 0.84 / 8, 1.0);
}

TEST_F(Prepare, CutsClassFoldersIntoTilesThatCanBeOpened) {
  image("tumor/a.png", placed(40, 50));
  image("stroma/b.png", placed(16, 32));
  const PrepareReport report = run();
  EXPECT_EQ(report.train.tiles, 6U + 2U);
  EXPECT_THAT(report.classes, ::testing::ElementsAre("stroma", "tumor"));
  const Dataset dataset = open_dataset(scratch.path() / "out");
  EXPECT_EQ(dataset.layout, "labels.csv");
  ASSERT_EQ(dataset.train.size(), 8U);
  EXPECT_EQ(dataset.train[0].group, "stroma/b");
  EXPECT_THAT(
      labels(),
      ::testing::StartsWith(
          "file,split,label,group,source,x0,y0\n"
          "tiles/train/stroma__b_x00000_y00000.png,train,stroma,stroma/b,stroma/b.png,0,0\n"
          "tiles/train/stroma__b_x00016_y00000.png,train,stroma,stroma/b,stroma/b.png,16,0\n"));
}

TEST_F(Prepare, KeepsThePixelsOfTheirPlace) {
  image("tumor/a.png", placed(48, 48));
  image("stroma/b.png", placed(16, 16));
  run();
  const Image tile = read_image(out("tiles/train/tumor__a_x00032_y00016.png"));
  EXPECT_EQ(tile.at(0, 0)[0], 32);
  EXPECT_EQ(tile.at(0, 0)[2], 16);
  EXPECT_EQ(tile.at(15, 15)[0], 47);
  EXPECT_EQ(tile.at(15, 15)[2], 31);
}

TEST_F(Prepare, OverlapsTilesByTheStride) {
  image("tumor/a.png", placed(16, 40));
  image("stroma/b.png", placed(16, 16));
  options.stride_px = 8;
  EXPECT_EQ(run().train.tiles, 4U + 1U);  // at 0, 8, 16, 24
}

TEST_F(Prepare, ShrinksBeforeItCounts) {
  image("tumor/a.png", placed(64, 100));
  image("stroma/b.png", placed(32, 32));
  options.downsample = 2.0;
  EXPECT_EQ(run().train.tiles, 2U * 3U + 1U);
  const Image tile = read_image(out("tiles/train/tumor__a_x00064_y00032.png"));
  EXPECT_EQ(tile.width, 16);
  // Away from the border the bicubic mean of the columns 64 + 2x and 65 + 2x is 64.5 + 2x.
  EXPECT_NEAR(tile.at(8, 8)[0], 80.5, 1.0);
}

TEST_F(Prepare, TakesTheResolutionOfTheRelease) {
  options.release = "bach";
  options.mpp_um = 0.84;
  image("Benign/b001.png", placed(32, 64));
  image("InSitu/is001.png", placed(32, 32));
  EXPECT_EQ(run().train.tiles, 2U + 1U);
  const json settings = json::parse(read_file(out("manifest.json"))).at("settings");
  EXPECT_DOUBLE_EQ(settings.at("source_px_per_tile_px").get<double>(), 2.0);
}

TEST_F(Prepare, LeavesGlassOut) {
  Image half = grey(16, 64, 245);
  paint(half, 0, 20, 120);  // the second tile has 4 of 16 columns of tissue: 25 %
  image("tumor/a.png", half);
  image("stroma/b.png", placed(16, 16));
  const PrepareReport report = run();
  EXPECT_EQ(report.train.tiles, 1U + 1U);
  EXPECT_EQ(report.train.glass, 3U);
  options.min_tissue = 0.25;
  EXPECT_EQ(run("again").train.glass, 2U);
}

TEST_F(Prepare, SplitsByImageWithEveryClassInEverySplit) {
  for (int i = 0; i < 10; ++i) {
    image("a/" + std::to_string(i) + ".png", placed(32, 32, 90));
    image("b/" + std::to_string(i) + ".png", placed(32, 32, 80));
  }
  options.valid_share = 0.2;
  options.test_share = 0.3;
  const PrepareReport report = run();
  EXPECT_EQ(report.train.sources, 10U);
  EXPECT_EQ(report.valid.sources, 4U);
  EXPECT_EQ(report.test.sources, 6U);
  const Dataset dataset = open_dataset(scratch.path() / "out");  // refuses a group in two splits
  EXPECT_EQ(dataset.valid.size(), 16U);
  EXPECT_EQ(std::count_if(dataset.test.begin(), dataset.test.end(),
                          [](const Sample& sample) { return sample.label == 0; }),
            12);
}

TEST_F(Prepare, ReadsLabelsSplitsAndGroupsFromASheet) {
  image("x/1.png", placed(16, 16));
  image("x/2.png", placed(16, 16, 90));
  image("y/3.png", placed(16, 16, 80));
  options.sheet = scratch.write("in/sheet.csv",
                                "image,class,set,patient\n1.png,tumor,train,p1\nx/2.png,\"other, "
                                "mixed\",train,p2\n3.png,tumor,test,p3\n");
  options.file_column = "image";
  options.label_column = "class";
  options.split_column = "set";
  options.group_column = "patient";
  const PrepareReport report = run();
  EXPECT_EQ(report.train.tiles, 2U);
  EXPECT_EQ(report.test.tiles, 1U);
  const Dataset dataset = open_dataset(scratch.path() / "out");
  EXPECT_THAT(dataset.classes, ::testing::ElementsAre("other, mixed", "tumor"));
  EXPECT_EQ(dataset.test[0].group, "p3");
}

TEST_F(Prepare, GivesTheSameBytesWithAnyNumberOfThreads) {
  for (int i = 0; i < 6; ++i) {
    image("a/" + std::to_string(i) + ".png", placed(40, 40, 90));
    image("b/" + std::to_string(i) + ".png", placed(40, 40, 80));
  }
  options.valid_share = 0.3;
  run();
  options.threads = 4;
  run("again");
  for (const auto& entry : fs::recursive_directory_iterator(scratch.path() / "out")) {
    if (entry.is_regular_file()) {
      const fs::path name = entry.path().lexically_relative(scratch.path() / "out");
      EXPECT_EQ(read_file(entry.path()), read_file(scratch.path() / "again" / name)) << name;
    }
  }
}

TEST_F(Prepare, NamesPlaceAndContentOfEveryTileInTheManifest) {
  image("tumor/a.png", placed(16, 32));
  image("stroma/b.png", placed(16, 16));
  run();
  const json manifest = json::parse(read_file(out("manifest.json")));
  const json& source = manifest.at("sources").at(1);
  EXPECT_EQ(source.at("source"), "tumor/a.png");
  EXPECT_EQ(source.at("hash"), content_hash(read_file(options.source / "tumor/a.png")));
  EXPECT_EQ(source.at("tiles").at(1).at("x0"), 16);
  EXPECT_EQ(source.at("tiles").at(1).at("file"), "tiles/train/tumor__a_x00016_y00000.png");
}

TEST_F(Prepare, TakesImagesWithoutAnyClass) {
  image("1.png", placed(16, 32));
  EXPECT_EQ(run().train.tiles, 2U);
  EXPECT_NE(labels().find(",unlabelled,1,1.png,"), std::string::npos);
}

TEST_F(Prepare, ListsImagesSmallerThanATile) {
  image("a/1.png", placed(16, 16));
  image("a/2.png", placed(15, 40));
  image("b/1.png", placed(16, 16));
  EXPECT_THAT(run().too_small, ::testing::ElementsAre("a/2.png"));
}

/// Masks: codes 1 (tumor), 2 (stroma), 0 (outside), 9 (fat).
class PrepareMasks : public Prepare {
 protected:
  PrepareMasks() { options.release = "bcss"; }

  void region(const std::string& name, const Image& mask) const {
    image("images/" + name, placed(mask.height, mask.width));
    image("masks/" + name, mask);
  }
};

TEST_F(PrepareMasks, GivesATileEveryClassThatCoversItsShare) {
  Image mask = grey(16, 48, 1);
  paint(mask, 15, 16, 2);  // 1 of 16 columns of the first tile: 6.25 %
  paint(mask, 24, 48, 2);  // half of the second tile, all of the third
  region("TCGA-A1-A0SK-DX1_xmin1.png", mask);
  const PrepareReport report = run();
  EXPECT_THAT(report.classes, ::testing::ElementsAre("tumor", "stroma"));
  EXPECT_EQ(report.classes_left_out.size(), 17U);
  const CsvTable table = read_csv_table(out("labels.csv"));
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_THAT(table.rows[0].fields, ::testing::Contains("TCGA-A1-A0SK"));
  const Dataset dataset = open_dataset(scratch.path() / "out");
  EXPECT_EQ(dataset.kind, LabelKind::kMulti);
  EXPECT_THAT(dataset.train[0].labels, ::testing::ElementsAre(1, 1));
  EXPECT_THAT(dataset.train[1].labels, ::testing::ElementsAre(1, 1));
  EXPECT_THAT(dataset.train[2].labels, ::testing::ElementsAre(0, 1));
  options.min_share = 0.07;
  run("stricter");
  EXPECT_THAT(open_dataset(scratch.path() / "stricter").train[0].labels,
              ::testing::ElementsAre(1, 0));
}

TEST_F(PrepareMasks, LeavesOutWhatLiesOutsideTheClasses) {
  Image mask = grey(16, 48, 0);
  paint(mask, 0, 24, 1);  // all of the first tile, half of the second
  region("a.png", mask);
  EXPECT_EQ(run().train.unlabelled, 1U);
  options.min_labelled = 0.6;
  EXPECT_EQ(run("stricter").train.unlabelled, 2U);
}

TEST_F(PrepareMasks, KeepsAPatientInOneSplit) {
  for (int i = 0; i < 12; ++i) {
    Image mask = grey(16, 16, 1);
    paint(mask, 8, 16, 2);
    region("TCGA-A1-000" + std::to_string(i / 3) + "-DX1_" + std::to_string(i) + ".png", mask);
  }
  options.test_share = 0.25;
  const PrepareReport report = run();
  EXPECT_EQ(report.test.sources, 3U);
  EXPECT_EQ(open_dataset(scratch.path() / "out").test[0].group.size(), 12U);
}

TEST_F(PrepareMasks, RefusesAMaskOfAnotherSize) {
  image("images/a.png", placed(16, 16));
  image("masks/a.png", grey(16, 17, 1));
  EXPECT_EQ(refusal(), (options.source / "masks/a.png").string() +
                           ": the mask has 17 x 16 pixels and its image 16 x 16; give masks of the "
                           "images' size");
}

TEST_F(PrepareMasks, RefusesAColouredMask) {
  image("images/a.png", placed(16, 16));
  image("masks/a.png", placed(16, 16));
  EXPECT_EQ(refusal(), (options.source / "masks/a.png").string() +
                           ": the mask is coloured; give an 8-bit grey PNG whose values are codes "
                           "of classes");
}

TEST_F(PrepareMasks, RefusesACodeThatIsNoClass) {
  region("a.png", grey(16, 16, 77));
  EXPECT_EQ(refusal(), (options.source / "masks/a.png").string() +
                           ": the mask holds code 77, which is no class of the release; give its "
                           "masks as they came, with codes 0 to 21");
}

TEST_F(PrepareMasks, RefusesAnImageWithoutAMask) {
  region("a.png", grey(16, 16, 1));
  image("images/b.png", placed(16, 16));
  EXPECT_EQ(refusal(), (options.source / "images/b.png").string() + ": its mask " +
                           (options.source / "masks/b.png").string() +
                           " is not there; add it or remove the image");
}

TEST_F(PrepareMasks, RefusesAReleaseWithoutTheirFolder) {
  image("images/a.png", placed(16, 16));
  EXPECT_EQ(refusal(), options.source.string() +
                           ": there is no folder 'masks'; put the masks of the images into it");
}

TEST_F(Prepare, RefusesAnUnknownRelease) {
  options.release = "camelyon";
  EXPECT_EQ(refusal(),
            "--release: 'camelyon' is unknown; use one of bach, osteosarcoma, bcss, images");
}

TEST_F(Prepare, RefusesAFolderThatIsNotThere) {
  EXPECT_EQ(refusal(),
            options.source.string() + ": there is no such folder; give the folder of the release");
}

TEST_F(Prepare, RefusesWhatIsOutOfRange) {
  image("a/1.png", placed(16, 16));
  options.tile_px = 4;
  EXPECT_EQ(refusal(), "--tile: 4 is out of range; use 8 to 4096");
  options.tile_px = 16;
  options.min_tissue = 1.5;
  EXPECT_EQ(refusal(), "--min-tissue: 1.5 is out of range; use 0 to 1");
}

TEST_F(Prepare, AsksForAResolutionThatNobodyKnows) {
  image("a/1.png", placed(16, 16));
  options.release = "osteosarcoma";
  options.mpp_um = 2.0;
  EXPECT_EQ(refusal(),
            "--mpp: the resolution of release 'osteosarcoma' is not known; give the micrometres "
            "per pixel of its images with --source-mpp, or use --downsample");
  options.downsample = 2.0;
  EXPECT_EQ(refusal(), "--mpp goes without --downsample; give one of them");
}

TEST_F(Prepare, RefusesAReleaseOfGlass) {
  image("a/1.png", grey(16, 16, 245));
  image("b/1.png", grey(8, 8, 100));
  EXPECT_EQ(refusal(),
            "data prepare: no tile of 16 px is left of 2 images (1 too small, 1 tiles of glass, 0 "
            "outside the classes); lower --tile, --downsample, --min-tissue or --min-labelled");
}

TEST_F(Prepare, RefusesAClassOfGlass) {
  image("a/1.png", grey(16, 16, 245));
  image("b/1.png", grey(16, 16, 100));
  EXPECT_EQ(refusal(),
            "data prepare: class 'a' has no tile for training; lower --min-tissue or --tile, or "
            "move images of it into the train split");
}

TEST_F(Prepare, RefusesADamagedImage) {
  image("a/1.png", placed(16, 16));
  scratch.write("in/b/1.png", "no image");
  EXPECT_EQ(refusal(), (options.source / "b/1.png").string() +
                           ": not a PNG, JPEG or TIFF file; convert, replace or remove it");
}

TEST_F(Prepare, RefusesASheetThatDoesNotFit) {
  image("1.png", placed(16, 16));
  const std::string sheet = scratch.text() + "/in/s.csv";
  options.sheet = sheet;
  const auto with = [&](const std::string& text) {
    scratch.write("in/s.csv", text);
    return refusal();
  };
  EXPECT_EQ(with("name,label\n1.png,a\n"),
            sheet + ": column 'file' is missing among name, label; add it or rename one");
  EXPECT_EQ(with("file,label\n2.png,a\n"),
            sheet + ": line 2: image '2.png' is not there; correct the name or remove the line");
  EXPECT_EQ(with("file,label\n1.png,a\n1.png,b\n"),
            sheet + ": line 3: image '1.png' is listed already in line 2; keep one of the two");
  EXPECT_EQ(with("file,label\n1.png,\n"),
            sheet + ": line 2: the label is empty; name the class of the image");
  EXPECT_EQ(with("file,split,label\n1.png,dev,a\n"),
            sheet + ": line 2: split 'dev' is unknown; use train, valid or test");
}

TEST_F(Prepare, RefusesAGroupInTwoSplits) {
  image("1.png", placed(16, 16));
  image("2.png", placed(16, 16));
  options.sheet =
      scratch.write("in/s.csv", "file,split,label,group\n1.png,train,a,p\n2.png,test,a,p\n");
  EXPECT_EQ(refusal(),
            "data prepare: group 'p' is in split train with 1.png and in split test with 2.png; "
            "choose another --group-column, or put all images of a group into one split");
}

TEST(TissueShare, CountsPixelsThatTakeLight) {
  Image image = grey(1, 4, 240);
  image.rgb[1] = 209;  // green of the first pixel
  EXPECT_DOUBLE_EQ(tissue_share(image), 0.25);
}

TEST(Crop, RefusesWhatLiesOutside) { EXPECT_THROW(crop(grey(4, 4, 0), 2, 0, 3), Bug); }

TEST(PrepareOsteosarcoma, CutsTheOriginalsByBlock) {
  const fs::path source = testing::shared_folder() / "data/osteo3_tiles";
  PROBEDARTS_NEEDS(source / "originals.csv");
  const ScratchFolder scratch;
  PrepareOptions options;
  options.release = "osteosarcoma";
  options.source = source;
  options.sheet = source / "originals.csv";
  options.group_column = "block";
  options.tile_px = 272;
  options.downsample = 2.0;
  const PrepareReport report = prepare_dataset(options, scratch.path() / "out");
  EXPECT_EQ(report.train.sources + report.valid.sources + report.test.sources, 60U);
  // One tile of 544 px fits into 1024.
  EXPECT_EQ(report.train.tiles + report.train.glass + report.valid.tiles + report.valid.glass +
                report.test.tiles + report.test.glass,
            60U);
  const Dataset dataset = open_dataset(scratch.path() / "out");
  EXPECT_THAT(dataset.classes,
              ::testing::ElementsAre("necrotic_tumor", "non_tumor", "viable_tumor"));
}

}  // namespace
}  // namespace probedarts::data
