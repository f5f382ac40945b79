// Images per second out of the loader at the pathology preset: 64 px patches from the cache, flips
// and affine, normalised; by number of prefetching threads.

#include <numeric>

#include <benchmark/benchmark.h>

#include "data/loader.hpp"
#include "support/noise_dataset.hpp"

namespace probedarts::data {
namespace {

void one_epoch(benchmark::State& bench) {
  constexpr int kImages = 512;
  const testing::ScratchFolder folder;
  const Dataset dataset = testing::noise_dataset(folder, kImages, 2, 2);
  const PatchCache cache = PatchCache::open(dataset, testing::cache_options(folder, 64));
  std::vector<std::size_t> indices(kImages);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  LoaderOptions options;
  options.augmentation = {true, true, 45.0, 0.1, 0, 0};
  options.threads = static_cast<int>(bench.range(0));
  Loader loader(cache, Split::kTrain, indices, options);
  std::uint64_t epoch = 0;
  for (auto _ : bench) {
    loader.start_epoch(epoch++);
    while (const auto batch = loader.next()) {
      benchmark::DoNotOptimize(batch->images.data());
    }
  }
  bench.counters["images/s"] =
      benchmark::Counter(kImages, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(one_epoch)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
}  // namespace probedarts::data
