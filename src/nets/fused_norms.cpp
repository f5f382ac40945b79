#include "nets/fused_norms.hpp"

#include <cmath>

#include "core/errors.hpp"

namespace probedarts::nets::fused {
namespace {

constexpr float kNormMomentum = 0.1F;

std::size_t place_of(const AlphaPlace& weight, int edges) {
  return static_cast<std::size_t>((weight.kind * edges + weight.edge) *
                                      static_cast<int>(space::kPrimitiveCount) +
                                  weight.column);
}

double edge_weight(const NetworkLayout& layout, const Site& site, const NetworkMemory& memory) {
  if (site.drop && memory.drop_path != nullptr) {
    return 1.0 / memory.drop_path->keep_probability;
  }
  return site.weight ? memory.edge_weights[place_of(*site.weight, layout.alpha_edges)] : 1.0;
}

struct Affine {
  double scale = 1.0;
  double shift = 0.0;
};

Affine affine_of(const NetworkLayout& layout, const NormInfo& norm, const float* weights,
                 int channel) {
  Affine affine;
  if (norm.scale) {
    affine.scale = static_cast<double>(weights[layout.parameters[*norm.scale].offset + channel]);
    affine.shift = static_cast<double>(weights[layout.parameters[*norm.shift].offset + channel]);
  }
  return affine;
}

/// Mean and biased variance of a channel of a site's map; moves the running statistics.
kernels::ChannelStatistics statistics_of(const NormInfo& norm, const Plan& plan, const Site& site,
                                         Mode mode, const Partials& partials, float* running,
                                         int channel) {
  float* mean = running + norm.offset + channel;
  float* variance = mean + norm.channels;
  if (mode == Mode::kEvaluate) {
    return {static_cast<double>(*mean), static_cast<double>(*variance), 0};
  }
  const std::size_t groups = plan.moment_slots / kernels::kChannelBlock;
  const std::size_t at = site.moments + static_cast<std::size_t>(channel);
  const auto found = kernels::merge_moments(
      partials.means.data() + at, partials.deviations.data() + at, plan.moment_slots,
      partials.counts.data() + site.moments / kernels::kChannelBlock, groups, partials.chunks);
  const double unbiased =
      found.variance * static_cast<double>(found.count) / static_cast<double>(found.count - 1);
  *mean = *mean * (1.0F - kNormMomentum) + kNormMomentum * static_cast<float>(found.mean);
  *variance = *variance * (1.0F - kNormMomentum) + kNormMomentum * static_cast<float>(unbiased);
  return found;
}

double sum_of_chunks(const Plan& plan, const Partials& partials, std::size_t slot) {
  double sum = 0.0;
  for (int chunk = 0; chunk < partials.chunks; ++chunk) {
    sum += static_cast<double>(
        partials.sums.data()[static_cast<std::size_t>(chunk) * plan.slots + slot]);
  }
  return sum;
}

}  // namespace

void settle_forward(const NetworkLayout& layout, const Plan& plan, const Site& site, Mode mode,
                    const Partials& partials, const NetworkMemory& memory,
                    Coefficients& coefficients) {
  const double weight = edge_weight(layout, site, memory);
  for (int channel = 0; channel < site.channels; ++channel) {
    const std::size_t at = site.slot + static_cast<std::size_t>(channel);
    double mean = 0.0;
    double inverse = 1.0;
    Affine affine;
    if (site.norm) {
      const NormInfo& norm = layout.norms[*site.norm];
      const auto found =
          statistics_of(norm, plan, site, mode, partials, memory.statistics, channel);
      mean = found.mean;
      inverse = 1.0 / std::sqrt(found.variance + kNormEpsilon);
      affine = affine_of(layout, norm, memory.weights, channel);
    }
    coefficients.centre.data()[at] = static_cast<float>(mean);
    coefficients.inverse.data()[at] = static_cast<float>(inverse);
    coefficients.scale.data()[at] = static_cast<float>(weight * affine.scale * inverse);
    coefficients.shift.data()[at] =
        static_cast<float>(weight * (affine.shift - affine.scale * inverse * mean));
  }
}

void sum_shifts(const Plan& plan, const State& state, Coefficients& coefficients) {
  float* shifts = coefficients.shift.data();
  for (std::size_t c = 0; c < static_cast<std::size_t>(state.channels); ++c) {
    double sum = 0.0;
    for (const Term& term : state.terms) {
      sum += static_cast<double>(shifts[plan.sites[term.site].slot + c]);
    }
    shifts[state.shift + c] = static_cast<float>(sum);
  }
}

void settle_backward(const NetworkLayout& layout, const Plan& plan, const Site& site, Mode mode,
                     const Partials& partials, const NetworkMemory& memory,
                     Coefficients& coefficients) {
  const double weight = edge_weight(layout, site, memory);
  const std::size_t moments_group = site.moments / kernels::kChannelBlock;
  double count = 0.0;
  for (int chunk = 0; chunk < partials.chunks && site.norm; ++chunk) {
    const std::size_t groups = plan.moment_slots / kernels::kChannelBlock;
    count += static_cast<double>(
        partials.counts[static_cast<std::size_t>(chunk) * groups + moments_group]);
  }
  const std::size_t gradient_sum =
      site.drop && memory.drop_path != nullptr ? site.kept_sum : site.gradient_sum;
  double edge_gradient = 0.0;
  for (int channel = 0; channel < site.channels; ++channel) {
    const std::size_t at = site.slot + static_cast<std::size_t>(channel);
    const double products = sum_of_chunks(plan, partials, at);
    const double gradients =
        sum_of_chunks(plan, partials, gradient_sum + static_cast<std::size_t>(channel));
    const auto mean = static_cast<double>(coefficients.centre.data()[at]);
    const auto inverse = static_cast<double>(coefficients.inverse.data()[at]);
    Affine affine;
    if (site.norm) {
      affine = affine_of(layout, layout.norms[*site.norm], memory.weights, channel);
    }
    const double a = weight * affine.scale * inverse;
    const bool of_batch = site.norm && mode == Mode::kTrain;
    const double b = of_batch ? -a * inverse * inverse * products / count : 0.0;
    const double c = of_batch ? -a * gradients / count - b * mean : 0.0;
    coefficients.a.data()[at] = static_cast<float>(a);
    coefficients.b.data()[at] = static_cast<float>(b);
    coefficients.c.data()[at] = static_cast<float>(c);
    edge_gradient += affine.scale * inverse * products + affine.shift * gradients;
    if (site.norm && layout.norms[*site.norm].scale && memory.weight_gradient != nullptr) {
      const NormInfo& norm = layout.norms[*site.norm];
      memory.weight_gradient[layout.parameters[*norm.scale].offset + channel] =
          static_cast<float>(weight * inverse * products);
      memory.weight_gradient[layout.parameters[*norm.shift].offset + channel] =
          static_cast<float>(weight * gradients);
    }
  }
  if (site.weight && memory.edge_gradient != nullptr) {
    memory.edge_gradient[place_of(*site.weight, layout.alpha_edges)] += edge_gradient;
  }
}

}  // namespace probedarts::nets::fused
