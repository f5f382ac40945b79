// What a step of the fused executor takes from the heap, on every SIMD target, and what its
// inference remembers.

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "core/random.hpp"
#include "kernels/simd_target.hpp"
#include "nets/executor.hpp"
#include "nets/fused_inference.hpp"
#include "nets/torch_runtime.hpp"
#include "space/published.hpp"

namespace {

std::atomic<bool> counting{false};
std::atomic<long> allocations{0};

}  // namespace

// Every allocation of C++ code in this executable goes through here. Not inlined: GCC would see a
// free() of what another function's operator new made.
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  if (counting.load(std::memory_order_relaxed)) {
    allocations.fetch_add(1, std::memory_order_relaxed);
  }
  return std::malloc(bytes);
}
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) {
    return memory;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace probedarts::nets {
namespace {

space::NetworkSpec search_network(int cells, int nodes) {
  space::NetworkSpec spec;
  spec.channels = 8;
  spec.cells = cells;
  spec.nodes = nodes;
  return spec;
}

space::NetworkSpec derived_network() {
  space::NetworkSpec spec;
  spec.stem = space::Stem::kPathology;
  spec.channels = 12;
  spec.cells = 4;
  spec.genotype = space::published_genotype("DARTS_ADP_N4");
  spec.nodes = spec.genotype->nodes();
  return spec;
}

at::Tensor images(int batch, int side) {
  at::Tensor values = at::empty({batch, 3, side, side}, at::kFloat);
  Stream stream(5, "images");
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    values.data_ptr<float>()[i] = static_cast<float>(stream.normal());
  }
  return values;
}

/// Allocations of the third forward and backward.
long allocations_of_a_step(const space::NetworkSpec& spec, int side) {
  set_threads(1);
  const NetworkLayout layout = lay_out(spec);
  const auto executor = make_fused_executor(layout, 2);
  NetworkState state = initial_state(layout, Precision::kFloat32, 1);
  const at::Tensor batch = images(4, side);
  const at::Tensor gradient = at::zeros({4, spec.classes}, at::kFloat);
  for (int step = 0; step < 3; ++step) {
    allocations = 0;
    counting = step == 2;
    executor->forward(state, batch, {Mode::kTrain, Wanted::kWeights});
    executor->backward({gradient, {}});
    counting = false;
  }
  return allocations.load();
}

TEST(FusedExecutor, AllocatesOnlyTheTensorsThatItReturns) {
  // Logits and gradient, with what LibTorch keeps about a tensor: the same few whatever the
  // network.
  const long small = allocations_of_a_step(search_network(1, 1), 8);
  EXPECT_LE(small, 24);
  EXPECT_EQ(allocations_of_a_step(search_network(6, 4), 16), small);
  EXPECT_EQ(allocations_of_a_step(derived_network(), 64), small);
}

class OnTarget : public testing::TestWithParam<std::string> {};

TEST_P(OnTarget, TrainsAndInfersLikeTheBestTarget) {
  const NetworkLayout layout = lay_out(derived_network());
  const at::Tensor batch = images(3, 52);
  const at::Tensor gradient = at::zeros({3, 10}, at::kFloat).add_(0.1);
  const auto outcome = [&] {
    NetworkState state = initial_state(layout, Precision::kFloat32, 1);
    const auto executor = make_fused_executor(layout, 2);
    const at::Tensor logits =
        executor->forward(state, batch, {Mode::kTrain, Wanted::kWeights}).main;
    const at::Tensor weights = executor->backward({gradient, {}}).weights;
    const at::Tensor evaluated =
        executor->forward(state, batch, {Mode::kEvaluate, Wanted::kNothing}).main;
    return std::vector<at::Tensor>{logits, weights, evaluated};
  };
  const std::vector<at::Tensor> best = outcome();
  const kernels::ForcedSimdTarget forced(GetParam());
  const std::vector<at::Tensor> here = outcome();
  for (std::size_t i = 0; i < best.size(); ++i) {
    // Sums in another order: a few float32 roundings in a chain of two dozen layers.
    EXPECT_LE(here[i].sub(best[i]).norm().item<double>(), 1e-4 * best[i].norm().item<double>())
        << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, OnTarget, testing::ValuesIn(kernels::simd_targets()));

TEST(FusedInference, NoticesThatWeightsOrStatisticsMoved) {
  const NetworkLayout layout = lay_out(derived_network());
  const auto executor = make_fused_executor(layout, 1);
  NetworkState state = initial_state(layout, Precision::kFloat32, 1);
  const at::Tensor batch = images(2, 40);
  const auto logits = [&](Executor& used) {
    return used.forward(state, batch, {Mode::kEvaluate, Wanted::kNothing}).main;
  };
  logits(*executor);
  state.weights.data_ptr<float>()[0] += 1.0F;
  EXPECT_TRUE(logits(*executor).equal(logits(*make_fused_executor(layout, 1))));
  state.statistics.data_ptr<float>()[0] += 1.0F;
  EXPECT_TRUE(logits(*executor).equal(logits(*make_fused_executor(layout, 1))));
}

TEST(FusedInference, GivesAnImageTheSameBitsInAnyBatch) {
  const NetworkLayout layout = lay_out(derived_network());
  const auto executor = make_fused_executor(layout, 3);
  NetworkState state = initial_state(layout, Precision::kFloat32, 1);
  const at::Tensor batch = images(5, 47);
  const ForwardOptions options{Mode::kEvaluate, Wanted::kNothing};
  const at::Tensor together = executor->forward(state, batch, options).main;
  const at::Tensor alone = executor->forward(state, batch.narrow(0, 3, 1), options).main;
  EXPECT_TRUE(alone[0].equal(together[3]));
}

TEST(ShareArena, NeedsLessThanAllMapsTogether) {
  const NetworkLayout layout = lay_out(derived_network());
  fused::Plan plan = fused::make_plan(layout, 1, 64, 64);
  EXPECT_LT(fused::share_arena(plan), plan.arena_floats / 4);
}

TEST(FusedExecutor, TakesASmallerLastBatch) {
  const NetworkLayout layout = lay_out(search_network(2, 2));
  const auto executor = make_fused_executor(layout, 2);
  NetworkState state = initial_state(layout, Precision::kFloat32, 1);
  NetworkState fresh = state.clone();
  executor->forward(state, images(20, 12), {Mode::kEvaluate, Wanted::kWeights});
  const at::Tensor last = images(3, 12);
  const ForwardOptions options{Mode::kTrain, Wanted::kWeights};
  const at::Tensor logits = executor->forward(state, last, options).main;
  EXPECT_TRUE(logits.equal(make_fused_executor(layout, 2)->forward(fresh, last, options).main));
}

}  // namespace
}  // namespace probedarts::nets
