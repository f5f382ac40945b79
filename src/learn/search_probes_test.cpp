// The probes of a search on a supernet of three cells in float64, against LibTorch's double
// backward and against the full matrix. A step of 1e-7 crosses no kink of ReLU and max-pooling
// here; rounding of a gradient, some 1e-16, becomes 1e-9 in the quotient, so 1e-6 of the largest
// entry is asked, as in bilevel_test.cpp.

#include "learn/search_probes.hpp"

#include <csignal>
#include <cstdlib>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/errors.hpp"
#include "core/interrupt.hpp"
#include "core/random.hpp"
#include "nets/composed_executor.hpp"

namespace probedarts::learn {
namespace {

constexpr double kStep = 1e-7;

at::Tensor random_normal(at::IntArrayRef shape, const char* purpose) {
  at::Tensor drawn = at::empty(shape, at::kDouble);
  Stream stream(11, purpose);
  for (std::int64_t i = 0; i < drawn.numel(); ++i) {
    drawn.data_ptr<double>()[i] = stream.normal();
  }
  return drawn;
}

class SearchProbes : public ::testing::Test {
 protected:
  static nets::NetworkLayout small_layout() {
    space::NetworkSpec spec;
    spec.channels = 4;
    spec.cells = 3;
    spec.nodes = 1;
    spec.classes = 3;
    return nets::lay_out(spec);
  }

  static LabelledBatch batch(const char* purpose) {
    LabelledBatch made{random_normal({4, 3, 8, 8}, purpose), {}};
    made.labels = made.images.mean({2, 3}).argmax(1);
    return made;
  }

  SearchProbes() {
    network_.alpha = random_normal(network_.alpha.sizes(), "alpha");
    before_ = network_.clone();
  }

  void expect_untouched() const {
    EXPECT_TRUE(network_.weights.equal(before_.weights));
    EXPECT_TRUE(network_.alpha.equal(before_.alpha));
    EXPECT_TRUE(network_.statistics.equal(before_.statistics));
    EXPECT_EQ(network_.batches_tracked, before_.batches_tracked);
  }

  /// The loss on a batch in the autograd graph.
  at::Tensor loss(const LabelledBatch& on, const at::Tensor& alpha) const {
    at::Tensor statistics = at::zeros_like(network_.statistics);
    return objective_.graph_loss(
        nets::composed_logits(layout_, nets::split_parameters(layout_, network_.weights), alpha,
                              network_.statistics, statistics, on.images, nets::Mode::kTrain)
            .main,
        on.labels);
  }

  /// The Hessian, one central difference a column.
  at::Tensor full_matrix() {
    std::vector<at::Tensor> columns;
    const std::int64_t size = network_.alpha.numel();
    for (std::int64_t i = 0; i < size; ++i) {
      at::Tensor unit = at::zeros({size}, at::kDouble);
      unit[i] = 1.0;
      columns.push_back(hessian_product(learner_, network_, valid_, unit, kStep));
    }
    const at::Tensor matrix = at::stack(columns);
    return matrix.add(matrix.t()).mul(0.5);
  }

  nets::NetworkLayout layout_ = small_layout();
  std::unique_ptr<nets::Executor> executor_ = nets::make_composed_executor(layout_);
  Objective objective_ = Objective::cross_entropy();
  WeightLearner learner_{layout_, *executor_, objective_, {}};
  nets::NetworkState network_ = nets::initial_state(layout_, nets::Precision::kFloat64, 3);
  nets::NetworkState before_;
  LabelledBatch train_ = batch("train"), valid_ = batch("valid");
};

TEST_F(SearchProbes, TakeTheHessianTimesAVectorWithoutTouchingTheNetwork) {
  at::Tensor direction = random_normal({network_.alpha.numel()}, "direction");
  direction = direction.div(direction.norm());
  const at::Tensor computed = hessian_product(learner_, network_, valid_, direction, kStep);
  const at::Tensor alpha = network_.alpha.clone().set_requires_grad(true);
  const at::Tensor slope =
      torch::autograd::grad({loss(valid_, alpha)}, {alpha}, {}, true, true).front();
  const at::Tensor wanted =
      torch::autograd::grad({slope.flatten().dot(direction)}, {alpha}).front().flatten();
  const double largest = wanted.abs().max().item<double>();
  ASSERT_GT(largest, 0.0);
  EXPECT_LE(computed.sub(wanted).abs().max().item<double>(), 1e-6 * largest);
  expect_untouched();
}

TEST_F(SearchProbes, FindTheEndsOfTheFullMatrix) {
  const at::Tensor all = at::linalg_eigvalsh(full_matrix());
  HessianOptions options;
  options.step = kStep;
  options.lanczos = {static_cast<int>(network_.alpha.numel()), 1e-5};
  const probe::ExtremeEigenvalues found = alpha_eigenvalues(learner_, network_, valid_, options);
  const double largest = all[-1].item<double>();
  ASSERT_GT(largest, 0.0);
  EXPECT_NEAR(found.largest, largest, 1e-5 * largest);
  EXPECT_NEAR(found.smallest, all[0].item<double>(), 1e-2 * largest) << "not waited for";
  expect_untouched();
}

TEST_F(SearchProbes, TakeTenProductsAtMostUnlessAsked) {
  const probe::ExtremeEigenvalues found = alpha_eigenvalues(learner_, network_, valid_);
  EXPECT_LE(found.products, 10);
  EXPECT_GE(found.largest, found.smallest);
  expect_untouched();
}

TEST_F(SearchProbes, SeeTheJumpsAtKinksThatTheDerivativeAtAPointMisses) {
  HessianOptions at_a_point;
  at_a_point.step = kStep;
  EXPECT_NEAR(alpha_eigenvalues(learner_, network_, valid_).largest, 0.27, 0.01);
  EXPECT_NEAR(alpha_eigenvalues(learner_, network_, valid_, at_a_point).largest, 0.063, 0.001);
}

TEST_F(SearchProbes, FindEqualBatchesAligned) {
  EXPECT_NEAR(gradient_alignment(learner_, network_, train_, train_), 1.0, 1e-12);
  expect_untouched();
}

TEST_F(SearchProbes, MeasureTheCosineOfTheGradientsOfTwoBatches) {
  at::Tensor slopes[2];
  int side = 0;
  for (const LabelledBatch* on : {&train_, &valid_}) {
    nets::NetworkState copy = network_.clone();
    LossResult unused;
    slopes[side++] = learner_.gradients(copy, *on, nets::Wanted::kWeights, unused).weights;
  }
  const double wanted =
      (slopes[0].div(slopes[0].norm())).dot(slopes[1].div(slopes[1].norm())).item<double>();
  const double found = gradient_alignment(learner_, network_, train_, valid_);
  EXPECT_NEAR(found, wanted, 1e-12);
  EXPECT_LT(found, 1.0);
}

space::Genotype some_genotype() {
  const space::CellGenotype cell{
      {{space::Primitive::kSepConv3x3, 1}, {space::Primitive::kMaxPool3x3, 0}}, {2}};
  return {cell, cell};
}

TEST_F(SearchProbes, ProjectAlphaToExactlyTheKeptPrimitives) {
  const at::Tensor weights = at::softmax(one_hot_alpha(some_genotype(), network_.alpha), -1);
  at::Tensor wanted = at::zeros_like(network_.alpha);
  for (int kind = 0; kind < 2; ++kind) {
    wanted[kind][0][static_cast<int>(space::Primitive::kMaxPool3x3)] = 1.0;
    wanted[kind][1][static_cast<int>(space::Primitive::kSepConv3x3)] = 1.0;
  }
  EXPECT_TRUE(weights.equal(wanted));
}

TEST_F(SearchProbes, SilenceTheEdgesThatAreNotKept) {
  const at::Tensor like = at::zeros({2, 5, 8}, at::kDouble);
  space::CellGenotype cell{{{space::Primitive::kSkipConnect, 0},
                            {space::Primitive::kSkipConnect, 1},
                            {space::Primitive::kDilConv5x5, 2},
                            {space::Primitive::kSepConv5x5, 0}},
                           {2, 3}};
  const at::Tensor weights = at::softmax(one_hot_alpha({cell, cell}, like), -1);
  EXPECT_EQ(weights[0][3][static_cast<int>(space::Primitive::kNone)].item<double>(), 1.0)
      << "the second node does not keep state 1";
  EXPECT_EQ(weights[1][4][static_cast<int>(space::Primitive::kDilConv5x5)].item<double>(), 1.0);
}

// A signal is remembered by the whole process, so what it stops runs in a child.
template <class Probe>
[[noreturn]] void exit_with_signal_seen_by(Probe probe) {
  catch_interrupts();
  std::raise(SIGTERM);
  try {
    probe();
  } catch (const Interrupted& stop) {
    std::_Exit(stop.signal());
  }
  std::_Exit(1);
}

TEST_F(SearchProbes, StopAtASignal) {
  const auto stopped = ::testing::ExitedWithCode(SIGTERM);
  EXPECT_EXIT(exit_with_signal_seen_by([&] { alpha_eigenvalues(learner_, network_, valid_); }),
              stopped, "");
  EXPECT_EXIT(
      exit_with_signal_seen_by([&] { gradient_alignment(learner_, network_, train_, valid_); }),
      stopped, "");
  EXPECT_EXIT(exit_with_signal_seen_by(
                  [&] { discretised(*executor_, network_, some_genotype(), {&train_}); }),
              stopped, "");
}

TEST_F(SearchProbes, DeriveACellWithoutTheAuxiliarySkip) {
  nets::NetworkState helped = network_.clone();
  helped.auxiliary_skip = 1.0;
  EXPECT_EQ(helped.clone().auxiliary_skip, 1.0);
  const nets::NetworkState derived = discretised(*executor_, helped, some_genotype(), {&train_});
  EXPECT_EQ(derived.auxiliary_skip, 0.0);
  EXPECT_TRUE(derived.statistics.equal(
      discretised(*executor_, network_, some_genotype(), {&train_}).statistics));
}

TEST_F(SearchProbes, GiveADerivedCellTheStatisticsOfItsOwnStates) {
  const nets::NetworkState derived =
      discretised(*executor_, network_, some_genotype(), {&train_, &valid_});
  expect_untouched();
  // With the momentum taken out again, a training pass over a batch leaves 0.9 r + 0.1 b.
  at::Tensor mean = at::zeros_like(network_.statistics);
  for (const LabelledBatch* on : {&train_, &valid_}) {
    nets::NetworkState copy = derived;
    copy.statistics = network_.statistics.clone();
    executor_->forward(copy, on->images, {nets::Mode::kTrain, nets::Wanted::kNothing});
    mean.add_(copy.statistics.sub(network_.statistics, 0.9).mul(5.0));
  }
  EXPECT_LE(derived.statistics.sub(mean).abs().max().item<double>(), 1e-12);
  EXPECT_GT(derived.statistics.sub(network_.statistics).abs().max().item<double>(), 0.1);
}

}  // namespace
}  // namespace probedarts::learn
