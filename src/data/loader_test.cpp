#include "data/loader.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/batch_queue.hpp"
#include "data/equal_patches.hpp"
#include "support/noise_dataset.hpp"

namespace probedarts::data {
namespace {

using testing::cache_options;
using testing::noise_dataset;
using testing::ScratchFolder;
using testing::sentence_of;

std::vector<std::size_t> all_of(std::size_t count) {
  std::vector<std::size_t> indices(count);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return indices;
}

LoaderOptions augmenting(int threads) {
  LoaderOptions options;
  options.batch = 4;
  options.threads = threads;
  options.prefetch = 2;
  options.seed = 5;
  options.augmentation = {true, true, 45.0, 0.1, 2, 4};
  options.normalization = {{0.5, 0.4, 0.3}, {0.2, 0.3, 0.4}};
  return options;
}

std::vector<Batch> rest_of_epoch(Loader& loader) {
  std::vector<Batch> batches;
  while (PooledBatch batch = loader.next()) {
    batches.push_back(*batch);  // copied: its memory is filled again
  }
  return batches;
}

void expect_equal(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].indices, b[i].indices) << "batch " << i;
    EXPECT_EQ(a[i].images, b[i].images) << "batch " << i;
    EXPECT_EQ(a[i].labels, b[i].labels) << "batch " << i;
    EXPECT_EQ(a[i].targets, b[i].targets) << "batch " << i;
  }
}

class LoaderTest : public ::testing::Test {
 protected:
  ScratchFolder folder_;
  Dataset dataset_ = noise_dataset(folder_, 19, 2, 0);
  PatchCache cache_ = PatchCache::open(dataset_, cache_options(folder_));
};

TEST_F(LoaderTest, GivesTheSameBatchesForAnyNumberOfThreads) {
  std::vector<std::vector<Batch>> runs;
  for (const int threads : {0, 1, 2, 3}) {
    Loader loader(cache_, Split::kTrain, all_of(19), augmenting(threads));
    loader.start_epoch(3);
    runs.push_back(rest_of_epoch(loader));
  }
  ASSERT_EQ(runs[0].size(), 5U);
  expect_equal(runs[0], runs[1]);
  expect_equal(runs[0], runs[2]);
  expect_equal(runs[0], runs[3]);
}

TEST_F(LoaderTest, GivesTheSameBatchesWhenEnteredInTheMiddle) {
  Loader whole(cache_, Split::kTrain, all_of(19), augmenting(2));
  whole.start_epoch(7);
  std::vector<Batch> batches = rest_of_epoch(whole);
  batches.erase(batches.begin(), batches.begin() + 3);
  Loader resumed(cache_, Split::kTrain, all_of(19), augmenting(3));
  resumed.start_epoch(7, 3);
  expect_equal(batches, rest_of_epoch(resumed));
}

TEST_F(LoaderTest, CanRestartBeforeAnEpochEnds) {
  Loader loader(cache_, Split::kTrain, all_of(19), augmenting(3));
  loader.start_epoch(1);
  const std::vector<Batch> first = rest_of_epoch(loader);
  loader.start_epoch(2);
  loader.next();
  loader.start_epoch(1);
  expect_equal(first, rest_of_epoch(loader));
}

TEST_F(LoaderTest, ServesEverySampleOnceInAnEpoch) {
  Loader loader(cache_, Split::kTrain, all_of(19), augmenting(2));
  loader.start_epoch(0);
  std::vector<std::size_t> seen;
  for (const Batch& batch : rest_of_epoch(loader)) {
    EXPECT_EQ(batch.count, batch.indices.size());
    EXPECT_EQ(batch.images.size(), batch.count * 16 * 16 * 3);
    seen.insert(seen.end(), batch.indices.begin(), batch.indices.end());
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, all_of(19));
  EXPECT_EQ(loader.samples(), 19U);
}

TEST_F(LoaderTest, DropsTheLastIncompleteBatchWhenAsked) {
  LoaderOptions options = augmenting(1);
  options.drop_last = true;
  Loader loader(cache_, Split::kTrain, all_of(19), options);
  loader.start_epoch(0);
  EXPECT_EQ(rest_of_epoch(loader).size(), 4U);
  EXPECT_EQ(loader.batches(), 4U);
  EXPECT_EQ(loader.samples(), 16U);
}

TEST_F(LoaderTest, OrderChangesWithEpochSeedAndStream) {
  const auto order = [&](std::uint64_t epoch, std::uint64_t seed, const char* stream) {
    LoaderOptions options = augmenting(1);
    options.batch = 19;
    options.seed = seed;
    options.stream = stream;
    Loader loader(cache_, Split::kTrain, all_of(19), options);
    loader.start_epoch(epoch);
    return loader.next()->indices;
  };
  const std::vector<std::size_t> first = order(0, 1, "train");
  EXPECT_EQ(order(0, 1, "train"), first);
  EXPECT_NE(order(1, 1, "train"), first);
  EXPECT_NE(order(0, 2, "train"), first);
  EXPECT_NE(order(0, 1, "valid"), first);
}

TEST_F(LoaderTest, ServesASubsetInItsOwnOrderWithoutShuffling) {
  LoaderOptions options;
  options.shuffle = false;
  options.batch = 8;
  Loader loader(cache_, Split::kTrain, {11, 3, 7}, options);
  loader.start_epoch(0);
  const std::vector<Batch> batches = rest_of_epoch(loader);
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].indices, (std::vector<std::size_t>{11, 3, 7}));
  EXPECT_EQ(batches[0].labels, (std::vector<std::int64_t>{1, 1, 1}));
}

TEST_F(LoaderTest, GivesPlainPixelsWithoutAugmentation) {
  LoaderOptions options;
  options.shuffle = false;
  options.batch = 1;
  Loader loader(cache_, Split::kTrain, {6}, options);
  loader.start_epoch(0);
  const Batch batch = *loader.next();
  const std::uint8_t* pixels = cache_.pixels(Split::kTrain, 6);
  for (std::size_t i = 0; i < batch.images.size(); ++i) {
    ASSERT_EQ(batch.images[i], static_cast<float>(pixels[i]) / 255.0F);
  }
}

TEST_F(LoaderTest, HasNothingBeforeAStartOrBeyondTheEnd) {
  Loader loader(cache_, Split::kTrain, all_of(19), augmenting(2));
  EXPECT_EQ(loader.next(), nullptr);
  loader.start_epoch(0, 5);
  EXPECT_EQ(loader.next(), nullptr);
  Loader empty(cache_, Split::kTrain, {}, augmenting(1));
  empty.start_epoch(0);
  EXPECT_EQ(empty.next(), nullptr);
}

TEST_F(LoaderTest, SurvivesAMove) {
  Loader first(cache_, Split::kTrain, all_of(19), augmenting(2));
  first.start_epoch(0);
  first.next();
  Loader second(std::move(first));
  EXPECT_EQ(rest_of_epoch(second).size(), 4U);
}

TEST_F(LoaderTest, RefusesIndicesOutsideItsSplit) {
  EXPECT_THROW(Loader(cache_, Split::kValid, {2}, augmenting(1)), Bug);
}

TEST(MultiLabelLoader, ServesOneTargetPerClass) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 4, 0, 0, LabelKind::kMulti);
  const PatchCache cache = PatchCache::open(dataset, cache_options(folder));
  LoaderOptions options;
  options.shuffle = false;
  Loader loader(cache, Split::kTrain, all_of(4), options);
  loader.start_epoch(0);
  const Batch batch = *loader.next();
  EXPECT_EQ(batch.targets, (std::vector<float>{0, 1, 1, 0, 0, 0, 1, 1}));
  EXPECT_TRUE(batch.labels.empty());
}

TEST(BatchQueue, HandsOutBatchesInOrder) {
  BatchQueue queue([](std::size_t number, Batch& batch) { batch.count = number; }, 3, 2);
  queue.start(2, 40);
  for (std::size_t number = 2; number < 40; ++number) {
    ASSERT_EQ(queue.next()->count, number);
  }
  EXPECT_EQ(queue.next(), nullptr);
}

TEST(BatchQueue, FillsTheMemoryOfDroppedBatchesAgain) {
  const auto fill = [](std::size_t number, Batch& batch) {
    batch.images.resize(1000);
    batch.images[0] = static_cast<float>(number);
  };
  PooledBatch outlives;
  std::vector<const float*> places;
  {
    BatchQueue queue(fill, 0, 1);
    queue.start(0, 5);
    while (PooledBatch batch = queue.next()) {
      EXPECT_EQ(batch->images[0], static_cast<float>(places.size()));
      places.push_back(batch->images.data());
    }
    queue.start(7, 8);
    outlives = queue.next();
  }
  EXPECT_EQ(places, std::vector<const float*>(5, places.front()));
  EXPECT_EQ(outlives->images[0], 7.0F);
}

TEST(BatchQueue, ThrowsAgainWhatAThreadThrewWhereItBelongs) {
  for (const int threads : {0, 1, 3}) {
    BatchQueue queue(
        [](std::size_t number, Batch&) {
          if (number == 3) {
            throw UserError("batch 3 is bad");
          }
        },
        threads, 4);
    queue.start(0, 9);
    for (int number = 0; number < 3; ++number) {
      EXPECT_NE(queue.next(), nullptr);
    }
    EXPECT_EQ(sentence_of([&] { queue.next(); }), "batch 3 is bad");
    EXPECT_EQ(sentence_of([&] { queue.next(); }), "batch 3 is bad");
    queue.start(4, 5);
    EXPECT_NE(queue.next(), nullptr);
    EXPECT_EQ(queue.next(), nullptr);
  }
}

TEST(BatchQueue, StopsWithBatchesUnserved) {
  BatchQueue queue([](std::size_t, Batch&) {}, 2, 3);
  queue.start(0, 1000);
  EXPECT_NE(queue.next(), nullptr);
}

TEST(SplitHalves, CoverTheTrainSplitOnce) {
  const ScratchFolder folder;
  const PatchCache cache =
      PatchCache::open(noise_dataset(folder, 19, 0, 0), cache_options(folder, 4));
  const SearchHalves halves = split_halves(cache, 0.5, 1, false);
  EXPECT_EQ(halves.train.size(), 9U);  // floor(0.5 * 19)
  std::vector<std::size_t> both = halves.train;
  both.insert(both.end(), halves.valid.begin(), halves.valid.end());
  std::sort(both.begin(), both.end());
  EXPECT_EQ(both, all_of(19));
}

TEST(SplitHalves, DependOnTheSeedAlone) {
  const ScratchFolder folder;
  const PatchCache cache =
      PatchCache::open(noise_dataset(folder, 19, 0, 0), cache_options(folder, 4));
  EXPECT_EQ(split_halves(cache, 0.5, 1, false).train, split_halves(cache, 0.5, 1, false).train);
  EXPECT_NE(split_halves(cache, 0.5, 1, false).train, split_halves(cache, 0.5, 2, false).train);
}

TEST(SplitHalves, KeepGroupsWhole) {
  const ScratchFolder folder;
  const PatchCache cache =
      PatchCache::open(noise_dataset(folder, 24, 0, 0), cache_options(folder, 4));
  const SearchHalves halves = split_halves(cache, 0.5, 4, true);
  EXPECT_EQ(halves.train.size(), 12U);  // groups of three
  EXPECT_EQ(halves.valid.size(), 12U);
  std::set<std::string> train, valid;
  for (const std::size_t i : halves.train) {
    train.insert(cache.group(Split::kTrain, i));
  }
  for (const std::size_t i : halves.valid) {
    valid.insert(cache.group(Split::kTrain, i));
  }
  EXPECT_EQ(train.size() + valid.size(), 8U);
  EXPECT_THAT(train, ::testing::Each(::testing::Truly(
                         [&](const std::string& group) { return valid.count(group) == 0; })));
}

/// `dataset` with image `to` of its train split replaced by image `from`.
void copy_image(const Dataset& dataset, std::size_t from, std::size_t to) {
  std::filesystem::copy_file(dataset.train[from].file, dataset.train[to].file,
                             std::filesystem::copy_options::overwrite_existing);
}

std::set<std::string> contents_of(const PatchCache& cache, const std::vector<std::size_t>& half) {
  std::set<std::string> contents;
  for (const std::size_t i : half) {
    contents.emplace(reinterpret_cast<const char*>(cache.pixels(Split::kTrain, i)),
                     3 * static_cast<std::size_t>(cache.size_px() * cache.size_px()));
  }
  return contents;
}

TEST(SplitHalves, AreTheSameAsEverWithoutCopies) {
  const ScratchFolder folder;
  const PatchCache cache =
      PatchCache::open(noise_dataset(folder, 19, 0, 0), cache_options(folder, 4));
  // As they were before copies were kept together; runs that began then go on with these.
  EXPECT_EQ(split_halves(cache, 0.5, 1, false).train,
            (std::vector<std::size_t>{14, 4, 12, 7, 5, 17, 3, 15, 9}));
  EXPECT_EQ(split_halves(cache, 0.5, 1, true).train,
            (std::vector<std::size_t>{18, 0, 1, 2, 3, 4, 5, 15, 16, 17}));
}

TEST(SplitHalves, KeepImagesOfEqualContentInOneHalf) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 40, 0, 0);
  for (std::size_t i = 0; i < 20; ++i) {
    copy_image(dataset, i, i + 20);
  }
  const PatchCache cache = PatchCache::open(dataset, cache_options(folder, 4));
  const SearchHalves halves = split_halves(cache, 0.5, 3, false);
  EXPECT_EQ(halves.copies, 20U);
  EXPECT_EQ(halves.train.size(), 20U);
  EXPECT_EQ(halves.valid.size(), 20U);
  const std::set<std::string> train = contents_of(cache, halves.train);
  const std::set<std::string> valid = contents_of(cache, halves.valid);
  EXPECT_EQ(train.size() + valid.size(), 20U) << "a content lies in both halves";
  EXPECT_EQ(sentence_of([&] { split_halves(cache, 0.5, 3, true); }),
            "train split: 40 images in whole groups with copies kept together cut at a portion of "
            "0.5 leave one half of the search empty; choose another portion, split without groups "
            "or add images")
      << "the copies tie every group to the next";
}

TEST(SplitHalves, KeepGroupsWholeThatShareContent) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 24, 0, 0);  // groups of three
  copy_image(dataset, 0, 23);                               // joins the first and the last
  const PatchCache cache = PatchCache::open(dataset, cache_options(folder, 4));
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const std::vector<std::size_t> half = split_halves(cache, 0.5, seed, true).train;
    EXPECT_EQ(std::set<std::size_t>(half.begin(), half.end()).count(0),
              std::set<std::size_t>(half.begin(), half.end()).count(21));
  }
}

TEST(SharedImages, AreCountedAndTheFirstPairNamed) {
  const ScratchFolder folder;
  const Dataset dataset = noise_dataset(folder, 5, 3, 0);
  EXPECT_EQ(shared_images_sentence(dataset, PatchCache::open(dataset, cache_options(folder, 4))),
            std::nullopt);
  for (const std::size_t i : {1U, 2U}) {
    std::filesystem::copy_file(dataset.train[4 - i].file, dataset.valid[i].file,
                               std::filesystem::copy_options::overwrite_existing);
  }
  EXPECT_EQ(shared_images_sentence(dataset, PatchCache::open(dataset, cache_options(folder, 4))),
            "2 of 3 images of the valid split are in the train split too, '6.png' as '3.png' for "
            "one; find them with: probedarts data check " +
                folder.text());
}

TEST(SplitHalves, RefuseAnEmptyHalf) {
  const ScratchFolder folder;
  const PatchCache cache =
      PatchCache::open(noise_dataset(folder, 3, 0, 0), cache_options(folder, 4));
  EXPECT_EQ(sentence_of([&] { split_halves(cache, 0.1, 0, false); }),
            "train split: 3 images cut at a portion of 0.1 leave one half of the search empty; "
            "choose another portion or add images");
  EXPECT_EQ(sentence_of([&] { split_halves(cache, 0.5, 0, true); }),
            "train split: 3 images in whole groups cut at a portion of 0.5 leave one half of the "
            "search empty; choose another portion, split without groups or add images");
}

TEST(ClassWeights, AreImagesByPositives) {
  const ScratchFolder folder;
  const PatchCache cache =
      PatchCache::open(noise_dataset(folder, 6, 0, 0, LabelKind::kMulti), cache_options(folder, 4));
  EXPECT_EQ(class_weights(cache, all_of(6)), (std::vector<float>{2.0F, 3.0F}));
}

TEST(ClassWeights, NeedAPositiveOfEveryClass) {
  const ScratchFolder folder;
  const PatchCache cache =
      PatchCache::open(noise_dataset(folder, 6, 0, 0, LabelKind::kMulti), cache_options(folder, 4));
  EXPECT_EQ(sentence_of([&] {
              class_weights(cache, {1, 2});
            }),
            "class 'tumour': none of the 2 training images has it, so its weight in the loss has "
            "no value; leave the class out, or train on more images");
}

TEST(PublishedNormalization, KnowsTheDataSetsOfThePaper) {
  // docs/method.md, "Data sets", to its four or five digits.
  EXPECT_NEAR(published_normalization("adp")->mean[0], 0.81234, 5e-6);
  EXPECT_NEAR(published_normalization("adp")->sd[2], 0.16801, 5e-6);
  EXPECT_EQ(published_normalization("bach")->mean[2], 0.8209);
  EXPECT_EQ(published_normalization("bcss")->sd[1], 0.2152);
  EXPECT_EQ(published_normalization("cifar10")->sd[0], 0.2470);
  EXPECT_EQ(published_normalization("cifar100")->mean[1], 0.4867);
  EXPECT_EQ(published_normalization("osteosarcoma")->mean[1], 0.6492);
  EXPECT_EQ(published_normalization("none")->sd[0], 1.0);
  EXPECT_FALSE(published_normalization("mnist").has_value());
}

}  // namespace
}  // namespace probedarts::data
