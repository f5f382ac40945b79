#include <algorithm>
#include <cstdio>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/machine.hpp"
#include "core/version.hpp"
#include "kernels/kernel_speed.hpp"
#include "kernels/machine_speed.hpp"
#include "kernels/simd_target.hpp"
#include "learn/options.hpp"
#include "learn/step_timing.hpp"
#include "nets/torch_runtime.hpp"
#include "space/published.hpp"

namespace probedarts::cli {
namespace {

using learn::StepTask;
using learn::TimedStep;
using nlohmann::ordered_json;

struct TaskName {
  std::string_view name;
  StepTask task;
};
constexpr TaskName kTasks[] = {{"search-step", StepTask::kSearch},
                               {"train-step", StepTask::kTrain},
                               {"infer", StepTask::kInfer}};

struct StepRequest {
  std::string task = "search-step";
  int channels = 16, cells = 8, nodes = 4, size = 32, batch = 64, order = 1, threads = 2,
      classes = 10, steps = 5;
  std::string genotype = "n4", stem, executor = "auto";
};

constexpr double kMost = 65536;

space::Genotype short_genotype(const std::string& name) {
  for (const std::string& candidate : {name, "DARTS_ADP_" + name, "DARTS_" + name}) {
    std::string upper = candidate;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
    if (const auto found = space::published_genotype(upper)) {
      return *found;
    }
  }
  throw UserError(
      fmt::format("--genotype: '{}' is no published cell; use n2, n3, n4, v1 or v2", name));
}

TimedStep step_of(const StepRequest& request) {
  TimedStep step;
  const auto* row = std::find_if(std::begin(kTasks), std::end(kTasks),
                                 [&](const TaskName& task) { return task.name == request.task; });
  if (row == std::end(kTasks)) {
    throw UserError(fmt::format("bench step: '{}' is no task; use search-step, train-step or infer",
                                request.task));
  }
  step.task = row->task;
  const bool search = step.task == StepTask::kSearch;
  const std::string stem = !request.stem.empty() ? request.stem : search ? "cifar" : "pathology";
  learn::check_choice("stem", stem, {"pathology", "cifar"});
  learn::check_choice("executor", request.executor, {"auto", "composed", "fused"});
  step.spec.stem = *space::stem_named(stem);
  step.spec.channels = request.channels;
  step.spec.cells = request.cells;
  step.spec.classes = request.classes;
  step.spec.nodes = request.nodes;
  if (!search) {
    step.spec.genotype = short_genotype(request.genotype);
    step.spec.nodes = step.spec.genotype->nodes();
  }
  learn::check_range("batch", request.batch, 1, kMost);
  learn::check_range("threads", request.threads, 1, 1024);
  learn::check_range("steps", request.steps, 1, kMost);
  learn::check_range("order", request.order, 1, 2);
  space::validate(step.spec);
  space::validate_image_size(step.spec, request.size, request.size);
  step.size = request.size;
  step.batch = request.batch;
  step.order = request.order;
  step.threads = request.threads;
  step.steps = request.steps;
  step.executor = request.executor;
  return step;
}

ordered_json task_json(const StepRequest& request) {
  return {
      {"task", request.task},        {"channels", request.channels}, {"cells", request.cells},
      {"nodes", request.nodes},      {"size", request.size},         {"batch", request.batch},
      {"order", request.order},      {"threads", request.threads},   {"classes", request.classes},
      {"steps", request.steps},      {"genotype", request.genotype}, {"stem", request.stem},
      {"executor", request.executor}};
}

int bench_step(std::vector<std::string> arguments) {
  StepRequest request;
  bool as_json = true;
  const auto app = make_parser(
      "Times whole steps and prints one JSON line, to be put beside the same work of another "
      "program.",
      "probedarts bench step");
  app->add_option("task,--task", request.task, "search-step, train-step or infer");
  app->add_option("--channels", request.channels, "of the first cells");
  app->add_option("--cells", request.cells);
  app->add_option("--nodes", request.nodes, "of the search cell");
  app->add_option("--size", request.size, "of the square images, px");
  app->add_option("--batch", request.batch, "images");
  app->add_option("--order", request.order, "of the search, 1 or 2");
  app->add_option("--classes", request.classes);
  app->add_option("--genotype", request.genotype, "of train-step and infer: n2, n3, n4, v1, v2");
  app->add_option("--stem", request.stem,
                  "cifar or pathology; empty: cifar for search-step, else pathology");
  app->add_option("--executor", request.executor, "auto, composed or fused");
  app->add_option("--threads", request.threads);
  app->add_option("--steps", request.steps, "timed ones, after one that is not");
  app->add_flag("--json", as_json, "always on");
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  const learn::StepTiming timing = learn::time_steps(step_of(request));
  const ordered_json line = {{"task", task_json(request)},
                             {"seconds", timing.median()},
                             {"all", timing.seconds},
                             {"parameters", timing.parameters},
                             {"peak_rss_mib", timing.peak_rss_mib},
                             {"torch", nets::libtorch_version()},
                             {"threads", request.threads},
                             {"gflops", timing.flops / timing.median() * 1e-9},
                             {"executor", timing.executor},
                             {"simd_target", kernels::simd_target()}};
  std::printf("%s\n", line.dump().c_str());
  return 0;
}

struct NamedStep {
  std::string name;
  StepRequest request;
};

/// The steps of docs/performance.md that take no more than a few seconds.
std::vector<NamedStep> usual_steps(int threads, int steps) {
  StepRequest cifar;
  cifar.threads = threads;
  cifar.steps = steps;
  cifar.stem = "cifar";
  StepRequest second = cifar;
  second.order = 2;
  second.batch = 16;
  StepRequest pathology = cifar;
  pathology.stem = "pathology";
  pathology.cells = 4;
  pathology.size = 64;
  pathology.batch = 32;
  StepRequest train = pathology;
  train.task = "train-step";
  train.channels = 36;
  train.size = 136;
  train.batch = 16;
  StepRequest infer = train;
  infer.task = "infer";
  infer.size = 272;
  infer.batch = 1;
  return {{"search step, cifar C 16 L 8 N 4, 32 px, batch 64", cifar},
          {"search step of second order, the same, batch 16", second},
          {"search step, pathology C 16 L 4 N 4, 64 px, batch 32", pathology},
          {"training step, DARTS_ADP_N4 C 36 L 4, 136 px, batch 16", train},
          {"inference, DARTS_ADP_N4 C 36 L 4, 272 px, batch 1", infer}};
}

ordered_json measure_all(int threads, int steps) {
  const Machine machine = this_machine();
  const kernels::MachineSpeed all = kernels::measure_machine(threads);
  const kernels::MachineSpeed one = threads == 1 ? all : kernels::measure_machine(1);
  ordered_json result = {{"version", version()},
                         {"commit", commit()},
                         {"cpu", machine.cpu},
                         {"simd_target", kernels::simd_target()},
                         {"threads", threads},
                         {"fma_gflops", all.fma_gflops},
                         {"fma_gflops_one_thread", one.fma_gflops},
                         {"bandwidth_gbytes", all.bandwidth_gbytes},
                         {"bandwidth_gbytes_one_thread", one.bandwidth_gbytes},
                         {"kernels", ordered_json::array()},
                         {"steps", ordered_json::array()}};
  for (const kernels::KernelSpeed& speed : kernels::measure_kernels()) {
    result["kernels"].push_back({{"kernel", speed.kernel},
                                 {"shape", speed.shape},
                                 {"microseconds", speed.seconds * 1e6},
                                 {"gflops", speed.gflops},
                                 {"gbytes", speed.gbytes},
                                 {"percent_of_peak", 100.0 * speed.gflops / one.fma_gflops}});
  }
  for (const NamedStep& step : usual_steps(threads, steps)) {
    const learn::StepTiming timing = learn::time_steps(step_of(step.request));
    const double gflops = timing.flops / timing.median() * 1e-9;
    result["steps"].push_back({{"step", step.name},
                               {"seconds", timing.median()},
                               {"all", timing.seconds},
                               {"gflops", gflops},
                               {"percent_of_peak", 100.0 * gflops / all.fma_gflops}});
  }
  return result;
}

void print_table(const ordered_json& result) {
  fmt::print(
      "{}, {} threads, {}: {:.0f} GFLOP/s of multiply-adds ({:.0f} on one thread), {:.1f} GB/s\n\n",
      result["cpu"].get<std::string>(), result["threads"].get<int>(),
      result["simd_target"].get<std::string>(), result["fma_gflops"].get<double>(),
      result["fma_gflops_one_thread"].get<double>(), result["bandwidth_gbytes"].get<double>());
  fmt::print("{:<28} {:<40} {:>9} {:>8} {:>7} {:>7}\n", "kernel, one thread", "shape", "us",
             "GFLOP/s", "% peak", "GB/s");
  for (const auto& kernel : result["kernels"]) {
    fmt::print("{:<28} {:<40} {:>9.1f} {:>8.1f} {:>7.1f} {:>7.1f}\n",
               kernel["kernel"].get<std::string>(), kernel["shape"].get<std::string>(),
               kernel["microseconds"].get<double>(), kernel["gflops"].get<double>(),
               kernel["percent_of_peak"].get<double>(), kernel["gbytes"].get<double>());
  }
  fmt::print("\n{:<60} {:>9} {:>8} {:>7}\n", "step", "s", "GFLOP/s", "% peak");
  for (const auto& step : result["steps"]) {
    fmt::print("{:<60} {:>9.4f} {:>8.1f} {:>7.1f}\n", step["step"].get<std::string>(),
               step["seconds"].get<double>(), step["gflops"].get<double>(),
               step["percent_of_peak"].get<double>());
  }
}

}  // namespace

int run_bench_command(std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "step") {
    return bench_step({arguments.begin() + 1, arguments.end()});
  }
  int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  int steps = 5;
  bool as_json = false;
  const auto app = make_parser(
      "Measures this machine (multiply-adds, memory), then each kernel and each whole step against "
      "it. "
      "`probedarts bench step --help` times one step of your choice.",
      "probedarts bench");
  app->add_option("--threads", threads, "of the steps");
  app->add_option("--steps", steps, "timed ones of each kind; the median counts");
  app->add_flag("--json", as_json, "print JSON instead of tables");
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  learn::check_range("threads", threads, 1, 1024);
  learn::check_range("steps", steps, 1, kMost);
  const ordered_json result = measure_all(threads, steps);
  if (as_json) {
    std::printf("%s\n", result.dump(2).c_str());
  } else {
    print_table(result);
  }
  return 0;
}

}  // namespace probedarts::cli
