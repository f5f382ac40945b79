#include "kernels/kernel_speed.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include <fmt/format.h>

#include "kernels/gathered_pointwise.hpp"
#include "kernels/memory.hpp"
#include "kernels/mix.hpp"
#include "kernels/pool.hpp"
#include "kernels/separable_block.hpp"

namespace probedarts::kernels {
namespace {

FloatBuffer filled(std::size_t floats, float value) {
  FloatBuffer buffer;
  buffer.reserve(floats);
  std::fill_n(buffer.data(), floats, value);
  return buffer;
}

/// Fastest of seven rounds of a few milliseconds each.
double fastest_seconds(const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  constexpr double kRoundSeconds = 0.004;
  constexpr int kRounds = 7;
  run();
  int calls = 1;
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds;) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) {
      run();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (seconds < kRoundSeconds) {
      calls *= 2;
      continue;
    }
    best = std::min(best, seconds / calls);
    ++round;
  }
  return best;
}

class Measurement {
 public:
  std::vector<KernelSpeed> speeds;

  void add(const std::string& kernel, const std::string& shape, double multiply_adds, double floats,
           const std::function<void()>& run) {
    const double seconds = fastest_seconds(run);
    speeds.push_back(
        {kernel, shape, seconds, 2e-9 * multiply_adds / seconds, 4e-9 * floats / seconds});
  }

  void block(int channels, int side, int kernel, int dilation, int stride) {
    const int wide = padded_channels(channels);
    const int out = strided_extent(side, stride);
    const BlockShape shape{{side, side, wide}, {out, out, wide}, kernel,
                           dilation,           stride,           channels};
    const auto columns = static_cast<std::size_t>(wide);
    FloatBuffer padded = filled(padded_floats(shape.in, shape.padding()), 0.5F);
    FloatBuffer depthwise = filled(25 * columns, 0.1F);
    FloatBuffer pointwise = filled(columns * columns, 0.1F);
    FloatBuffer y = filled(shape.out.floats(), 0.1F);
    FloatBuffer g = filled(shape.out.floats(), 0.1F);
    FloatBuffer dx = filled(shape.in.floats(), 0.0F);
    FloatBuffer d_depthwise = filled(25 * columns, 0.0F);
    FloatBuffer d_pointwise = filled(columns * columns, 0.0F);
    FloatBuffer coefficients = filled(columns, 1e-3F);
    FloatBuffer mean = filled(columns, 0.0F);
    FloatBuffer deviation = filled(columns, 0.0F);
    FloatBuffer scratch = filled(block_scratch_floats(shape), 0.0F);
    const PaddedImage image{padded.data(), shape.in, shape.padding()};
    const BlockWeights weights{depthwise.data(), pointwise.data(), pointwise.data()};
    const Cotangent cotangent{g.data(), y.data(), coefficients.data(), coefficients.data(),
                              coefficients.data()};
    std::int64_t count = 0;
    const Moments moments{mean.data(), deviation.data(), &count};
    const std::string text = fmt::format("C {}, {}x{}, {}x{} dilation {} stride {}", channels, side,
                                         side, kernel, kernel, dilation, stride);
    const double work = static_cast<double>(channels) * (channels + kernel * kernel) *
                        static_cast<double>(shape.out.pixels());
    const auto floats = static_cast<double>(shape.in.floats() + shape.out.floats());
    add("block forward", text, work, floats, [&] {
      count = 0;
      block_forward(shape, image, weights, scratch.data(), y.data(), &moments);
    });
    for (const bool with_weights : {true, false}) {
      const BlockGradients gradients{with_weights ? d_depthwise.data() : nullptr,
                                     with_weights ? d_pointwise.data() : nullptr};
      add(with_weights ? "block backward" : "block backward, input only", text,
          work * (with_weights ? 2.0 : 1.0), 2.0 * floats, [&] {
            block_backward(shape, image, weights, cotangent, gradients, scratch.data(),
                           Into::kAssign, dx.data());
          });
    }
  }

  void pool(int channels, int side, int stride) {
    const int wide = padded_channels(channels);
    const int out = strided_extent(side, stride);
    const PoolShape shape{{side, side, wide}, {out, out, wide}, stride};
    FloatBuffer x = filled(shape.in.floats(), 0.5F);
    FloatBuffer y = filled(shape.out.floats(), 0.5F);
    FloatBuffer dx = filled(shape.in.floats(), 0.0F);
    const std::string text = fmt::format("C {}, {}x{}, stride {}", channels, side, side, stride);
    const auto floats = static_cast<double>(shape.in.floats() + shape.out.floats());
    add("max pool", text, 0.0, floats, [&] { max_pool(shape, x.data(), y.data(), nullptr); });
    add("max pool backward", text, 0.0, 2.0 * floats,
        [&] { max_pool_backward(shape, x.data(), y.data(), y.data(), dx.data()); });
    add("average pool", text, 0.0, floats,
        [&] { average_pool(shape, x.data(), y.data(), nullptr); });
    add("average pool backward", text, 0.0, floats,
        [&] { average_pool_backward(shape, y.data(), dx.data()); });
  }

  /// The 1x1 convolution over four concatenated maps.
  void product(int channels, int side) {
    constexpr int kMaps = 4;
    const int wide = padded_channels(channels);
    const MapShape map{side, side, wide};
    const GatherShape shape{map, kMaps * channels, Rectify::kYes, wide, channels, channels};
    FloatBuffer x = filled(kMaps * map.floats(), 0.5F);
    FloatBuffer dx = filled(kMaps * map.floats(), 0.0F);
    FloatBuffer y = filled(map.floats(), 0.1F);
    FloatBuffer weights = filled(static_cast<std::size_t>(shape.depth_pitch() * wide), 0.1F);
    FloatBuffer gradient = filled(static_cast<std::size_t>(shape.depth_pitch() * wide), 0.0F);
    FloatBuffer scratch = filled(gather_scratch_floats(shape), 0.0F);
    FloatBuffer coefficients = filled(static_cast<std::size_t>(wide), 1e-3F);
    std::vector<GatherSource> sources;
    for (std::size_t i = 0; i < kMaps; ++i) {
      sources.push_back({x.data() + i * map.floats(), dx.data() + i * map.floats(), map, 1, 0, 0});
    }
    const Cotangent cotangent{y.data(), y.data(), coefficients.data(), coefficients.data(),
                              coefficients.data()};
    const std::string text =
        fmt::format("{} x C {} to {}, {}x{}", kMaps, channels, channels, side, side);
    const double work =
        static_cast<double>(kMaps * channels) * channels * static_cast<double>(map.pixels());
    const auto floats = static_cast<double>((kMaps + 1) * map.floats());
    add("product forward", text, work, floats, [&] {
      gathered_forward(shape, sources, weights.data(), nullptr, scratch.data(), y.data(), nullptr);
    });
    add("product backward", text, 2.0 * work, 2.0 * floats, [&] {
      gathered_backward(shape, sources, weights.data(), cotangent, scratch.data(), gradient.data());
    });
  }

  void sums(int channels, int side, int terms) {
    const MapShape map{side, side, padded_channels(channels)};
    const auto count = static_cast<std::size_t>(terms);
    FloatBuffer x = filled(count * map.floats(), 0.5F);
    FloatBuffer y = filled(map.floats(), 0.0F);
    FloatBuffer scale = filled(static_cast<std::size_t>(map.channels), 0.5F);
    FloatBuffer sum = filled(static_cast<std::size_t>(map.channels), 0.0F);
    std::vector<MixTerm> mixed;
    std::vector<ProductTerm> products;
    for (std::size_t i = 0; i < count; ++i) {
      mixed.push_back({x.data() + i * map.floats(), scale.data()});
      products.push_back({x.data() + i * map.floats(), scale.data(), sum.data()});
    }
    const std::string text = fmt::format("{} terms, C {}, {}x{}", terms, channels, side, side);
    const double floats = static_cast<double>(count + 1) * static_cast<double>(map.floats());
    const double work = static_cast<double>(terms * channels) * static_cast<double>(map.pixels());
    const auto pixels = static_cast<int>(map.pixels());
    add("weighted sum", text, work, floats,
        [&] { mix(mixed, scale.data(), pixels, map.channels, Into::kAssign, y.data()); });
    add("sums of products", text, work, floats,
        [&] { sum_products(y.data(), products, pixels, map.channels, sum.data()); });
  }
};

}  // namespace

std::vector<KernelSpeed> measure_kernels() {
  Measurement measurement;
  for (const auto& [channels, side] : {std::pair{16, 32}, {32, 16}, {64, 8}, {36, 34}, {72, 17}}) {
    measurement.block(channels, side, 3, 1, 1);
    measurement.block(channels, side, 5, 1, 1);
    measurement.block(channels, side, 5, 2, 1);
  }
  measurement.block(16, 32, 5, 1, 2);
  for (const auto& [channels, side] : {std::pair{16, 32}, {36, 34}, {72, 34}, {144, 17}}) {
    measurement.product(channels, side);
  }
  measurement.pool(16, 32, 1);
  measurement.pool(36, 68, 2);
  measurement.sums(16, 32, 14);
  return measurement.speeds;
}

}  // namespace probedarts::kernels
