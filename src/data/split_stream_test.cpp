#include "data/split_stream.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "data/content_index.hpp"
#include "data/image.hpp"
#include "support/noise_dataset.hpp"
#include "support/rewrite_index.hpp"

namespace probedarts::data {
namespace {

using testing::cache_options;
using testing::noise_dataset;
using testing::noise_image;
using testing::rewrite_index;
using testing::ScratchFolder;
using testing::sentence_of;

StreamOptions batches_of(std::size_t batch) {
  StreamOptions options;
  options.batch = batch;
  options.normalization = {{0.8, 0.6, 0.7}, {0.2, 0.3, 0.1}};
  return options;
}

/// All batches of a stream.
std::vector<Batch> all_of(SplitStream& stream) {
  std::vector<Batch> batches;
  while (auto batch = stream.next()) {
    batches.push_back(*batch);  // copied: its memory is filled again
  }
  return batches;
}

/// All batches that a loader serves in order from the cache, which is made.
std::vector<Batch> through_the_cache(const Dataset& dataset, Split split,
                                     const CacheOptions& cached, const StreamOptions& options) {
  const PatchCache cache = PatchCache::open(dataset, cached);
  LoaderOptions loading;
  loading.batch = options.batch;
  loading.shuffle = false;
  loading.normalization = options.normalization;
  std::vector<std::size_t> indices(cache.count(split));
  for (std::size_t i = 0; i < indices.size(); ++i) {
    indices[i] = i;
  }
  Loader loader(cache, split, indices, loading);
  loader.start_epoch(0);
  std::vector<Batch> batches;
  while (auto batch = loader.next()) {
    for (std::size_t& index : batch->indices) {
      index = cache.place(split, index);
    }
    batches.push_back(*batch);  // copied: its memory is filled again
  }
  return batches;
}

void expect_equal(const std::vector<Batch>& found, const std::vector<Batch>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t b = 0; b < found.size(); ++b) {
    EXPECT_EQ(found[b].count, expected[b].count);
    EXPECT_EQ(found[b].indices, expected[b].indices);
    EXPECT_EQ(found[b].images, expected[b].images);  // bit for bit
    EXPECT_EQ(found[b].size_px, expected[b].size_px);
  }
}

std::filesystem::path index_file(const ScratchFolder& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "cache")) {
    if (entry.path().extension() == ".contents") {
      return entry.path();
    }
  }
  return "no index";
}

bool has_files(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder) && !std::filesystem::is_empty(folder);
}

TEST(SplitStream, ServesTheBitsOfTheCacheWithoutMakingOne) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 3, 11);
  for (const int ahead : {0, 1, 3}) {
    StreamOptions options = batches_of(4);
    options.ahead = ahead;
    SplitStream stream(dataset, Split::kTest, cache_options(folder), options);
    const std::vector<Batch> streamed = all_of(stream);
    EXPECT_FALSE(has_files(folder.path() / "cache"));
    CacheOptions elsewhere = cache_options(folder);
    elsewhere.folder = folder.path() / "other cache";
    expect_equal(streamed, through_the_cache(dataset, Split::kTest, elsewhere, options));
    EXPECT_TRUE(stream.unreadable().empty());
  }
}

TEST(SplitStream, ReadsNoOtherSplit) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 0, 3);
  std::filesystem::remove(dataset.train[1].file);
  SplitStream stream(dataset, Split::kTest, cache_options(folder), batches_of(2));
  EXPECT_EQ(all_of(stream).size(), 2U);
}

TEST(SplitStream, TakesTheCacheThatIsThere) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 2, 0, 5);
  const CacheOptions cached = cache_options(folder);
  const auto expected = through_the_cache(dataset, Split::kTest, cached, batches_of(2));
  write_png(dataset.test[1].file, noise_image(20, 24, 99));
  SplitStream decoded(dataset, Split::kTest, cached, batches_of(2));
  EXPECT_NE(all_of(decoded)[0].images, expected[0].images);
  // Pretend that the images are those that were hashed, and had rested.
  rewrite_index(index_file(folder), [](nlohmann::json& entry) {
    const FileStamp now = stamp_of(entry[0].get<std::string>()).value();
    entry[1] = now.bytes;
    entry[2] = now.changed_ns;
    entry[3] = now.changed_ns + 3'600'000'000'000;
  });
  SplitStream cached_stream(dataset, Split::kTest, cached, batches_of(2));
  expect_equal(all_of(cached_stream), expected);
}

TEST(SplitStream, RefusesAnUnreadableImage) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 2, 0, 5);
  std::filesystem::resize_file(dataset.test[3].file, 40);
  SplitStream stream(dataset, Split::kTest, cache_options(folder), batches_of(2));
  ASSERT_NE(stream.next(), nullptr);
  EXPECT_EQ(sentence_of([&] { stream.next(); }),
            dataset.test[3].file.string() +
                ": the PNG file is truncated; replace or remove it, or skip it with "
                "--skip-unreadable");
}

TEST(SplitStream, BatchesAreAsIfUnreadableImagesHadNeverBeenListed) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 2, 0, 11);
  for (const std::size_t place : {0U, 4U, 5U, 6U, 7U}) {  // a batch of four without any, too
    std::filesystem::resize_file(dataset.test[place].file, 40);
  }
  CacheOptions cached = cache_options(folder);
  cached.skip_unreadable = true;
  for (const std::size_t batch : {1U, 3U, 4U, 20U}) {
    SplitStream stream(dataset, Split::kTest, cached, batches_of(batch));
    const std::vector<Batch> streamed = all_of(stream);
    EXPECT_EQ(stream.unreadable(), (std::vector<std::size_t>{0, 4, 5, 6, 7}));
    CacheOptions elsewhere = cached;
    elsewhere.folder = folder.path() / "other cache";
    expect_equal(streamed, through_the_cache(dataset, Split::kTest, elsewhere, batches_of(batch)));
  }
}

}  // namespace
}  // namespace probedarts::data
