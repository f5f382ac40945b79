#include "probe/evbmf.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts::probe {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// Singular values of an L x M matrix of independent noise: square roots of the Marchenko-Pastur
/// quantiles.
std::vector<double> noise_spectrum(int rows, int columns, double variance) {
  const double alpha = static_cast<double>(rows) / columns;
  const double low = std::pow(1.0 - std::sqrt(alpha), 2);
  const double high = std::pow(1.0 + std::sqrt(alpha), 2);
  constexpr int kSteps = 20000;
  std::vector<double> values;
  double mass = 0.0;
  for (int step = 0; step < kSteps && static_cast<int>(values.size()) < rows; ++step) {
    const double x = low + (high - low) * (step + 0.5) / kSteps;
    mass += std::sqrt((high - x) * (x - low)) / (2.0 * M_PI * alpha * x) * (high - low) / kSteps;
    if (mass >= (static_cast<double>(values.size()) + 0.5) / rows) {
      values.push_back(std::sqrt(x * columns * variance));
    }
  }
  std::reverse(values.begin(), values.end());
  return values;
}

std::vector<double> scaled(std::vector<double> values, double factor) {
  for (double& value : values) {
    value *= factor;
  }
  return values;
}

TEST(Evbmf, FindsNoRankInNoiseAndItsVariance) {
  const LowRank found = evbmf(noise_spectrum(16, 144, 1.0), 16, 144);
  EXPECT_THAT(found.singular_values, IsEmpty());
  EXPECT_NEAR(found.noise_variance, 1.0, 0.02);
}

TEST(Evbmf, KeepsWhatStandsAboveTheNoiseAndShrinksIt) {
  std::vector<double> values = noise_spectrum(16, 144, 1.0);
  values[0] = 60.0;
  values[1] = 40.0;
  const LowRank found = evbmf(values, 16, 144);
  ASSERT_THAT(found.singular_values, SizeIs(2));
  // d s solves z^2 - (s^2 - (L + M) sigma^2) z + L M sigma^4 = 0, with the larger root.
  for (std::size_t i = 0; i < 2; ++i) {
    const double d = found.singular_values[i];
    const double noise = found.noise_variance;
    EXPECT_LT(d, values[i]);
    EXPECT_NEAR(d * values[i] + noise * noise * 16 * 144 / (d * values[i]),
                values[i] * values[i] - (16 + 144) * noise, 1e-9 * values[i] * values[i]);
  }
}

TEST(Evbmf, TakesRowsAndColumnsInEitherOrder) {
  std::vector<double> values = noise_spectrum(16, 144, 1.0);
  values[0] = 60.0;
  const LowRank wide = evbmf(values, 16, 144);
  const LowRank tall = evbmf(values, 144, 16);
  EXPECT_EQ(wide.singular_values, tall.singular_values);
  EXPECT_EQ(wide.noise_variance, tall.noise_variance);
}

TEST(Evbmf, OfTinyNoiseFindsARankAsPublishedAndNoneScaleFree) {
  const std::vector<double> values = noise_spectrum(16, 144, 1e-8);
  EXPECT_THAT(evbmf(values, 16, 144, EvbmfScale::kAsPublished).singular_values, Not(IsEmpty()));
  EXPECT_THAT(evbmf(values, 16, 144, EvbmfScale::kScaleFree).singular_values, IsEmpty());
}

TEST(Evbmf, IgnoresScaleWhenScaleFree) {
  std::vector<double> values = noise_spectrum(20, 90, 1.0);
  values[0] = 70.0;
  const LowRank unit = evbmf(values, 20, 90, EvbmfScale::kScaleFree);
  ASSERT_THAT(unit.singular_values, SizeIs(1));
  for (const double factor : {0x1p-20, 0x1p-4, 0x1p20}) {  // powers of two: no rounding
    const LowRank found = evbmf(scaled(values, factor), 20, 90, EvbmfScale::kScaleFree);
    EXPECT_EQ(found.singular_values, scaled(unit.singular_values, factor));
    EXPECT_EQ(found.noise_variance, unit.noise_variance * factor * factor);
  }
}

TEST(Evbmf, AgreesWithItsScaleFreeVariantForAUnitMeanSquare) {
  std::vector<double> values = noise_spectrum(20, 90, 1.0);
  double energy = 0.0;
  for (const double value : values) {
    energy += value * value;
  }
  values = scaled(values, std::sqrt(20.0 * 90.0 / energy));
  const double published = evbmf(values, 20, 90).noise_variance;
  EXPECT_NEAR(evbmf(values, 20, 90, EvbmfScale::kScaleFree).noise_variance, published, 1e-9);
}

TEST(Evbmf, OfZerosIsEmpty) {
  for (const EvbmfScale scale : {EvbmfScale::kAsPublished, EvbmfScale::kScaleFree}) {
    const LowRank found = evbmf({0.0, 0.0, 0.0}, 3, 5, scale);
    EXPECT_THAT(found.singular_values, IsEmpty());
    EXPECT_EQ(found.noise_variance, 0.0);
  }
}

TEST(Evbmf, OfExactLowRankKeepsThatRank) {
  EXPECT_THAT(evbmf({9.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}, 8, 24).singular_values, SizeIs(2));
}

TEST(Evbmf, OfEqualSingularValuesIsAllNoise) {
  const double s = 0.1;
  const LowRank found = evbmf({s, s, s, s, s, s, s}, 38, 7);
  EXPECT_THAT(found.singular_values, IsEmpty());
  EXPECT_NEAR(found.noise_variance, s * s / 38, 1e-15);
}

TEST(Evbmf, RefusesAnIncompleteSpectrum) { EXPECT_THROW(evbmf({1.0, 0.5}, 3, 5), Bug); }

TEST(Evbmf, RefusesASingularValueThatIsNotFinite) {
  EXPECT_THROW(evbmf({std::numeric_limits<double>::infinity(), 0.5}, 2, 5), Bug);
}

}  // namespace
}  // namespace probedarts::probe
