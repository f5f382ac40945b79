#pragma once

#include <string>
#include <vector>

#include "space/network_spec.hpp"

namespace probedarts::learn {

enum class StepTask { kSearch, kTrain, kInfer };

/// One step of the work that takes the time of a run, on random images.
struct TimedStep {
  StepTask task = StepTask::kSearch;
  space::NetworkSpec spec;
  int size = 32;
  int batch = 64;
  int order = 1;  ///< of the search
  int threads = 2;
  int steps = 5;  ///< timed ones; one more comes first
  std::string executor = "auto";
};

struct StepTiming {
  std::vector<double> seconds;  ///< of each step, in order
  double flops = 0.0;  ///< floating-point operations of a step: two for each useful multiply-add
  std::int64_t parameters = 0;
  double peak_rss_mib = 0.0;  ///< of the process so far
  std::string executor;       ///< that ran

  double median() const;
};

/// Times whole steps, optimisers and loss included. A search step is an architecture step (Adam)
/// and a weight step (clipping, SGD with momentum); a training step is forward, backward, clipping
/// and SGD without auxiliary head and drop-path; inference is forward with running statistics.
StepTiming time_steps(const TimedStep& step);

}  // namespace probedarts::learn
