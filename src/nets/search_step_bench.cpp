// Seconds of one first-order search step (alpha's forward and backward, then the weights'),
// composed and fused, and GFLOP/s of the fused one.
//     search_step_bench stem=pathology channels=16 cells=4 nodes=4 size=64 batch=32 threads=2
//     steps=5 executor=fused
// Optimisers are left out: they are single passes over a few MB. The peer's line comes from the
// same options of PyTorch.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include "core/random.hpp"
#include "kernels/simd_target.hpp"
#include "nets/executor.hpp"
#include "nets/fused_plan.hpp"

namespace probedarts::nets {
namespace {

using Options = std::map<std::string, std::string>;

/// Multiply-adds of all convolutions of one forward pass.
double multiply_adds(const fused::Plan& plan, const NetworkLayout& layout) {
  double sum = 0.0;
  const auto add_product = [&](const fused::GatherUnit& unit) {
    for (const fused::WeightPiece& piece : unit.pieces) {
      sum += static_cast<double>(piece.in_count) * piece.out_count *
             static_cast<double>(unit.shape.out.pixels());
    }
  };
  const auto add_block = [&](const fused::BlockUnit& unit) {
    const double taps = unit.shape.kernel * unit.shape.kernel;
    sum += unit.channels * (taps + unit.channels) * static_cast<double>(unit.shape.out.pixels());
  };
  for (const fused::State& state : plan.states) {
    if (state.made_by) {
      add_product(*state.made_by);
    }
    for (const fused::GatherUnit& unit : state.reduces) {
      add_product(unit);
    }
    for (const fused::BlockUnit& unit : state.firsts) {
      add_block(unit);
    }
    for (const fused::SecondBlock& second : state.seconds) {
      add_block(second.block);
    }
  }
  return sum * plan.batch + static_cast<double>(layout.feature_channels) * plan.batch;
}

at::Tensor random_tensor(at::IntArrayRef shape, const std::string& name) {
  at::Tensor values = at::empty(shape, at::kFloat);
  Stream stream(1, name);
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    values.data_ptr<float>()[i] = static_cast<float>(stream.normal());
  }
  return values;
}

/// Processor seconds of all threads: on a busy machine steadier than the clock.
double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void measure(const Options& options) {
  const auto number = [&](const char* key) { return std::stoi(options.at(key)); };
  space::NetworkSpec spec;
  spec.stem = *space::stem_named(options.at("stem"));
  spec.channels = number("channels");
  spec.cells = number("cells");
  spec.nodes = number("nodes");
  const int size = number("size");
  const int batch = number("batch");
  const NetworkLayout layout = lay_out(spec);
  const auto executor = options.at("executor") == "fused"
                            ? make_fused_executor(layout, number("threads"))
                            : make_composed_executor(layout);
  at::set_num_threads(number("threads"));
  NetworkState state = initial_state(layout, Precision::kFloat32, 1);
  const at::Tensor images =
      random_tensor({batch, 3, size, size}, "images").contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor gradient = random_tensor({batch, spec.classes}, "gradient").div_(batch);
  std::vector<double> alpha_steps;
  std::vector<double> weight_steps;
  std::vector<double> alpha_processor;
  std::vector<double> weight_processor;
  for (int step = 0; step <= number("steps"); ++step) {
    for (const Wanted wanted : {Wanted::kAlpha, Wanted::kWeights}) {
      const auto start = std::chrono::steady_clock::now();
      const double processor_start = processor_seconds();
      executor->forward(state, images, {Mode::kTrain, wanted});
      executor->backward({gradient, {}});
      if (step > 0) {  // the first one builds plans and touches memory
        (wanted == Wanted::kAlpha ? alpha_steps : weight_steps).push_back(seconds_since(start));
        (wanted == Wanted::kAlpha ? alpha_processor : weight_processor)
            .push_back(processor_seconds() - processor_start);
      }
    }
  }
  const auto low = [](std::vector<double> values) {
    return *std::min_element(values.begin(), values.end());
  };
  const auto middle = [](std::vector<double> values) {
    std::nth_element(values.begin(),
                     values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
  };
  const fused::Plan plan = fused::make_plan(layout, batch, size, size);
  // forward twice, backward in the inputs twice and in the weights once: five times the forward's
  // work.
  const double flops = 2.0 * 5.0 * multiply_adds(plan, layout);
  std::printf(
      "{\"executor\": \"%s\", \"target\": \"%s\", \"threads\": %d, \"alpha_min\": %.4f, "
      "\"weights_min\": %.4f, "
      "\"seconds_min\": %.4f, \"seconds_median\": %.4f, \"gflops_at_min\": %.1f, "
      "\"processor_min\": [%.4f, %.4f], \"arena_mib\": "
      "%.0f}\n",
      options.at("executor").c_str(), kernels::simd_target().c_str(), number("threads"),
      low(alpha_steps), low(weight_steps), low(alpha_steps) + low(weight_steps),
      middle(alpha_steps) + middle(weight_steps),
      flops / (low(alpha_steps) + low(weight_steps)) * 1e-9, low(alpha_processor),
      low(weight_processor), static_cast<double>(plan.arena_floats) * 4.0 / (1 << 20));
}

}  // namespace
}  // namespace probedarts::nets

int main(int count, char** arguments) {
  std::map<std::string, std::string> options = {
      {"stem", "pathology"}, {"channels", "16"}, {"cells", "4"},
      {"nodes", "4"},        {"size", "64"},     {"batch", "32"},
      {"threads", "2"},      {"steps", "5"},     {"executor", "fused"}};
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || !options.contains(argument.substr(0, equals))) {
      std::fprintf(stderr,
                   "unknown option %s; options are key=value as in the head of the source\n",
                   arguments[i]);
      return 2;
    }
    options[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
  probedarts::nets::measure(options);
  return 0;
}
