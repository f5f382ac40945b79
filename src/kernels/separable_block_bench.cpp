// GFLOP/s of one image through a block, at the shapes of a search.

#include <algorithm>

#include <benchmark/benchmark.h>

#include "kernels/memory.hpp"
#include "kernels/separable_block.hpp"

namespace probedarts::kernels {
namespace {

enum class Pass { kForward, kBackward, kBackwardInputOnly };

FloatBuffer filled(std::size_t floats, float value) {
  FloatBuffer buffer;
  buffer.reserve(floats);
  std::fill_n(buffer.data(), floats, value);
  return buffer;
}

void run_block(benchmark::State& bench, Pass pass) {
  const auto number = [&](int i) { return static_cast<int>(bench.range(i)); };
  const int channels = number(0);
  const int side = number(1);
  const BlockShape shape{
      {side, side, channels},
      {strided_extent(side, number(4)), strided_extent(side, number(4)), channels},
      number(2),
      number(3),
      number(4)};
  const auto wide = static_cast<std::size_t>(channels);
  FloatBuffer padded = filled(padded_floats(shape.in, shape.padding()), 0.5F);
  FloatBuffer depthwise = filled(25 * wide, 0.1F);
  FloatBuffer pointwise = filled(wide * wide, 0.1F);
  FloatBuffer y = filled(shape.out.floats(), 0.1F);
  FloatBuffer g = filled(shape.out.floats(), 0.1F);
  FloatBuffer dx = filled(shape.in.floats(), 0.0F);
  FloatBuffer d_depthwise = filled(25 * wide, 0.0F);
  FloatBuffer d_pointwise = filled(wide * wide, 0.0F);
  FloatBuffer coefficients = filled(wide, 1e-3F);
  FloatBuffer mean = filled(wide, 0.0F);
  FloatBuffer deviation = filled(wide, 0.0F);
  FloatBuffer scratch = filled(block_scratch_floats(shape), 0.0F);
  const PaddedImage image{padded.data(), shape.in, shape.padding()};
  const BlockWeights weights{depthwise.data(), pointwise.data(), pointwise.data()};
  const Cotangent cotangent{g.data(), y.data(), coefficients.data(), coefficients.data(),
                            coefficients.data()};
  const BlockGradients gradients{pass == Pass::kBackward ? d_depthwise.data() : nullptr,
                                 pass == Pass::kBackward ? d_pointwise.data() : nullptr};
  std::int64_t count = 0;
  const Moments moments{mean.data(), deviation.data(), &count};
  for (auto _ : bench) {
    if (pass == Pass::kForward) {
      count = 0;
      block_forward(shape, image, weights, scratch.data(), y.data(), &moments);
    } else {
      block_backward(shape, image, weights, cotangent, gradients, scratch.data(), Into::kAdd,
                     dx.data());
    }
  }
  const double work = 2.0 * channels * (channels + shape.kernel * shape.kernel) *
                      static_cast<double>(shape.out.pixels()) *
                      (pass == Pass::kBackward ? 2.0 : 1.0);
  bench.counters["GFLOP/s"] =
      benchmark::Counter(work * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"C", "side", "k", "d", "s"})->UseRealTime();
  for (const auto& [channels, side] : {std::pair{16, 32}, {32, 16}, {64, 8}, {64, 4}}) {
    bench->Args({channels, side, 3, 1, 1})
        ->Args({channels, side, 5, 1, 1})
        ->Args({channels, side, 5, 2, 1});
  }
  bench->Args({48, 17, 3, 1, 1})->Args({16, 32, 5, 1, 2});
}

void forward(benchmark::State& bench) { run_block(bench, Pass::kForward); }
void backward(benchmark::State& bench) { run_block(bench, Pass::kBackward); }
void backward_input_only(benchmark::State& bench) { run_block(bench, Pass::kBackwardInputOnly); }
BENCHMARK(forward)->Apply(shapes);
BENCHMARK(backward)->Apply(shapes);
BENCHMARK(backward_input_only)->Apply(shapes);

}  // namespace
}  // namespace probedarts::kernels
