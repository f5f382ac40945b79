// Class weights of the multi-label loss, N / positives of the class, against those of the golden
// cases that say how many images of how many have each class (04_multilabel, 08_metrics).
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "data/loader.hpp"
#include "support/golden_case.hpp"
#include "support/noise_dataset.hpp"
#include "support/scratch_folder.hpp"
#include "support/shared_files.hpp"

namespace probedarts::data {
namespace {

using testing::ScratchFolder;

/// Our weights for a train split of so many images, the first `positives[c]` of which have class c.
/// They all are one file.
std::vector<float> weights_for(const std::vector<std::int64_t>& positives, std::int64_t images) {
  const ScratchFolder folder;
  Dataset dataset = testing::noise_dataset(folder, 1, 0, 0, LabelKind::kMulti);
  const Sample first = dataset.train.front();
  dataset.train.clear();
  dataset.classes.clear();
  for (std::size_t c = 0; c < positives.size(); ++c) {
    dataset.classes.push_back("class " + std::to_string(c));
  }
  for (std::int64_t i = 0; i < images; ++i) {
    Sample sample = first;
    sample.labels.clear();
    for (const std::int64_t count : positives) {
      sample.labels.push_back(i < count ? 1 : 0);
    }
    dataset.train.push_back(sample);
  }
  const PatchCache cache = PatchCache::open(dataset, testing::cache_options(folder, 1));
  std::vector<std::size_t> all(cache.count(Split::kTrain));
  std::iota(all.begin(), all.end(), std::size_t{0});
  return class_weights(cache, all);
}

/// \param relative  how far a weight may lie from the stored one, times it
void expect_weights(const std::vector<std::int64_t>& positives, std::int64_t images,
                    const std::vector<double>& stored, double relative) {
  const std::vector<float> weights = weights_for(positives, images);
  ASSERT_EQ(weights.size(), stored.size());
  for (std::size_t c = 0; c < stored.size(); ++c) {
    EXPECT_NEAR(static_cast<double>(weights[c]), stored[c], relative * stored[c]) << "class " << c;
  }
}

/// 04_multilabel divides as we do, in double, and rounds once.
constexpr double kSameDivision = 0.0;
/// 08_metrics multiplies with a reciprocal in float32: two more roundings of half a unit in the
/// last of 24 bits.
constexpr double kByReciprocal = 0x1p-22;

TEST(ClassWeightsGolden, AreThoseOfTheSearch) {
  PROBEDARTS_NEEDS_GROUP("04_multilabel");
  int cases = 0;
  for (const auto& path : testing::golden_cases("04_multilabel")) {
    SCOPED_TRACE(path.filename());
    const testing::GoldenCase golden(path);
    if (golden.facts.contains("class_counts")) {
      expect_weights(golden.facts.at("class_counts").get<std::vector<std::int64_t>>(),
                     golden.facts.at("N"), golden.at("class_weight").as_doubles(), kSameDivision);
      ++cases;
    }
  }
  PROBEDARTS_FOUND(cases, "counts of classes");
}

TEST(ClassWeightsGolden, AreThoseOfTheLosses) {
  PROBEDARTS_NEEDS_GROUP("08_metrics");
  int rows = 0;
  for (const auto& path : testing::golden_cases("08_metrics")) {
    const testing::GoldenCase golden(path);
    for (const nlohmann::json& row : golden.facts.at("rows")) {
      const auto key = row.at("key").get<std::string>();
      SCOPED_TRACE(path.filename().string() + " " + key);
      if (golden.has(key + ".class_counts")) {
        std::vector<std::int64_t> positives;
        for (const double count : golden.at(key + ".class_counts").as_doubles()) {
          positives.push_back(static_cast<std::int64_t>(count));
        }
        expect_weights(positives, row.at("N"), golden.at(key + ".weight").as_doubles(),
                       kByReciprocal);
        ++rows;
      }
    }
  }
  PROBEDARTS_FOUND(rows, "counts of classes");
}

}  // namespace
}  // namespace probedarts::data
