#include <csignal>
#include <cstdlib>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "data/content_index.hpp"
#include "data/loader.hpp"
#include "support/file_size_limit.hpp"
#include "support/noise_dataset.hpp"
#include "support/rewrite_index.hpp"

namespace probedarts::data {
namespace {

using testing::cache_options;
using testing::FileSizeLimit;
using testing::noise_dataset;
using testing::rewrite_index;
using testing::ScratchFolder;
using testing::sentence_of;

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            const std::string& ending) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ending) {
      found.push_back(entry.path());
    }
  }
  return found;
}

std::filesystem::path patches_file(const ScratchFolder& folder) {
  const auto found = files_in(folder.path() / "cache", ".patches");
  return found.size() == 1 ? found[0] : std::filesystem::path("not exactly one cache file");
}

std::vector<std::uint8_t> pixels_of(const PatchCache& cache, Split split, std::size_t index) {
  const std::uint8_t* pixels = cache.pixels(split, index);
  return {pixels, pixels + 3 * cache.size_px() * cache.size_px()};
}

// Signals are remembered by the whole process, so what is stopped by one runs in a child.
[[noreturn]] void exit_with_signal_seen_by_open(const Dataset& dataset,
                                                const CacheOptions& options) {
  catch_interrupts();
  std::raise(SIGTERM);
  try {
    PatchCache::open(dataset, options);
  } catch (const Interrupted& stop) {
    const bool nothing_left = !std::filesystem::exists(options.folder);
    std::_Exit(nothing_left ? stop.signal() : 1);
  }
  std::_Exit(2);
}

TEST(PatchCacheDeathTest, StopsAtASignalAndLeavesNothing) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 5, 3, 2);
  EXPECT_EXIT(exit_with_signal_seen_by_open(dataset, cache_options(folder)),
              ::testing::ExitedWithCode(SIGTERM), "");
}

TEST(PatchCache, HoldsEverySampleDecodedAndResized) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 5, 3, 2);
  const PatchCache cache = PatchCache::open(dataset, cache_options(folder));
  ASSERT_EQ(cache.count(Split::kTrain), 5U);
  ASSERT_EQ(cache.count(Split::kValid), 3U);
  ASSERT_EQ(cache.count(Split::kTest), 2U);
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    for (std::size_t i = 0; i < cache.count(split); ++i) {
      const Sample& sample = dataset.of(split)[i];
      EXPECT_EQ(pixels_of(cache, split, i), resize_bicubic(read_image(sample.file), 16, 16).rgb);
      EXPECT_EQ(cache.label(split, i), sample.label);
      EXPECT_EQ(cache.group(split, i), sample.group);
    }
  }
  EXPECT_EQ(cache.classes(), dataset.classes);
  EXPECT_EQ(cache.kind(), LabelKind::kSingle);
  EXPECT_TRUE(cache.unreadable().empty());
}

TEST(PatchCache, LeavesOneCacheFileAndOneIndex) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 0, 0);
  PatchCache::open(dataset, cache_options(folder));
  PatchCache::open(dataset, cache_options(folder));
  const std::filesystem::directory_iterator all(folder.path() / "cache");
  EXPECT_EQ(std::distance(begin(all), end(all)), 2);
  EXPECT_EQ(files_in(folder.path() / "cache", ".patches").size(), 1U);
  EXPECT_EQ(files_in(folder.path() / "cache", ".contents").size(), 1U);
}

TEST(PatchCache, IsTheSameForAnyNumberOfThreads) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 9, 0, 0);
  CacheOptions options = cache_options(folder);
  std::vector<std::string> contents;
  for (const int threads : {1, 2, 5}) {
    options.threads = threads;
    options.folder = folder.path() / "cache";
    PatchCache::open(dataset, options);
    contents.push_back(read_file(patches_file(folder)));
    std::filesystem::remove_all(options.folder);
  }
  EXPECT_EQ(contents[0], contents[1]);
  EXPECT_EQ(contents[0], contents[2]);
}

TEST(PatchCache, FingerprintFollowsContentLabelsSplitsAndSize) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 2, 0);
  const auto fingerprint = [&](const Dataset& of, int size_px = 16) {
    return PatchCache::open(of, cache_options(folder, size_px)).fingerprint();
  };
  const std::string first = fingerprint(dataset);
  EXPECT_EQ(first.size(), 32U);
  EXPECT_EQ(fingerprint(dataset), first);
  EXPECT_NE(fingerprint(dataset, 17), first);
  Dataset relabelled = dataset;
  relabelled.train[0].label = 1 - relabelled.train[0].label;
  EXPECT_NE(fingerprint(relabelled), first);
  Dataset moved = dataset;
  moved.test.push_back(moved.valid.back());
  moved.valid.pop_back();
  EXPECT_NE(fingerprint(moved), first);
  write_png(dataset.train[2].file, testing::noise_image(20, 24, 99));
  EXPECT_NE(fingerprint(dataset), first);
}

TEST(PatchCache, FingerprintDoesNotDependOnWhereTheDataLie) {
  const ScratchFolder here;
  const ScratchFolder there;
  EXPECT_EQ(PatchCache::open(noise_dataset(here, 3, 1, 1), cache_options(here)).fingerprint(),
            PatchCache::open(noise_dataset(there, 3, 1, 1), cache_options(there)).fingerprint());
}

TEST(PatchCache, SeesAnImageReplacedByOneOfEqualSize) {
  const ScratchFolder folder;
  Dataset dataset = noise_dataset(folder, 2, 0, 0);
  const PatchCache before = PatchCache::open(dataset, cache_options(folder));
  const std::string other = read_file(dataset.train[1].file);
  const auto time = std::filesystem::last_write_time(dataset.train[0].file);
  std::string padded = other;
  padded.resize(read_file(dataset.train[0].file).size(), '\0');  // bytes behind IEND do no harm
  ASSERT_GE(padded.size(), other.size());
  folder.write("0.png", padded);
  std::filesystem::last_write_time(dataset.train[0].file, time);
  const PatchCache after = PatchCache::open(dataset, cache_options(folder));
  EXPECT_NE(before.fingerprint(), after.fingerprint());
  EXPECT_EQ(pixels_of(after, Split::kTrain, 0), pixels_of(before, Split::kTrain, 1));
}

TEST(PatchCache, MakesADamagedFileAnew) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 0, 0);
  PatchCache::open(dataset, cache_options(folder));
  const std::filesystem::path file = patches_file(folder);
  const std::string whole = read_file(file);
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{30}, std::size_t{4095}, std::size_t{5000}, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    write_file_atomically(file, damaged);
    PatchCache::open(dataset, cache_options(folder));
    EXPECT_EQ(read_file(file), whole) << "byte " << at;
  }
}

TEST(PatchCache, MakesATruncatedOrForeignFileAnew) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 0, 0);
  PatchCache::open(dataset, cache_options(folder));
  const std::filesystem::path file = patches_file(folder);
  const std::string whole = read_file(file);
  for (const std::string& content :
       {std::string(), std::string("foreign"), whole.substr(0, 4096), whole.substr(0, 6000),
        whole.substr(0, whole.size() - 1), whole + "x"}) {
    write_file_atomically(file, content);
    const PatchCache cache = PatchCache::open(dataset, cache_options(folder));
    EXPECT_EQ(read_file(file), whole) << content.size() << " bytes";
    EXPECT_EQ(cache.count(Split::kTrain), 4U);
  }
}

TEST(PatchCache, NamesTheFirstUnreadableImageForAnyNumberOfThreads) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 9, 0, 0);
  folder.write("3.png", "");
  folder.write("4.png", "not an image");
  for (const int threads : {1, 2, 4}) {
    CacheOptions options = cache_options(folder);
    options.threads = threads;
    EXPECT_EQ(sentence_of([&] { PatchCache::open(dataset, options); }),
              folder.text() +
                  "/3.png: the file is empty (0 bytes); replace or remove it, or skip "
                  "it with --skip-unreadable");
  }
  EXPECT_TRUE(files_in(folder.path() / "cache", ".patches").empty());
}

TEST(PatchCache, SkipsAndListsUnreadableImagesWhenAllowed) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 2, 0);
  folder.write("1.png", "");
  std::filesystem::remove(dataset.valid[1].file);
  CacheOptions options = cache_options(folder);
  options.skip_unreadable = true;
  for (int opening = 0; opening < 2; ++opening) {  // made, then read back
    const PatchCache cache = PatchCache::open(dataset, options);
    EXPECT_EQ(cache.unreadable(), (std::vector<std::string>{dataset.train[1].file.string(),
                                                            dataset.valid[1].file.string()}));
    ASSERT_EQ(cache.count(Split::kTrain), 3U);
    ASSERT_EQ(cache.count(Split::kValid), 1U);
    EXPECT_EQ(pixels_of(cache, Split::kTrain, 1),
              resize_bicubic(read_image(dataset.train[2].file), 16, 16).rgb);
    EXPECT_EQ(cache.label(Split::kTrain, 1), dataset.train[2].label);
  }
}

TEST(PatchCache, RefusesACacheMadeWithSkippingWhenSkippingIsOff) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 0, 0);
  folder.write("1.png", "");
  CacheOptions options = cache_options(folder);
  options.skip_unreadable = true;
  PatchCache::open(dataset, options);
  options.skip_unreadable = false;
  EXPECT_EQ(sentence_of([&] { PatchCache::open(dataset, options); }),
            folder.text() +
                "/1.png: the file is empty (0 bytes); replace or remove it, or skip it "
                "with --skip-unreadable");
}

TEST(PatchCache, RefusesASplitWithoutAnyReadableImage) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 2, 1, 0);
  folder.write("2.png", "");
  CacheOptions options = cache_options(folder);
  options.skip_unreadable = true;
  EXPECT_EQ(sentence_of([&] { PatchCache::open(dataset, options); }),
            folder.text() + ": none of the 1 valid images can be read; restore them");
}

TEST(PatchCache, NeedsAFolderItCanMake) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 2, 0, 0);
  folder.write("file", "x");
  CacheOptions options = cache_options(folder);
  options.folder = folder.path() / "file" / "cache";
  EXPECT_EQ(
      sentence_of([&] { PatchCache::open(dataset, options); }),
      "cannot make the folder '" + folder.text() + "/file/cache': Not a directory; check the path");
}

TEST(PatchCache, LeavesNothingWhenItsFileCannotBeWrittenToTheEnd) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 20, 0, 0);
  std::string sentence;
  {
    const FileSizeLimit limit(10000);
    sentence = sentence_of([&] { PatchCache::open(dataset, cache_options(folder)); });
  }
  const std::size_t name = sentence.find(".patches");
  ASSERT_NE(name, sentence.npos) << sentence;
  EXPECT_EQ(sentence.substr(0, name - 32), "cannot write '" + folder.text() + "/cache/");
  EXPECT_EQ(sentence.substr(name), ".patches': File too large; free some space");
  EXPECT_EQ(files_in(folder.path() / "cache", ".patches").size(), 0U);
  const std::filesystem::directory_iterator all(folder.path() / "cache");
  EXPECT_EQ(std::distance(begin(all), end(all)), 1);  // the index, which is whole
}

TEST(PatchCache, ReadsCifarRecords) {
  const ScratchFolder folder;
  std::string batch;
  for (int record = 0; record < 3; ++record) {
    batch += static_cast<char>(record);
    for (int i = 0; i < 3072; ++i) {
      batch += static_cast<char>((i / 1024) * 50 + record);  // planes of red, green and blue
    }
  }
  Dataset dataset;
  dataset.root = folder.path();
  dataset.layout = "cifar";
  dataset.classes = {"a", "b", "c"};
  dataset.cifar_label_bytes = 1;
  for (int record = 0; record < 3; ++record) {
    Sample sample;
    sample.file = folder.write("data_batch_1.bin", batch);
    sample.record = record;
    sample.label = record;
    dataset.train.push_back(sample);
  }
  const PatchCache cache = PatchCache::open(dataset, cache_options(folder, 32));
  const std::vector<std::uint8_t> pixels = pixels_of(cache, Split::kTrain, 2);
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    ASSERT_EQ(pixels[i], 2);
    ASSERT_EQ(pixels[i + 1], 52);
    ASSERT_EQ(pixels[i + 2], 102);
  }
}

TEST(PatchCache, MeasuresMeanAndSdOfAllPixels) {
  const ScratchFolder folder;
  Dataset dataset = noise_dataset(folder, 2, 0, 0);
  Image image{2, 2, std::vector<std::uint8_t>(12, 0)};
  write_png(dataset.train[0].file, image);
  for (std::size_t i = 0; i < 12; i += 3) {
    image.rgb[i] = 255;
    image.rgb[i + 1] = 51;
  }
  write_png(dataset.train[1].file, image);
  const PatchCache cache = PatchCache::open(dataset, cache_options(folder, 2));
  const Normalization measured = cache.measured_normalization(Split::kTrain);
  // Half of the pixels 0, half v: mean v/2, population sd v/2; a constant channel has sd 1 by
  // definition.
  EXPECT_NEAR(measured.mean[0], 0.5, 1e-15);
  EXPECT_NEAR(measured.sd[0], 0.5, 1e-15);
  EXPECT_NEAR(measured.mean[1], 0.1, 1e-15);
  EXPECT_NEAR(measured.sd[1], 0.1, 1e-15);
  EXPECT_EQ(measured.mean[2], 0.0);
  EXPECT_EQ(measured.sd[2], 1.0);
}

TEST(ContentIndex, SparesReadingAFileThatHasRested) {
  const ScratchFolder folder;
  const std::filesystem::path file = folder.write("a", "content");
  const std::filesystem::path index = folder.path() / "index";
  ContentIndex first(index);
  EXPECT_EQ(first.hashes_of({file}, 1), std::vector{content_hash("content")});
  first.save();
  // Pretend that the file was hashed an hour later, with another result.
  rewrite_index(index, [](nlohmann::json& entry) {
    entry[3] = entry[3].get<std::int64_t>() + 3'600'000'000'000;
    entry[4] = "remembered";
  });
  EXPECT_EQ(ContentIndex(index).hashes_of({file}, 1), std::vector<std::string>{"remembered"});
  folder.write("a", "CONTENT!");
  EXPECT_EQ(ContentIndex(index).hashes_of({file}, 1), std::vector{content_hash("CONTENT!")});
}

TEST(ContentIndex, DoesNotTrustAFileHashedRightAfterAChange) {
  const ScratchFolder folder;
  const std::filesystem::path file = folder.write("a", "content");
  const std::filesystem::path index = folder.path() / "index";
  ContentIndex first(index);
  first.hashes_of({file}, 1);
  first.save();
  rewrite_index(index, [](nlohmann::json& entry) {
    entry[3] = entry[2];  // hashed in the very moment of its last change
    entry[4] = "remembered";
  });
  EXPECT_EQ(ContentIndex(index).hashes_of({file}, 1), std::vector{content_hash("content")});
}

TEST(ContentIndex, IgnoresADamagedIndex) {
  const ScratchFolder folder;
  const std::filesystem::path file = folder.write("a", "content");
  for (const char* damage : {"", "\n", "probedarts contents 1 0\n[1]\n", "{\"a\": 1}"}) {
    const std::filesystem::path index = folder.write("index", damage);
    EXPECT_EQ(ContentIndex(index).hashes_of({file}, 1), std::vector{content_hash("content")});
  }
}

TEST(ContentIndex, GivesNoHashToAMissingFile) {
  const ScratchFolder folder;
  ContentIndex index(folder.path() / "index");
  EXPECT_EQ(index.hashes_of({folder.path() / "absent"}, 2), std::vector<std::string>{""});
}

}  // namespace
}  // namespace probedarts::data
