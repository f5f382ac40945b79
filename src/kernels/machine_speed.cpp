#include "kernels/machine_speed.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/machine_speed.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/memory.hpp"
#include "kernels/simd-inl.hpp"
#include "kernels/thread_pool.hpp"

HWY_BEFORE_NAMESPACE();
namespace probedarts::kernels {
namespace HWY_NAMESPACE {
namespace {

constexpr int kChains = kManyRegisters ? 16 : 12;  // latency times ports of any processor so far

/// \returns floating-point operations done. The sum keeps the compiler from dropping the work.
double fma_chains(long rounds, float* sink) {
  Vector chain[kChains];
  HWY_UNROLL(16)
  for (int i = 0; i < kChains; ++i) {
    chain[i] = broadcast(static_cast<float>(i));
  }
  const Vector factor = broadcast(0.999F);
  const Vector addend = broadcast(*sink);
  for (long round = 0; round < rounds; ++round) {
    HWY_UNROLL(16)
    for (int i = 0; i < kChains; ++i) {
      chain[i] = hn::MulAdd(chain[i], factor, addend);
    }
  }
  Vector sum = zero();
  HWY_UNROLL(16)
  for (int i = 0; i < kChains; ++i) {
    sum = hn::Add(sum, chain[i]);
  }
  *sink = hn::GetLane(sum);
  return 2.0 * static_cast<double>(rounds) * kChains * kLanes;
}

void triad(const float* b, const float* c, float* a, std::size_t floats) {
  const Vector scale = broadcast(1.5F);
  for (std::size_t i = 0; i < floats; i += kLanes) {
    store(hn::MulAdd(scale, load(c + i), load(b + i)), a + i);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace probedarts::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace probedarts::kernels {

HWY_EXPORT(fma_chains);
HWY_EXPORT(triad);

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

MachineSpeed measure_machine(int threads) {
  constexpr int kRepeats = 7;
  constexpr long kRounds = 4'000'000;
  constexpr std::size_t kFloats = std::size_t{24} << 20;  // three arrays of 96 MiB
  ThreadPool pool(threads);
  MachineSpeed speed{threads, 0.0, 0.0};
  FloatBuffer a;
  FloatBuffer b;
  FloatBuffer c;
  for (FloatBuffer* buffer : {&a, &b, &c}) {
    buffer->reserve(kFloats);
    std::fill_n(buffer->data(), kFloats, 1.0F);
  }
  std::vector<float> sinks(static_cast<std::size_t>(threads) * kChannelBlock, 1.0F);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    std::vector<double> work(static_cast<std::size_t>(threads));
    auto start = Clock::now();
    pool.run(threads, [&](int task, int) {
      const auto at = static_cast<std::size_t>(task);
      work[at] = HWY_DYNAMIC_DISPATCH(fma_chains)(kRounds, &sinks[at * kChannelBlock]);
    });
    const double fma_seconds = seconds_since(start);
    double operations = 0.0;
    for (const double part : work) {
      operations += part;
    }
    speed.fma_gflops = std::max(speed.fma_gflops, operations / fma_seconds * 1e-9);
    start = Clock::now();
    const std::size_t share =
        kFloats / static_cast<std::size_t>(threads) / kChannelBlock * kChannelBlock;
    pool.run(threads, [&](int task, int) {
      const std::size_t first = static_cast<std::size_t>(task) * share;
      HWY_DYNAMIC_DISPATCH(triad)
      (b.data() + first, c.data() + first, a.data() + first, share);
    });
    const double bytes = 3.0 * sizeof(float) * static_cast<double>(share) * threads;
    speed.bandwidth_gbytes = std::max(speed.bandwidth_gbytes, bytes / seconds_since(start) * 1e-9);
  }
  return speed;
}

}  // namespace probedarts::kernels
#endif  // HWY_ONCE
