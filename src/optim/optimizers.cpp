#include "optim/optimizers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include "core/errors.hpp"

namespace probedarts::optim {
namespace {

/// Elements summed into one partial sum; fixed, so that the sum does not depend on the threads.
constexpr std::int64_t kBlock = 16384;
/// Elements below which another thread costs more than it saves.
constexpr std::int64_t kGrain = 65536;

void require_flat(const at::Tensor& tensor, const at::Tensor& like) {
  require(tensor.defined() && tensor.is_contiguous() && tensor.device().is_cpu(),
          "optimizers: buffers are contiguous and on the CPU");
  require(tensor.numel() == like.numel() && tensor.scalar_type() == like.scalar_type(),
          "optimizers: buffers agree in size and type");
}

/// Sum of squares in double; the eight lanes let the compiler vectorise without reordering what we
/// wrote.
template <typename T>
double sum_of_squares(const T* values, std::int64_t count) {
  constexpr std::int64_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<double>(values[i + lane]);
      lanes[static_cast<std::size_t>(lane)] += value * value;
    }
  }
  for (; i < count; ++i) {
    const auto value = static_cast<double>(values[i]);
    lanes[0] += value * value;
  }
  double sum = 0.0;
  for (const double lane : lanes) {
    sum += lane;
  }
  return sum;
}

template <typename T>
double clip(T* gradients, std::int64_t count, double max_norm) {
  std::vector<double> partial(static_cast<std::size_t>((count + kBlock - 1) / kBlock));
  at::parallel_for(0, static_cast<std::int64_t>(partial.size()), kGrain / kBlock,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t block = begin; block < end; ++block) {
                       const std::int64_t start = block * kBlock;
                       partial[static_cast<std::size_t>(block)] =
                           sum_of_squares(gradients + start, std::min(kBlock, count - start));
                     }
                   });
  double squares = 0.0;
  for (const double sum : partial) {
    squares += sum;
  }
  const double norm = std::sqrt(squares);
  const double factor = max_norm / (norm + 1e-6);
  if (std::isfinite(norm) && factor < 1.0) {
    const auto scale = static_cast<T>(factor);
    at::parallel_for(0, count, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        gradients[i] *= scale;
      }
    });
  }
  return norm;
}

/// The buffers of an SGD step as raw memory.
template <typename T>
struct SgdBuffers {
  T* weights;
  T* gradients;
  T* momenta;
};

/// SGD on elements [begin, end) with one learning rate.
template <typename T>
void sgd_range(const SgdBuffers<T>& buffers, std::int64_t begin, std::int64_t end, bool first,
               double learning_rate, const SgdOptions& options) {
  const auto decay = static_cast<T>(options.weight_decay);
  const auto momentum = static_cast<T>(options.momentum);
  const auto rate = static_cast<T>(learning_rate);
  for (std::int64_t i = begin; i < end; ++i) {
    const T gradient = buffers.gradients[i] + decay * buffers.weights[i];
    const T step = first ? gradient : momentum * buffers.momenta[i] + gradient;
    buffers.gradients[i] = gradient;
    buffers.momenta[i] = step;
    buffers.weights[i] -= rate * step;
  }
}

/// SGD on elements [begin, end), which may start and end inside a segment.
template <typename T>
void sgd_segments(const SgdBuffers<T>& buffers, std::int64_t begin, std::int64_t end, bool first,
                  const Segments& segments, std::span<const double> learning_rates,
                  const SgdOptions& options) {
  const auto& offsets = segments.offsets;
  auto segment = static_cast<std::size_t>(std::upper_bound(offsets.begin(), offsets.end(), begin) -
                                          offsets.begin() - 1);
  for (std::int64_t at = begin; at < end; ++segment) {
    const std::int64_t stop = std::min(end, offsets[segment + 1]);
    sgd_range(buffers, at, stop, first, learning_rates[segment], options);
    at = stop;
  }
}

/// Adam's factors after bias correction, for one step.
struct AdamFactors {
  double step_size;        ///< lr / (1 - beta1^t)
  double root_correction;  ///< sqrt(1 - beta2^t)
};

template <typename T>
void adam_range(T* values, const T* gradient, T* first_moment, T* second_moment, std::int64_t count,
                const AdamFactors& factors, const AdamOptions& options) {
  const auto decay = static_cast<T>(options.weight_decay);
  const auto beta1 = static_cast<T>(options.beta1);
  const auto one_minus_beta1 = static_cast<T>(1.0 - options.beta1);
  const auto beta2 = static_cast<T>(options.beta2);
  const auto one_minus_beta2 = static_cast<T>(1.0 - options.beta2);
  const auto epsilon = static_cast<T>(options.epsilon);
  const auto root_correction = static_cast<T>(factors.root_correction);
  const auto step_size = static_cast<T>(factors.step_size);
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = gradient[i] + decay * values[i];
    first_moment[i] = beta1 * first_moment[i] + one_minus_beta1 * g;
    second_moment[i] = beta2 * second_moment[i] + one_minus_beta2 * g * g;
    const T denominator = std::sqrt(second_moment[i]) / root_correction + epsilon;
    values[i] -= step_size * (first_moment[i] / denominator);
  }
}

}  // namespace

double clip_gradient_norm(at::Tensor& gradients, double max_norm) {
  require_flat(gradients, gradients);
  double norm = 0.0;
  AT_DISPATCH_FLOATING_TYPES(gradients.scalar_type(), "clip_gradient_norm", [&] {
    norm = clip(gradients.data_ptr<scalar_t>(), gradients.numel(), max_norm);
  });
  return norm;
}

void sgd_step(at::Tensor& weights, at::Tensor& gradients, at::Tensor& momentum_buffer, bool first,
              const Segments& segments, std::span<const double> learning_rates,
              const SgdOptions& options) {
  require_flat(weights, weights);
  require_flat(gradients, weights);
  require_flat(momentum_buffer, weights);
  require(!segments.offsets.empty() && segments.offsets.front() == 0 &&
              segments.offsets.back() == weights.numel() &&
              std::is_sorted(segments.offsets.begin(), segments.offsets.end()),
          "sgd_step: the segments cover the buffer");
  require(learning_rates.size() == 1 || learning_rates.size() == segments.count(),
          "sgd_step: one learning rate, or one for each segment");
  AT_DISPATCH_FLOATING_TYPES(weights.scalar_type(), "sgd_step", [&] {
    const SgdBuffers<scalar_t> buffers{weights.data_ptr<scalar_t>(), gradients.data_ptr<scalar_t>(),
                                       momentum_buffer.data_ptr<scalar_t>()};
    at::parallel_for(0, weights.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      if (learning_rates.size() == 1) {
        sgd_range(buffers, begin, end, first, learning_rates[0], options);
      } else {
        sgd_segments(buffers, begin, end, first, segments, learning_rates, options);
      }
    });
  });
}

void adam_step(at::Tensor& values, const at::Tensor& gradient, at::Tensor& first_moment,
               at::Tensor& second_moment, std::int64_t& step, const AdamOptions& options) {
  require_flat(values, values);
  require_flat(gradient, values);
  require_flat(first_moment, values);
  require_flat(second_moment, values);
  ++step;
  const auto t = static_cast<double>(step);
  const AdamFactors factors{options.learning_rate / (1.0 - std::pow(options.beta1, t)),
                            std::sqrt(1.0 - std::pow(options.beta2, t))};
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "adam_step", [&] {
    adam_range(values.data_ptr<scalar_t>(), gradient.data_ptr<scalar_t>(),
               first_moment.data_ptr<scalar_t>(), second_moment.data_ptr<scalar_t>(),
               values.numel(), factors, options);
  });
}

double cosine_learning_rate(double initial, double final_rate, int epoch, int epochs) {
  require(epochs > 0, "cosine_learning_rate: at least one epoch");
  const double phase = std::numbers::pi * epoch / epochs;
  return final_rate + (initial - final_rate) * (1.0 + std::cos(phase)) / 2.0;
}

}  // namespace probedarts::optim
