#include "nets/tensor_table.hpp"

#include <cmath>

#include "core/errors.hpp"

namespace probedarts::nets {
namespace {

/// Elements behind one output channel of a weight [out, in, ...].
std::int64_t elements_per_row(const std::vector<std::int64_t>& shape, std::size_t from) {
  std::int64_t count = 1;
  for (std::size_t d = from; d < shape.size(); ++d) {
    count *= shape[d];
  }
  return count;
}

}  // namespace

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kStem:
      return "stem";
    case Role::kPreprocess:
      return "preprocess";
    case Role::kReduce:
      return "reduce";
    case Role::kDepthwise:
      return "depthwise";
    case Role::kPointwise:
      return "pointwise";
    case Role::kConvolution:
      return "convolution";
    case Role::kAuxiliary:
      return "auxiliary";
    case Role::kNormScale:
      return "norm scale";
    case Role::kNormShift:
      return "norm shift";
    case Role::kBias:
      return "bias";
    case Role::kHiddenWeight:
      return "hidden weight";
    case Role::kClassifierWeight:
      return "classifier weight";
    case Role::kClassifierBias:
      return "classifier bias";
  }
  report_bug("unknown role", __FILE__, __LINE__);
}

Initial uniform_fan_in(const std::vector<std::int64_t>& weight_shape) {
  return {Initial::Law::kUniform,
          1.0 / std::sqrt(static_cast<double>(elements_per_row(weight_shape, 1)))};
}

Initial normal_fan_out(const std::vector<std::int64_t>& weight_shape) {
  const std::int64_t fan_out = weight_shape[0] * elements_per_row(weight_shape, 2);
  return {Initial::Law::kNormal, std::sqrt(2.0 / static_cast<double>(fan_out))};
}

std::size_t TensorTable::add_parameter(const std::string& name, std::vector<std::int64_t> shape,
                                       Role role, Initial initial, const Place& place) {
  const std::int64_t numel = elements_per_row(shape, 0);
  parameters.push_back({name, std::move(shape), weight_count, numel, role, place, initial});
  weight_count += numel;
  return parameters.size() - 1;
}

std::size_t TensorTable::add_norm(const std::string& name, int channels, bool affine,
                                  double epsilon, const Place& place) {
  NormInfo info{name, channels, statistic_count, {}, {}, epsilon};
  if (affine) {
    info.scale = add_parameter(name + ".weight", {channels}, Role::kNormScale,
                               {Initial::Law::kConstant, 1.0}, place);
    info.shift = add_parameter(name + ".bias", {channels}, Role::kNormShift,
                               {Initial::Law::kConstant, 0.0}, place);
  }
  statistic_count += 2 * static_cast<std::int64_t>(channels);
  norms.push_back(std::move(info));
  return norms.size() - 1;
}

std::optional<std::size_t> parameter_named(const TensorTable& table, std::string_view name) {
  for (std::size_t i = 0; i < table.parameters.size(); ++i) {
    if (table.parameters[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace probedarts::nets
