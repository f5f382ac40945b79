#include "optim/adas.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.hpp"

namespace probedarts::optim {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

AdasOptions options_with(double learning_rate, double beta) {
  AdasOptions options;
  options.learning_rate = learning_rate;
  options.beta = beta;
  return options;
}

TEST(Adas, TrainsEveryParameterAtTheInitialRateInTheFirstEpoch) {
  const Adas adas(options_with(0.1, 0.9), {-1, 0, -1, 1});
  EXPECT_THAT(adas.learning_rates(), ElementsAre(0.1, 0.1, 0.1, 0.1));
}

TEST(Adas, LeavesTheRatesAsTheyAreAfterTheFirstEpoch) {
  Adas adas(options_with(0.1, 0.9), {0, 1});
  adas.epoch_step({0.5, 0.0});
  EXPECT_THAT(adas.learning_rates(), ElementsAre(0.1, 0.1));
  EXPECT_THAT(adas.state().not_ready, ElementsAre(0, 1));
}

TEST(Adas, RaisesTheRateOfALayerWhoseStableRankGrows) {
  Adas adas(options_with(0.1, 0.9), {0});
  adas.epoch_step({0.5});
  adas.epoch_step({0.53});
  EXPECT_THAT(adas.learning_rates(), ElementsAre(DoubleNear(0.9 * 0.1 + 0.03, 1e-15)));
}

TEST(Adas, StopsALayerWhoseVelocityFallsBelowZeroAndLetsItRiseAgain) {
  Adas adas(options_with(0.1, 0.9), {0});
  adas.epoch_step({0.5});
  adas.epoch_step({0.3});
  EXPECT_THAT(adas.learning_rates(), ElementsAre(0.0));
  adas.epoch_step({0.4});
  EXPECT_THAT(adas.learning_rates(), ElementsAre(DoubleNear(0.1, 1e-15)));
}

TEST(Adas, HoldsTheInitialRateWhileALayersStableRankIsZero) {
  Adas adas(options_with(0.1, 0.5), {0});
  adas.epoch_step({0.0});
  adas.epoch_step({0.0});
  adas.epoch_step({0.0});
  EXPECT_THAT(adas.learning_rates(), ElementsAre(DoubleNear(0.1, 1e-15)));
  EXPECT_THAT(adas.state().not_ready, ElementsAre(0));
}

TEST(Adas, DoesNotHoldTheRateOfALayerThatWasReadyBefore) {
  Adas adas(options_with(0.1, 0.5), {0});
  adas.epoch_step({0.0});
  adas.epoch_step({0.01});
  EXPECT_THAT(adas.state().not_ready, IsEmpty());
  adas.epoch_step({0.0});
  EXPECT_THAT(adas.learning_rates(), ElementsAre(DoubleNear(0.5 * 0.06 - 0.01, 1e-15)));
}

TEST(Adas, GivesOtherParametersTheRateJustBeforeThem) {
  Adas adas(options_with(0.1, 0.9), {-1, 0, -1, -1, 1, -1});
  adas.epoch_step({0.5, 0.5});
  adas.epoch_step({0.6, 0.5});
  const auto& rates = adas.learning_rates();
  EXPECT_THAT(rates, ElementsAre(0.1, DoubleNear(0.19, 1e-15), DoubleEq(rates[1]),
                                 DoubleEq(rates[1]), DoubleNear(0.09, 1e-15), DoubleEq(rates[4])));
}

TEST(Adas, LosesTheNeighbourOfALayerThatGetsReadyInThePublishedVariantOnly) {
  AdasOptions options = options_with(0.1, 0.5);
  options.as_published = true;
  Adas published(options, {0, 1, 2});
  options.as_published = false;
  Adas intended(options, {0, 1, 2});
  for (Adas* adas : {&published, &intended}) {
    adas->epoch_step({0.2, 0.0, 0.0});
    adas->epoch_step({0.2, 0.0, 0.0});
  }
  EXPECT_THAT(intended.learning_rates(), ElementsAre(0.05, 0.1, 0.1));
  EXPECT_THAT(published.learning_rates(), ElementsAre(0.05, 0.05, 0.1));
}

TEST(Adas, ShrinksZetaEveryStepSizeEpochs) {
  AdasOptions options = options_with(0.1, 0.9);
  options.gamma = 0.5;
  options.step_size = 2;
  Adas adas(options, {0});
  std::vector<double> zetas;
  for (int epoch = 0; epoch < 5; ++epoch) {
    adas.epoch_step({0.5});
    zetas.push_back(adas.state().zeta);
  }
  EXPECT_THAT(zetas, ElementsAre(1.0, 1.0, 0.5, 0.5, 0.25));
}

TEST(Adas, ContinuesFromARestoredStateAsIfNeverStopped) {
  Adas whole(options_with(0.1, 0.9), {0, -1, 1});
  Adas resumed(options_with(0.1, 0.9), {0, -1, 1});
  whole.epoch_step({0.0, 0.3});
  whole.epoch_step({0.1, 0.4});
  resumed.restore(whole.state());
  whole.epoch_step({0.25, 0.2});
  resumed.epoch_step({0.25, 0.2});
  EXPECT_EQ(resumed.learning_rates(), whole.learning_rates());
  EXPECT_EQ(resumed.state().epoch, 3);
}

TEST(Adas, RefusesTheStateOfAnotherNetwork) {
  Adas adas(options_with(0.1, 0.9), {0, 1});
  const Adas other(options_with(0.1, 0.9), {0, 1, 2});
  EXPECT_THROW(adas.restore(other.state()), Bug);
}

TEST(Adas, ReportsAStableRankThatIsNotFinite) {
  Adas adas(options_with(0.1, 0.9), {0, 1});
  const AdasState before = adas.state();
  try {
    adas.epoch_step({0.5, std::numeric_limits<double>::quiet_NaN()});
    FAIL() << "no exception";
  } catch (const Diverged& failure) {
    EXPECT_STREQ(failure.what(), "Adas: the stable rank of layer 1 in epoch 0 is not finite");
  }
  EXPECT_EQ(adas.state().epoch, before.epoch);
}

}  // namespace
}  // namespace probedarts::optim
