// The second-order architecture step against LibTorch's double backward. The published step of the
// finite difference, 0.01, crosses kinks of ReLU and max-pooling and is not near the derivative
// (docs/search.md); a step of 1e-7 crosses none here, and then
//     [dL_train(w + eps v)/dalpha - dL_train(w - eps v)/dalpha] / (2 eps) = d^2 L_train/(dalpha dw)
//     v
// must hold.
//
// Tolerance, relative to the largest entry: a gradient of size 0.1 carries rounding of some 1e-16,
// which the division by 2e-7 turns into 1e-9 of |v|; truncation is of the order of the step
// squared, 1e-14. 1e-6 is asked; one crossed kink would miss it by far.

#include "learn/bilevel.hpp"

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <ATen/ops/cat.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "nets/composed_executor.hpp"

namespace probedarts::learn {
namespace {

constexpr double kTinyStep = 1e-7;
constexpr double kRelative = 1e-6;

at::Tensor random_normal(at::IntArrayRef shape, const at::Tensor& like, const char* purpose) {
  at::Tensor drawn = like.new_empty(shape);
  Stream stream(11, purpose);
  for (std::int64_t i = 0; i < drawn.numel(); ++i) {
    drawn.data_ptr<double>()[i] = stream.normal();
  }
  return drawn;
}

/// A supernet of three cells in float64 in the middle of a search, with two mini-batches.
struct Scene {
  nets::NetworkLayout layout;
  std::unique_ptr<nets::Executor> executor;
  SearchState state;
  Objective objective;
  LabelledBatch train, valid;
  BilevelOptions options;

  explicit Scene(bool multi_label) {
    space::NetworkSpec spec;
    spec.channels = 4;
    spec.cells = 3;
    spec.nodes = 2;
    spec.classes = 3;
    layout = nets::lay_out(spec);
    executor = nets::make_composed_executor(layout);
    state = start_search(nets::initial_state(layout, nets::Precision::kFloat64, 3));
    const at::Tensor& like = state.network.weights;
    state.network.alpha = random_normal(state.network.alpha.sizes(), like, "alpha");
    state.momentum = random_normal(like.sizes(), like, "momentum").mul_(0.01);
    state.momentum_started = true;
    objective = multi_label ? Objective::multi_label(random_normal({3}, like, "weight").abs_())
                            : Objective::cross_entropy();
    train = batch(multi_label, "train");
    valid = batch(multi_label, "valid");
    options.order = 2;
    options.finite_difference = kTinyStep;
  }

  LabelledBatch batch(bool multi_label, const char* purpose) const {
    constexpr std::int64_t kImages = 4;
    const at::Tensor& like = state.network.weights;
    LabelledBatch made{random_normal({kImages, 3, 8, 8}, like, purpose), {}};
    const at::Tensor scores = made.images.mean({2, 3});  // [images, 3], as many as classes
    made.labels = multi_label ? scores.gt(0.0).to(at::kDouble) : scores.argmax(1);
    return made;
  }

  /// The training loss at these weights, in the autograd graph.
  at::Tensor loss(const LabelledBatch& at_batch, const at::Tensor& weights,
                  const at::Tensor& alpha) const {
    at::Tensor statistics = at::zeros_like(state.network.statistics);
    const nets::Logits logits = nets::composed_logits(
        layout, nets::split_parameters(layout, weights), alpha, state.network.statistics,
        statistics, at_batch.images, nets::Mode::kTrain, nullptr, nets::Grouping::kOffTheCpu,
        state.network.auxiliary_skip);
    return objective.graph_loss(logits.main, at_batch.labels);
  }

  /// d loss / d weights.
  at::Tensor slope(const LabelledBatch& at_batch, const at::Tensor& weights) const {
    const at::Tensor leaf = weights.detach().clone().set_requires_grad(true);
    return torch::autograd::grad({loss(at_batch, leaf, state.network.alpha)}, {leaf}).front();
  }

  /// d^2 L_train / (d alpha d w) * vector, exactly.
  at::Tensor exact_product(const at::Tensor& vector) const {
    const at::Tensor weights = state.network.weights.detach().clone().set_requires_grad(true);
    const at::Tensor alpha = state.network.alpha.detach().clone().set_requires_grad(true);
    const at::Tensor slope =
        torch::autograd::grad({loss(train, weights, alpha)}, {weights}, {}, true, true).front();
    return torch::autograd::grad({slope.mul(vector).sum()}, {alpha}).front();
  }

  /// w' as DARTS defines it, from LibTorch's gradient.
  at::Tensor unrolled(const at::Tensor& rate_of_weight) const {
    const at::Tensor& w = state.network.weights;
    const at::Tensor step = state.momentum.mul(options.sgd.momentum)
                                .add(slope(train, w))
                                .add(w, options.sgd.weight_decay);
    return w.sub(step.mul(rate_of_weight));
  }

  ArchitectureGradient computed(std::span<const double> rates) {
    BilevelLearner learner(layout, *executor, objective, options);
    SearchState copy = state;
    copy.network = state.network.clone();
    return learner.architecture_gradient(copy, train, valid, rates);
  }
};

void expect_close(const at::Tensor& computed, const at::Tensor& wanted, double relative) {
  ASSERT_EQ(computed.sizes(), wanted.sizes());
  const double largest = wanted.abs().max().item<double>();
  ASSERT_GT(largest, 0.0);
  EXPECT_LE(computed.sub(wanted).abs().max().item<double>(), relative * largest);
}

void expect_exact_product(bool multi_label) {
  Scene scene(multi_label);
  const std::vector<double> rates = {0.05};
  const ArchitectureGradient gradient = scene.computed(rates);
  const at::Tensor unrolled = scene.unrolled(scene.state.network.weights.new_full({}, rates[0]));
  expect_close(gradient.unrolled_weights, unrolled, 1e-12);  // same sums, another order
  const at::Tensor vector = scene.slope(scene.valid, unrolled);
  EXPECT_NEAR(gradient.epsilon, kTinyStep / vector.norm().item<double>(), 1e-9 * gradient.epsilon);
  expect_close(gradient.implicit, scene.exact_product(vector), kRelative);
  expect_close(gradient.total, gradient.direct.sub(gradient.implicit, rates[0]), 1e-12);
}

TEST(SecondOrder, IsTheExactProductWhereNoKinkIsCrossed) { expect_exact_product(false); }

TEST(SecondOrder, IsTheExactProductForSeveralLabelsToo) { expect_exact_product(true); }

TEST(SecondOrder, TakesTheRatesOfEachLayerInsideTheProductWithAdas) {
  Scene scene(false);
  scene.options.rate_inside_difference = true;
  std::vector<double> rates;
  std::vector<at::Tensor> per_weight;
  for (std::size_t i = 0; i < scene.layout.parameters.size(); ++i) {
    rates.push_back(0.02 + 0.01 * static_cast<double>(i % 5));
    per_weight.push_back(
        scene.state.network.weights.new_full({scene.layout.parameters[i].numel}, rates.back()));
  }
  const at::Tensor rate_of_weight = at::cat(per_weight);
  const ArchitectureGradient gradient = scene.computed(rates);
  const at::Tensor unrolled = scene.unrolled(rate_of_weight);
  expect_close(gradient.unrolled_weights, unrolled, 1e-12);
  const at::Tensor vector = scene.slope(scene.valid, unrolled).mul(rate_of_weight);
  expect_close(gradient.implicit, scene.exact_product(vector), kRelative);
  expect_close(gradient.total, gradient.direct.sub(gradient.implicit), 1e-12);
}

TEST(SecondOrder, CountsAMomentumThatHasNotStartedAsZero) {
  Scene scene(false);
  scene.state.momentum_started = false;  // what the buffer holds must then not matter
  const std::vector<double> rates = {0.05};
  const at::Tensor with_rubbish = scene.computed(rates).unrolled_weights;
  scene.state.momentum.zero_();
  expect_close(with_rubbish, scene.unrolled(scene.state.network.weights.new_full({}, rates[0])),
               1e-12);
}

TEST(SecondOrder, LeavesWeightsAndAlphaWhereTheyWere) {
  Scene scene(false);
  BilevelLearner learner(scene.layout, *scene.executor, scene.objective, scene.options);
  const at::Tensor weights = scene.state.network.weights.clone();
  const at::Tensor alpha = scene.state.network.alpha.clone();
  const std::vector<double> rates = {0.05};
  learner.architecture_gradient(scene.state, scene.train, scene.valid, rates);
  EXPECT_TRUE(scene.state.network.weights.equal(weights));
  EXPECT_TRUE(scene.state.network.alpha.equal(alpha));
  EXPECT_EQ(scene.state.network.batches_tracked, 3) << "three passes of its own, one of the copy";
}

TEST(FirstOrder, IsTheGradientOfTheValidationLossInAlpha) {
  Scene scene(false);
  scene.options.order = 1;
  const std::vector<double> rates = {0.05};
  const ArchitectureGradient gradient = scene.computed(rates);
  const at::Tensor alpha = scene.state.network.alpha.clone().set_requires_grad(true);
  const at::Tensor wanted =
      torch::autograd::grad({scene.loss(scene.valid, scene.state.network.weights, alpha)}, {alpha})
          .front();
  expect_close(gradient.total, wanted, 1e-12);
  EXPECT_FALSE(gradient.implicit.defined());
}

TEST(LogitDecay, AddsTheGradientOfTheMeanLogSumExp) {
  Scene scene(false);
  scene.options.order = 1;
  // Adam's first step is lr * g / (|g| + eps): its size shows g where eps is large beside it.
  scene.options.adam = {.learning_rate = 1.0, .epsilon = 1e6, .weight_decay = 0.0};
  const std::vector<double> rates = {0.05};
  at::Tensor moved[2];
  for (int decayed = 0; decayed < 2; ++decayed) {
    BilevelLearner learner(scene.layout, *scene.executor, scene.objective, scene.options);
    SearchState copy = start_search(scene.state.network.clone());
    AlphaView view;
    view.logit_decay = decayed == 1 ? 7.0 : 0.0;
    learner.alpha_step(copy, scene.train, scene.valid, rates, view);
    moved[decayed] = copy.network.alpha.sub(scene.state.network.alpha).mul(-1e6);
  }
  const at::Tensor alpha = scene.state.network.alpha.clone().set_requires_grad(true);
  const at::Tensor decay = at::logsumexp(alpha, -1).mean().mul(7.0);
  expect_close(moved[1].sub(moved[0]), torch::autograd::grad({decay}, {alpha}).front(), 1e-5);
}

TEST(GumbelSampling, TakesTheGradientThroughTheSample) {
  Scene scene(false);
  scene.options.order = 1;
  scene.options.adam = {.learning_rate = 1.0, .epsilon = 1e6, .weight_decay = 0.0};
  const std::vector<double> rates = {0.05};
  BilevelLearner learner(scene.layout, *scene.executor, scene.objective, scene.options);
  const at::Tensor before = scene.state.network.alpha.clone();
  AlphaView view;
  view.noise = gumbel_noise(before, Stream(1, "gumbel"));
  view.temperature = 0.5;
  SearchState copy = start_search(scene.state.network.clone());
  learner.alpha_step(copy, scene.train, scene.valid, rates, view);
  const at::Tensor alpha = before.clone().set_requires_grad(true);
  const at::Tensor loss = scene.loss(scene.valid, scene.state.network.weights,
                                     alpha.add(view.noise).div(view.temperature));
  // Adam's first step with a large epsilon is lr * g / epsilon, as in LogitDecay above.
  expect_close(copy.network.alpha.sub(before).mul(-1e6),
               torch::autograd::grad({loss}, {alpha}).front(), 1e-5);
}

TEST(GumbelSampling, LeavesAlphaToTheArchitectureStep) {
  Scene scene(false);
  const std::vector<double> rates = {0.05};
  BilevelLearner learner(scene.layout, *scene.executor, scene.objective, scene.options);
  const at::Tensor before = scene.state.network.alpha.clone();
  AlphaView view;
  view.noise = gumbel_noise(before, Stream(1, "gumbel"));
  learner.weight_step(scene.state, scene.train, rates, view);
  EXPECT_TRUE(scene.state.network.alpha.equal(before));
}

TEST(AuxiliarySkip, IsInTheGradientOfTheFirstOrder) {
  Scene scene(false);
  scene.options.order = 1;
  const std::vector<double> rates = {0.05};
  const at::Tensor without = scene.computed(rates).total;
  scene.state.network.auxiliary_skip = 0.7;
  const at::Tensor alpha = scene.state.network.alpha.clone().set_requires_grad(true);
  const at::Tensor wanted =
      torch::autograd::grad({scene.loss(scene.valid, scene.state.network.weights, alpha)}, {alpha})
          .front();
  const at::Tensor found = scene.computed(rates).total;
  expect_close(found, wanted, 1e-12);
  EXPECT_GT(found.sub(without).norm().item<double>(), 0.01 * without.norm().item<double>());
}

TEST(AuxiliarySkip, IsInAllPassesOfTheSecondOrder) {
  Scene scene(false);
  scene.state.network.auxiliary_skip = 0.7;
  const std::vector<double> rates = {0.05};
  const ArchitectureGradient gradient = scene.computed(rates);
  const at::Tensor unrolled =
      scene.unrolled(scene.state.network.weights.new_full({}, rates.front()));
  expect_close(gradient.unrolled_weights, unrolled, 1e-12);
  const at::Tensor alpha = scene.state.network.alpha.clone().set_requires_grad(true);
  expect_close(gradient.direct,
               torch::autograd::grad({scene.loss(scene.valid, unrolled, alpha)}, {alpha}).front(),
               1e-9);
  expect_close(gradient.implicit, scene.exact_product(scene.slope(scene.valid, unrolled)),
               kRelative);
}

TEST(GumbelNoise, HasTheMeanAndVarianceOfGumbelsDistribution) {
  const at::Tensor noise = gumbel_noise(at::zeros({2, 5000, 8}, at::kDouble), Stream(3, "gumbel"));
  // Euler's constant and pi^2 / 6; the standard errors of 80,000 draws are 0.0045 and 0.012.
  EXPECT_NEAR(noise.mean().item<double>(), 0.5772, 0.02);
  EXPECT_NEAR(noise.var().item<double>(), 1.6449, 0.05);
}

TEST(BilevelStep, NamesTheWeightThatIsNotFinite) {
  Scene scene(false);
  const nets::ParameterInfo& parameter = scene.layout.parameters[5];
  scene.state.network.weights[parameter.offset] = std::numeric_limits<double>::quiet_NaN();
  BilevelLearner learner(scene.layout, *scene.executor, scene.objective, scene.options);
  const std::vector<double> rates = {0.05};
  try {
    learner.weight_step(scene.state, scene.train, rates);
    FAIL() << "a NaN went through";
  } catch (const Diverged& diverged) {
    EXPECT_EQ(std::string(diverged.what()),
              "the loss became NaN; first seen in the weight '" + parameter.name + "'");
  }
}

TEST(BilevelStep, RefusesAnOrderThatDoesNotExist) {
  Scene scene(false);
  scene.options.order = 3;
  EXPECT_THROW(BilevelLearner(scene.layout, *scene.executor, scene.objective, scene.options), Bug);
}

}  // namespace
}  // namespace probedarts::learn
