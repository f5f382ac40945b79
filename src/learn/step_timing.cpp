#include "learn/step_timing.hpp"

#include <algorithm>
#include <chrono>

#include <sys/resource.h>

#include <ATen/ops/empty.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "learn/bilevel.hpp"
#include "nets/choose_executor.hpp"
#include "nets/step_work.hpp"

namespace probedarts::learn {
namespace {

LabelledBatch random_batch(const TimedStep& step, const std::string& name) {
  LabelledBatch batch{at::empty({step.batch, 3, step.size, step.size}, at::kFloat),
                      at::empty({step.batch}, at::kLong)};
  Stream stream(1, name);
  for (std::int64_t i = 0; i < batch.images.numel(); ++i) {
    batch.images.data_ptr<float>()[i] = static_cast<float>(stream.uniform());
  }
  for (std::int64_t i = 0; i < step.batch; ++i) {
    batch.labels.data_ptr<std::int64_t>()[i] =
        static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(step.spec.classes)));
  }
  batch.images = batch.images.contiguous(at::MemoryFormat::ChannelsLast);
  return batch;
}

/// Forward passes, input gradients and weight gradients of a step cost one forward's multiply-adds
/// each.
double passes_of(const TimedStep& step) {
  switch (step.task) {
    case StepTask::kInfer:
      return 1.0;
    case StepTask::kTrain:
      return 3.0;
    case StepTask::kSearch:
      // first order: two forward, two backward, one of them with weights; second order: five, five,
      // three.
      return step.order == 1 ? 5.0 : 13.0;
  }
  report_bug("unknown task", __FILE__, __LINE__);
}

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

}  // namespace

double StepTiming::median() const {
  std::vector<double> sorted = seconds;
  std::sort(sorted.begin(), sorted.end());
  return sorted.at(sorted.size() / 2);
}

StepTiming time_steps(const TimedStep& step) {
  const nets::NetworkLayout layout = nets::lay_out(step.spec);
  const nets::ChosenExecutor chosen =
      nets::make_executor(layout, step.executor, nets::Precision::kFloat32, step.threads);
  BilevelOptions options;
  options.order = step.order;
  BilevelLearner learner(layout, *chosen.executor, Objective::cross_entropy(), options);
  SearchState state = start_search(nets::initial_state(layout, nets::Precision::kFloat32, 1));
  const LabelledBatch train = random_batch(step, "train");
  const LabelledBatch valid = random_batch(step, "valid");
  const double rates[] = {0.025};
  StepTiming timing;
  for (int i = 0; i <= step.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (step.task == StepTask::kInfer) {
      chosen.executor->forward(state.network, train.images,
                               {nets::Mode::kEvaluate, nets::Wanted::kNothing});
    } else {
      if (step.task == StepTask::kSearch) {
        learner.alpha_step(state, train, valid, rates);
      }
      learner.weight_step(state, train, rates);
    }
    if (i > 0) {  // the first one builds plans and touches memory
      timing.seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  }
  timing.flops =
      2.0 * passes_of(step) * nets::forward_multiply_adds(layout, step.batch, step.size, step.size);
  timing.parameters = layout.weight_count;
  timing.peak_rss_mib = peak_rss_mib();
  timing.executor = chosen.name;
  return timing;
}

}  // namespace probedarts::learn
