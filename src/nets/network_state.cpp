#include "nets/network_state.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "nets/stored_tensor.hpp"

namespace probedarts::nets {
namespace {

at::ScalarType scalar_type(Precision precision) {
  return precision == Precision::kFloat32 ? at::kFloat : at::kDouble;
}

void initialise(const ParameterInfo& parameter, std::uint64_t seed, double* values) {
  const double scale = parameter.initial.scale;
  Stream stream(seed, "weights:" + parameter.name);
  switch (parameter.initial.law) {
    case Initial::Law::kConstant:
      std::fill_n(values, parameter.numel, scale);
      return;
    case Initial::Law::kUniform:
      std::generate_n(values, parameter.numel, [&] { return stream.uniform(-scale, scale); });
      return;
    case Initial::Law::kNormal:
      std::generate_n(values, parameter.numel, [&] { return scale * stream.normal(); });
      return;
  }
}

/// Copies a stored tensor into a slice of a flat buffer, after checking that it is there and fits.
void load_slice(const TensorFile& file, const std::string& name,
                const std::vector<std::int64_t>& shape, at::Tensor flat, std::int64_t offset) {
  if (!file.has(name)) {
    throw UserError(fmt::format(
        "state dict: tensor '{}' is missing; the file belongs to another network", name));
  }
  const StoredTensor& stored = file.at(name);
  if (stored.shape != shape) {
    throw UserError(
        fmt::format("state dict: tensor '{}' has shape [{}] instead of [{}]; the file belongs to "
                    "another network",
                    name, fmt::join(stored.shape, ", "), fmt::join(shape, ", ")));
  }
  flat.narrow(0, offset, stored.numel()).copy_(to_tensor(stored).flatten());
}

}  // namespace

NetworkState NetworkState::clone() const {
  return {weights.clone(), statistics.clone(), alpha.clone(), batches_tracked, auxiliary_skip};
}

NetworkState initial_state(const TensorTable& table, Precision precision, std::uint64_t seed) {
  at::Tensor weights = at::empty({table.weight_count}, at::kDouble);
  for (const ParameterInfo& parameter : table.parameters) {
    initialise(parameter, seed, weights.data_ptr<double>() + parameter.offset);
  }
  at::Tensor statistics = at::zeros({table.statistic_count}, at::kDouble);
  for (const NormInfo& norm : table.norms) {
    statistics.narrow(0, norm.offset + norm.channels, norm.channels).fill_(1.0);
  }
  at::Tensor alpha = at::empty(
      {2, table.alpha_edges, static_cast<std::int64_t>(space::kPrimitiveCount)}, at::kDouble);
  Stream stream(seed, "alpha");
  for (std::int64_t i = 0; i < alpha.numel(); ++i) {
    alpha.data_ptr<double>()[i] = 1e-3 * stream.normal();
  }
  const at::ScalarType type = scalar_type(precision);
  return {weights.to(type), statistics.to(type), alpha.to(type), 0};
}

at::Tensor parameter_view(const NetworkState& state, const ParameterInfo& parameter) {
  return state.weights.narrow(0, parameter.offset, parameter.numel).view(parameter.shape);
}

void load_state_dict(const TensorTable& table, const TensorFile& file, const std::string& prefix,
                     NetworkState& state) {
  for (const ParameterInfo& parameter : table.parameters) {
    load_slice(file, prefix + parameter.name, parameter.shape, state.weights, parameter.offset);
  }
  for (const NormInfo& norm : table.norms) {
    const std::vector<std::int64_t> shape = {norm.channels};
    load_slice(file, prefix + norm.name + ".running_mean", shape, state.statistics, norm.offset);
    load_slice(file, prefix + norm.name + ".running_var", shape, state.statistics,
               norm.offset + norm.channels);
  }
  if (table.norms.empty()) {
    return;
  }
  const std::string counter = prefix + table.norms.front().name + ".num_batches_tracked";
  if (file.has(counter)) {
    state.batches_tracked = static_cast<std::int64_t>(file.at(counter).as_doubles().at(0));
  }
}

TensorFile state_dict(const TensorTable& table, const NetworkState& state) {
  TensorFile file;
  for (const ParameterInfo& parameter : table.parameters) {
    file.tensors[parameter.name] = to_stored(parameter_view(state, parameter));
  }
  for (const NormInfo& norm : table.norms) {
    file.tensors[norm.name + ".running_mean"] =
        to_stored(state.statistics.narrow(0, norm.offset, norm.channels));
    file.tensors[norm.name + ".running_var"] =
        to_stored(state.statistics.narrow(0, norm.offset + norm.channels, norm.channels));
    at::Tensor counter = at::zeros({}, at::kLong);
    counter.fill_(state.batches_tracked);
    file.tensors[norm.name + ".num_batches_tracked"] = to_stored(counter);
  }
  return file;
}

}  // namespace probedarts::nets
