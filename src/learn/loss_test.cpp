#include "learn/loss.hpp"

#include <cmath>
#include <initializer_list>

#include <gtest/gtest.h>

#include <ATen/ops/tensor.h>

namespace probedarts::learn {
namespace {

at::Tensor row(std::initializer_list<double> values) {
  return at::tensor(at::ArrayRef<double>(values), at::kDouble).unsqueeze(0);
}

at::Tensor classes(std::initializer_list<std::int64_t> values) {
  return at::tensor(at::ArrayRef<std::int64_t>(values), at::kLong);
}

double loss_of(const Objective& objective, const at::Tensor& logits, const at::Tensor& labels) {
  return objective.evaluate(logits, labels, false).loss;
}

/// The gradient against central differences. Step 1e-6 in float64: truncation 1e-12, rounding
/// 1e-16 / 1e-6 = 1e-10.
void expect_gradient(const Objective& objective, const at::Tensor& logits,
                     const at::Tensor& labels) {
  constexpr double kLogitStep = 1e-6;
  const at::Tensor gradient = objective.evaluate(logits, labels, true).logits_gradient;
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    const auto moved = [&](double step) {
      const at::Tensor copy = logits.clone();
      copy.view(-1)[i] += step;
      return loss_of(objective, copy, labels);
    };
    EXPECT_NEAR(gradient.view(-1)[i].item<double>(),
                (moved(kLogitStep) - moved(-kLogitStep)) / (2.0 * kLogitStep), 1e-8)
        << "logit " << i;
  }
}

TEST(CrossEntropy, OfEqualLogitsIsTheLogarithmOfTheClasses) {
  EXPECT_NEAR(loss_of(Objective::cross_entropy(), row({3.0, 3.0, 3.0, 3.0}), classes({2})),
              std::log(4.0), 1e-15);
}

TEST(CrossEntropy, IgnoresAShiftOfAllLogits) {
  const auto objective = Objective::cross_entropy();
  EXPECT_NEAR(loss_of(objective, row({1.0, -2.0, 0.5}), classes({0})),
              loss_of(objective, row({101.0, 98.0, 100.5}), classes({0})), 1e-13);
}

TEST(CrossEntropy, StaysFiniteForHugeLogits) {
  const LossResult result =
      Objective::cross_entropy().evaluate(row({-1e4, 1e4}), classes({0}), true);
  EXPECT_DOUBLE_EQ(result.loss, 2e4);
  EXPECT_TRUE(result.logits_gradient.isfinite().all().item<bool>());
}

TEST(CrossEntropy, CountsRightImages) {
  const at::Tensor logits = row({0.0, 1.0}).expand({3, 2});
  const LossResult result = Objective::cross_entropy().evaluate(logits, classes({1, 0, 1}), false);
  EXPECT_EQ(result.correct, 2.0);
  EXPECT_EQ(result.decisions, 3.0);
  EXPECT_FALSE(result.logits_gradient.defined());
}

TEST(CrossEntropy, HasTheGradientOfItsValue) {
  expect_gradient(Objective::cross_entropy(),
                  at::tensor({1.0, -2.0, 0.5, 0.3, 0.2, -4.0}, at::kDouble).view({2, 3}),
                  classes({2, 0}));
}

TEST(MultiLabelLoss, OfZeroLogitsIsTheLogarithmOfTwo) {
  EXPECT_NEAR(loss_of(Objective::multi_label({}), row({0.0, 0.0}), row({1.0, 0.0})), std::log(2.0),
              1e-15);
}

TEST(MultiLabelLoss, IsMirroredInLogitAndLabel) {
  const auto objective = Objective::multi_label({});
  EXPECT_NEAR(loss_of(objective, row({1.7, -0.3}), row({1.0, 0.0})),
              loss_of(objective, row({-1.7, 0.3}), row({0.0, 1.0})), 1e-15);
}

TEST(MultiLabelLoss, DoesNotNormaliseItsWeights) {
  const at::Tensor logits = row({0.4, -1.1});
  const at::Tensor labels = row({1.0, 1.0});
  const double plain = loss_of(Objective::multi_label({}), logits, labels);
  const at::Tensor three = at::tensor({3.0, 3.0}, at::kDouble);
  EXPECT_NEAR(loss_of(Objective::multi_label(three), logits, labels), 3.0 * plain, 1e-14);
}

TEST(MultiLabelLoss, StaysFiniteAndExactForHugeLogits) {
  const auto objective = Objective::multi_label({});
  EXPECT_DOUBLE_EQ(loss_of(objective, row({-1e4}), row({1.0})), 1e4);
  EXPECT_DOUBLE_EQ(loss_of(objective, row({1e4}), row({1.0})), 0.0);
}

TEST(MultiLabelLoss, CountsRightPairsAndPredictsAboveOneHalfOnly) {
  const LossResult result = Objective::multi_label({}).evaluate(row({0.0, 0.1, -0.1, 5.0}),
                                                                row({0.0, 1.0, 1.0, 1.0}), false);
  EXPECT_EQ(result.correct, 3.0);
  EXPECT_EQ(result.decisions, 4.0);
}

TEST(MultiLabelLoss, HasTheGradientOfItsValue) {
  const at::Tensor weight = at::tensor({0.5, 7.0, 1.0}, at::kDouble);
  expect_gradient(Objective::multi_label(weight), row({1.0, -2.0, 41.0}), row({0.0, 1.0, 0.0}));
}

TEST(Objective, KnowsItsKind) {
  EXPECT_FALSE(Objective::cross_entropy().is_multi_label());
  EXPECT_TRUE(Objective::multi_label({}).is_multi_label());
}

}  // namespace
}  // namespace probedarts::learn
