#include "data/synth.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "core/files.hpp"
#include "data/image.hpp"
#include "data/synth_field.hpp"
#include "support/file_size_limit.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::data {
namespace {

using testing::ScratchFolder;
using testing::sentence_of;

std::vector<std::vector<std::string>> rows_of(const std::filesystem::path& csv) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(read_file(csv));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) {
      rows.back().push_back(field);
    }
  }
  return rows;
}

using Colour = std::array<double, 3>;

Colour mean_colour(const Image& image) {
  Colour mean{};
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    mean[i % 3] += image.rgb[i];
  }
  for (double& channel : mean) {
    channel /= static_cast<double>(image.rgb.size()) / 3.0;
  }
  return mean;
}

double distance(const Colour& a, const Colour& b) {
  double sum = 0.0;
  for (std::size_t c = 0; c < 3; ++c) {
    sum += (a[c] - b[c]) * (a[c] - b[c]);
  }
  return sum;
}

TEST(SyntheticDataset, HasAtLeastFiveClassesWithDifferentNames) {
  std::set<std::string> names;
  for (int tissue = 0; tissue < synthetic_class_count(); ++tissue) {
    names.insert(synthetic_class_name(tissue));
  }
  EXPECT_GE(names.size(), 5U);
  EXPECT_EQ(names.size(), static_cast<std::size_t>(synthetic_class_count()));
}

TEST(SyntheticPatch, IsAFunctionOfItsArguments) {
  for (int tissue = 0; tissue < synthetic_class_count(); ++tissue) {
    const Image first = synthetic_patch(tissue, 40, 1, 2, 3);
    EXPECT_EQ(first.height, 40);
    EXPECT_EQ(first.width, 40);
    EXPECT_EQ(synthetic_patch(tissue, 40, 1, 2, 3).rgb, first.rgb);
    EXPECT_NE(synthetic_patch(tissue, 40, 2, 2, 3).rgb, first.rgb);
    EXPECT_NE(synthetic_patch(tissue, 40, 1, 3, 3).rgb, first.rgb);
    EXPECT_NE(synthetic_patch(tissue, 40, 1, 2, 4).rgb, first.rgb);
  }
}

TEST(SyntheticPatch, ShowsTheSameTissueAtAnySize) {
  // The larger patch, shrunk, is the smaller one but for the sampling of edges and the sensor's
  // noise.
  for (int tissue = 0; tissue < synthetic_class_count(); ++tissue) {
    const Colour small = mean_colour(synthetic_patch(tissue, 48, 1, 5));
    const Colour large = mean_colour(synthetic_patch(tissue, 144, 1, 5));
    EXPECT_LT(distance(small, large), 3.0 * 3.0) << synthetic_class_name(tissue);
  }
}

TEST(SyntheticPatch, CannotBeToldByItsMeanColour) {
  // Nearest centroid on mean RGB, trained on 140 patches and tested on 140 of other patients.
  const int classes = synthetic_class_count();
  std::vector<Colour> centroids(static_cast<std::size_t>(classes));
  constexpr std::uint64_t kEach = 20;
  for (int tissue = 0; tissue < classes; ++tissue) {
    for (std::uint64_t i = 0; i < kEach; ++i) {
      const Colour mean = mean_colour(synthetic_patch(tissue, 32, 1, i, i / 2));
      for (std::size_t c = 0; c < 3; ++c) {
        centroids[static_cast<std::size_t>(tissue)][c] += mean[c] / kEach;
      }
    }
  }
  int right = 0;
  for (int tissue = 0; tissue < classes; ++tissue) {
    for (std::uint64_t i = kEach; i < 2 * kEach; ++i) {
      const Colour mean = mean_colour(synthetic_patch(tissue, 32, 1, i, i / 2));
      const auto nearest = std::min_element(
          centroids.begin(), centroids.end(),
          [&](const Colour& a, const Colour& b) { return distance(a, mean) < distance(b, mean); });
      right += nearest - centroids.begin() == tissue ? 1 : 0;
    }
  }
  const double share = static_cast<double>(right) / (classes * static_cast<double>(kEach));
  RecordProperty("nearest_centroid_accuracy", std::to_string(share));
  EXPECT_LT(share, 0.70);
}

TEST(SyntheticPatch, HasPixelsThatAreTheSameOnEveryMachine) {
  // Stored number: made by this test at the commit that added it (GCC 12, x86-64), XXH3-128 of all
  // classes' pixels.
  std::string pixels;
  for (int tissue = 0; tissue < synthetic_class_count(); ++tissue) {
    const Image image = synthetic_patch(tissue, 33, 11, 4, 2);
    pixels.append(image.rgb.begin(), image.rgb.end());
  }
  EXPECT_EQ(content_hash(pixels), "9f4e65e5520d3e9c45ea4a84912a89a7");
}

TEST(SyntheticMixture, LabelsOneToThreeTissues) {
  std::map<int, int> images_with;
  std::vector<int> positives(static_cast<std::size_t>(synthetic_class_count()), 0);
  for (std::uint64_t index = 0; index < 120; ++index) {
    const SyntheticMixture mixture = synthetic_mixture(16, 1, index, index / 10);
    ASSERT_EQ(mixture.labels.size(), positives.size());
    int present = 0;
    for (std::size_t c = 0; c < positives.size(); ++c) {
      present += mixture.labels[c];
      positives[c] += mixture.labels[c];
    }
    ++images_with[present];
  }
  EXPECT_EQ(images_with[0], 0);
  EXPECT_GT(images_with[1], 0);
  EXPECT_GT(images_with[2], 0);
  EXPECT_GT(images_with[3], 0);
  EXPECT_EQ(images_with.size(), 4U);  // the keys 0..3
  for (const int count : positives) {
    EXPECT_GT(count, 0);
  }
}

TEST(SyntheticMixture, IsAFunctionOfItsArguments) {
  EXPECT_EQ(synthetic_mixture(24, 1, 2, 3).image.rgb, synthetic_mixture(24, 1, 2, 3).image.rgb);
  EXPECT_NE(synthetic_mixture(24, 1, 2, 3).image.rgb, synthetic_mixture(24, 1, 3, 3).image.rgb);
}

TEST(WriteSyntheticDataset, WritesWhatLabelsCsvLists) {
  const ScratchFolder folder;
  SynthOptions options{16, 35, 14, 7, false, 3};
  write_synthetic_dataset(folder.path() / "set", options);
  const auto rows = rows_of(folder.path() / "set" / "labels.csv");
  ASSERT_EQ(rows.size(), 1U + 35 + 14 + 7);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"file", "split", "label", "group"}));
  std::map<std::string, int> of_split, of_class;
  std::map<std::string, std::set<std::string>> splits_of_group;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(read_image(folder.path() / "set" / rows[i][0]).width, 16);
    ++of_split[rows[i][1]];
    ++of_class[rows[i][2]];
    splits_of_group[rows[i][3]].insert(rows[i][1]);
  }
  EXPECT_EQ(of_split, (std::map<std::string, int>{{"train", 35}, {"valid", 14}, {"test", 7}}));
  EXPECT_EQ(of_class.size(), static_cast<std::size_t>(synthetic_class_count()));
  for (const auto& [name, count] : of_class) {
    EXPECT_EQ(count, 8) << name;
  }
  for (const auto& [group, splits] : splits_of_group) {
    EXPECT_EQ(splits.size(), 1U) << group;
  }
}

TEST(WriteSyntheticDataset, WritesOneColumnForEachClassOfAMultiLabelSet) {
  const ScratchFolder folder;
  SynthOptions options{16, 12, 4, 4, true, 3};
  write_synthetic_dataset(folder.path() / "set", options);
  const auto rows = rows_of(folder.path() / "set" / "labels.csv");
  ASSERT_EQ(rows.size(), 21U);
  ASSERT_EQ(rows[0].size(), 3U + static_cast<std::size_t>(synthetic_class_count()));
  EXPECT_EQ(rows[0][2], synthetic_class_name(0));
  EXPECT_EQ(rows[0].back(), "group");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i].size(), rows[0].size());
    for (std::size_t c = 2; c + 1 < rows[i].size(); ++c) {
      EXPECT_TRUE(rows[i][c] == "0" || rows[i][c] == "1") << rows[i][c];
    }
  }
}

TEST(WriteSyntheticDataset, GivesEqualBytesForEqualOptions) {
  const ScratchFolder folder;
  const SynthOptions options{16, 8, 0, 0, false, 3};
  write_synthetic_dataset(folder.path() / "a", options);
  write_synthetic_dataset(folder.path() / "b", options);
  for (const auto& row : rows_of(folder.path() / "a" / "labels.csv")) {
    if (row[0] != "file") {
      EXPECT_EQ(read_file(folder.path() / "a" / row[0]), read_file(folder.path() / "b" / row[0]));
    }
  }
}

TEST(WriteSyntheticDataset, RefusesAFolderThatIsNotEmpty) {
  const ScratchFolder folder;
  folder.write("set/precious", "data");
  EXPECT_EQ(
      sentence_of([&] { write_synthetic_dataset(folder.path() / "set", {}); }),
      folder.text() + "/set: exists and is not an empty folder; choose another one or remove it");
  EXPECT_EQ(read_file(folder.path() / "set" / "precious"), "data");
}

TEST(WriteSyntheticDataset, LeavesNothingWhenAnImageCannotBeWritten) {
  const ScratchFolder folder;
  std::string sentence;
  {
    const testing::FileSizeLimit limit(2000);
    sentence = sentence_of([&] {
      write_synthetic_dataset(folder.path() / "set", {64, 3, 0, 0, false, 1});
    });
  }
  // Written under another name until it is whole.
  EXPECT_EQ(std::regex_replace(sentence, std::regex(R"(\.set\.\w{6})"), ".set.XXXXXX"),
            "cannot write '" + folder.text() +
                "/.set.XXXXXX/images/train/000000.png': File too large; free some space");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(WriteSyntheticDataset, RefusesOptionsThatMakeNoDataSet) {
  const ScratchFolder folder;
  EXPECT_EQ(sentence_of([&] {
              write_synthetic_dataset(folder.path() / "set", {4, 8, 0, 0, false, 1});
            }),
            "synthetic data set: a patch of 4 px is not in 8..4096; choose another size");
  EXPECT_EQ(sentence_of([&] {
              write_synthetic_dataset(folder.path() / "set", {64, 0, 0, 0, false, 1});
            }),
            "synthetic data set: 0 train images make no split; ask for at least 1");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "set"));
}

TEST(ExpMinus, AgreesWithExp) {
  for (double x = 0.0; x <= 8.0; x += 0.37) {
    EXPECT_NEAR(exp_minus(x) / std::exp(-x), 1.0, 1e-6) << x;  // truncation after the fourth power
  }
}

TEST(DirectionAt, IsAUnitVectorThatTurnsOnce) {
  Vec2 before = direction_at(0.0);
  EXPECT_EQ(before.x, 1.0);
  for (int i = 1; i < 64; ++i) {
    const Vec2 now = direction_at(i / 64.0);
    EXPECT_NEAR(length_of(now), 1.0, 1e-12);
    EXPECT_GT(before.x * now.y - before.y * now.x, 0.0) << "turns on at step " << i;
    before = now;
  }
}

}  // namespace
}  // namespace probedarts::data
