#include "probe/stable_rank.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include <dlfcn.h>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_svdvals.h>

#include "core/errors.hpp"

namespace probedarts::probe {
namespace {

/// Keeps OpenBLAS, LibTorch's LAPACK here, on one thread while it lives: the matrices are small and
/// the layers are what runs in parallel, and a sum's order must not depend on how many threads
/// share it. Under another BLAS it does nothing. The setting belongs to the process, so it is made
/// before the workers start.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas()
      : set_(reinterpret_cast<Set>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))),
        get_(reinterpret_cast<Get>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"))) {
    if (set_ != nullptr && get_ != nullptr) {
      before_ = get_();
      set_(1);
    }
  }
  ~SingleThreadedBlas() {
    if (before_ > 0) {
      set_(before_);
    }
  }
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;

 private:
  using Set = void (*)(int);
  using Get = int (*)();
  Set set_;
  Get get_;
  int before_ = 0;
};

/// A finite matrix whose squares can be summed in double; anything else has left the range of a
/// weight.
bool measurable(const at::Tensor& matrix) {
  const double* values = matrix.data_ptr<double>();
  double energy = 0.0;
  for (std::int64_t i = 0; i < matrix.numel(); ++i) {
    energy += values[i] * values[i];
  }
  return std::isfinite(energy);
}

/// Low-rank part of a contiguous float64 matrix.
LowRank low_rank_of(const at::Tensor& matrix, EvbmfScale scale) {
  const at::Tensor values = at::linalg_svdvals(matrix).contiguous();
  const double* first = values.data_ptr<double>();
  return evbmf(std::vector<double>(first, first + values.numel()), matrix.size(0), matrix.size(1),
               scale);
}

/// \param rows  n, of the unfolding as the layer has it.
SideMetrics metrics_of(const LowRank& low_rank, std::int64_t rows) {
  const auto& d = low_rank.singular_values;
  if (d.empty()) {
    return {};
  }
  const auto n = static_cast<double>(rows);
  double gain = 0.0;
  for (const double value : d) {
    gain += value / d.front();
  }
  return {static_cast<double>(d.size()) / n, gain / n, d.front() / d.back()};
}

/// \param weight  [out, in/groups, kh, kw], float64, contiguous, on the CPU.
LayerMetrics metrics_of_layer(const at::Tensor& weight, EvbmfScale scale) {
  LayerMetrics metrics;
  if (!measurable(weight)) {
    metrics.failed = true;
    return metrics;
  }
  const std::int64_t out = weight.size(0);
  const std::int64_t in = weight.size(1);
  const LowRank by_output = low_rank_of(weight.reshape({out, -1}), scale);
  metrics.out = metrics_of(by_output, out);
  if (weight.size(2) * weight.size(3) == 1) {
    metrics.in = metrics_of(by_output, in);  // the one unfolding is the other's transpose
  } else {
    const at::Tensor by_input = weight.permute({1, 0, 2, 3}).reshape({in, -1});
    metrics.in = metrics_of(low_rank_of(by_input, scale), in);
  }
  return metrics;
}

/// Where each target's metrics come from: itself, or the next dense convolution for a depthwise
/// one.
std::vector<std::size_t> sources_of(const std::vector<ProbeTarget>& targets) {
  std::vector<std::size_t> sources(targets.size());
  std::size_t next_dense = targets.size();
  for (std::size_t i = targets.size(); i-- > 0;) {
    if (!targets[i].depthwise) {
      next_dense = i;
    }
    sources[i] = next_dense < targets.size() ? next_dense : i;
  }
  return sources;
}

/// Runs task(0) ... task(count - 1) on `threads` threads, each task once; rethrows the first
/// failure.
template <typename Task>
void run_tasks(std::size_t count, int threads, const Task& task) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      const at::NoGradGuard no_grad;  // the mode belongs to the thread
      for (std::size_t i = next++; i < count; i = next++) {
        task(i);
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failure_mutex);
      failure = failure ? failure : std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads && static_cast<std::size_t>(i) < count; ++i) {
    others.emplace_back(work);
  }
  work();
  for (std::thread& other : others) {
    other.join();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

}  // namespace

std::vector<LayerMetrics> probe_layers(const std::vector<ProbeTarget>& targets, int threads,
                                       EvbmfScale scale) {
  require(threads > 0, "probe_layers: at least one thread");
  const std::vector<std::size_t> sources = sources_of(targets);
  std::vector<at::Tensor> weights;
  std::vector<std::size_t> owners;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    require(targets[i].weight->dim() == 4 && targets[i].weight->numel() > 0,
            "probe_layers: a weight is [out, in/groups, kh, kw]");
    if (sources[i] == i) {
      owners.push_back(i);
      weights.push_back(targets[i].weight->detach().to(at::kCPU, at::kDouble).contiguous());
    }
  }

  // Largest first, so that no thread is left with a large one at the end.
  std::vector<std::size_t> order(owners.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return weights[a].numel() > weights[b].numel();
  });
  std::vector<LayerMetrics> metrics(targets.size());
  const SingleThreadedBlas single_threaded;
  run_tasks(order.size(), threads, [&](std::size_t task) {
    const std::size_t owner = order[task];
    metrics[owners[owner]] = metrics_of_layer(weights[owner], scale);
  });
  for (std::size_t i = 0; i < targets.size(); ++i) {
    metrics[i] = metrics[sources[i]];
  }
  return metrics;
}

SideMetrics probe_matrix(const at::Tensor& matrix, EvbmfScale scale) {
  require(matrix.dim() == 2 && matrix.numel() > 0, "probe_matrix: a matrix with entries");
  const at::NoGradGuard no_grad;
  const at::Tensor values = matrix.to(at::kCPU, at::kDouble).contiguous();
  if (!measurable(values)) {
    throw Diverged("probe: the matrix has an entry that is NaN or infinite");
  }
  const SingleThreadedBlas single_threaded;
  return metrics_of(low_rank_of(values, scale), matrix.size(0));
}

}  // namespace probedarts::probe
