#include "study/sheets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::study {
namespace {

/// Two images with a map of each of two networks; the second image's file is gone.
std::string facts(const testing::ScratchFolder& scratch) {
  std::string images;
  for (const std::string image : {"one", "gone"}) {
    std::string maps;
    for (const std::string network : {"a", "b"}) {
      maps += (maps.empty() ? "" : ",") + std::string("{\"network\":\"") + network +
              "\",\"class\":\"c\",\"probability\":0.5,\"speaks_for\":true,\"overlay\":\"" + image +
              "/" + network + ".png\"}";
      scratch.write(image + "/" + network + ".png");
    }
    images += (images.empty() ? "" : ",") + std::string("{\"image\":\"") +
              (scratch.path() / (image + ".png")).string() +
              "\",\"label\":[\"c\",\"d\"],\"maps\":[" + maps + "]}";
  }
  scratch.write("one.png");
  return "{\"networks\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"images\":[" + images + "]}";
}

const EmbedPicture kTenBytes = [](const std::filesystem::path& file) {
  return (file.parent_path().filename().string() + "/" + file.stem().string() + "..........")
      .substr(0, 10);
};

TEST(ReadSheet, PairsImagesWithTheMapsOfEachNetwork) {
  const testing::ScratchFolder scratch;
  scratch.write("explain.json", facts(scratch));
  std::size_t room = 1000;
  const Sheet sheet = read_sheet("t", scratch.path(), kTenBytes, room);
  EXPECT_THAT(sheet.networks, ::testing::ElementsAre("a", "b"));
  ASSERT_EQ(sheet.rows.size(), 2U);
  EXPECT_EQ(sheet.rows[0].label, "c, d");
  EXPECT_EQ(sheet.rows[0].picture.size(), 10U);
  EXPECT_EQ(sheet.rows[1].picture, "");
  EXPECT_EQ(sheet.rows[1].image, "gone.png");
  ASSERT_EQ(sheet.rows[1].maps.size(), 2U);
  EXPECT_EQ(sheet.rows[1].maps[1].picture, "gone/b....");
  EXPECT_EQ(room, 1000U - 5 * 10);
}

TEST(ReadSheet, CountsTheRowsThatThereIsNoRoomFor) {
  const testing::ScratchFolder scratch;
  scratch.write("explain.json", facts(scratch));
  std::size_t room = 15;  // the row that fills it is whole
  const Sheet sheet = read_sheet("t", scratch.path(), kTenBytes, room);
  EXPECT_EQ(sheet.rows.size(), 1U);
  EXPECT_EQ(sheet.rows_left_out, 1U);
  EXPECT_EQ(room, 0U);
}

TEST(ReadSheet, IsALinkAloneWithoutFactsOrSomebodyWhoEmbeds) {
  const testing::ScratchFolder scratch;
  std::size_t room = 1000;
  EXPECT_TRUE(read_sheet("t", scratch.path(), kTenBytes, room).rows.empty());
  scratch.write("explain.json", facts(scratch));
  EXPECT_TRUE(read_sheet("t", scratch.path(), nullptr, room).rows.empty());
}

TEST(ReadSheet, NamesTheFieldThatDoesNotFit) {
  const testing::ScratchFolder scratch;
  scratch.write("explain.json",
                "{\"networks\":[],\"images\":[{\"image\":\"i\",\"label\":null,\"maps\":[{"
                "\"network\":\"x\"}]}]}");
  std::size_t room = 1000;
  try {
    read_sheet("t", scratch.path(), kTenBytes, room);
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "run folder: '" + (scratch.path() / "explain.json").string() +
            "': 'images[0].maps[0].network' is none of 'networks'; restore the file or repeat "
            "the run");
  }
}

}  // namespace
}  // namespace probedarts::study
