// Probing all 1,395 convolutions of the CIFAR supernet (C 16, L 8, N 4) with random weights.
#include <cmath>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include "core/random.hpp"
#include "probe/stable_rank.hpp"

namespace probedarts::probe {
namespace {

/// The weights in parameter order, with what makes a target of each.
struct Weights {
  std::vector<at::Tensor> tensors;
  std::vector<bool> depthwise;

  void add(std::int64_t out, std::int64_t in, std::int64_t kernel, bool is_depthwise = false) {
    Stream stream(1, "probe_bench", 0, tensors.size());
    std::vector<float> values(static_cast<std::size_t>(out * in * kernel * kernel));
    const double bound = 1.0 / std::sqrt(static_cast<double>(in * kernel * kernel));
    for (float& value : values) {
      value = static_cast<float>(stream.uniform(-bound, bound));
    }
    tensors.push_back(at::from_blob(values.data(), {out, in, kernel, kernel}, at::kFloat).clone());
    depthwise.push_back(is_depthwise);
  }

  void add_factorised_reduce(std::int64_t in, std::int64_t out) {
    add(out / 2, in, 1);
    add(out / 2, in, 1);
  }

  void add_edge(std::int64_t channels, bool strided) {
    if (strided) {
      add_factorised_reduce(channels, channels);
    }
    for (const std::int64_t kernel :
         {3, 3, 5, 5, 3, 5}) {  // two of each sep_conv, one of each dil_conv
      add(channels, 1, kernel, true);
      add(channels, channels, 1);
    }
  }
};

Weights cifar_supernet() {
  constexpr int kCells = 8;
  constexpr int kNodes = 4;
  Weights weights;
  weights.add(48, 3, 3);
  std::int64_t channels = 16;
  std::int64_t before_last = 48;
  std::int64_t last = 48;
  bool reduced = false;
  for (int cell = 0; cell < kCells; ++cell) {
    const bool reduces = cell == kCells / 3 || cell == 2 * kCells / 3;
    channels *= reduces ? 2 : 1;
    if (reduced) {
      weights.add_factorised_reduce(before_last, channels);
    } else {
      weights.add(channels, before_last, 1);
    }
    weights.add(channels, last, 1);
    for (int node = 0; node < kNodes; ++node) {
      for (int state = 0; state < 2 + node; ++state) {
        weights.add_edge(channels, reduces && state < 2);
      }
    }
    before_last = last;
    last = kNodes * channels;
    reduced = reduces;
  }
  return weights;
}

void probe_cifar_supernet(benchmark::State& state) {
  const Weights weights = cifar_supernet();
  std::vector<ProbeTarget> targets;
  for (std::size_t i = 0; i < weights.tensors.size(); ++i) {
    targets.push_back({&weights.tensors[i], weights.depthwise[i]});
  }
  if (targets.size() != 1395) {
    state.SkipWithError("not the 1,395 convolutions of the CIFAR supernet");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(probe_layers(targets, static_cast<int>(state.range(0))));
  }
}

BENCHMARK(probe_cifar_supernet)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace probedarts::probe
