// Every candidate operation by itself against the published Python code: every row of the cases of
// `golden/03_supernet` that list operations. Output, gradients of sum(y * dy), and BN buffers after
// one training pass.

#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/files.hpp"
#include "core/tensor_file.hpp"
#include "nets/composed_executor.hpp"
#include "nets/stored_tensor.hpp"
#include "support/shared_files.hpp"

namespace probedarts::nets {
namespace {

using nlohmann::json;
using space::Primitive;

/// Primitives of the original's table that the search space leaves out (`conv_7x1_1x7` and
/// `sep_conv_7x7` occur in hand-made cells only).
bool is_ours(const json& row) {
  return space::primitive_named(row.at("op").get<std::string>()).has_value();
}

/// A network that holds this operation on such a map, and where. A supernet's candidates have no
/// affine BN, but its pools have one that these data leave out; a derived network is the reverse.
struct Holder {
  NetworkLayout layout;
  const CandidateUnit* unit = nullptr;

  Holder(Primitive primitive, int stride, bool affine, int channels) {
    const bool pool = primitive == Primitive::kMaxPool3x3 || primitive == Primitive::kAvgPool3x3;
    space::NetworkSpec spec;
    spec.cells = 3;  // a normal cell of C channels, then a reduction cell of 2C
    spec.nodes = 1;
    spec.channels = stride == 1 ? channels : channels / 2;
    if (affine || pool) {
      const space::CellGenotype cell{{{primitive, 0}, {primitive, 1}}, {2}};
      spec.genotype = space::Genotype{cell, cell};
    }
    layout = lay_out(spec);
    const EdgeUnit& edge = layout.cells.at(stride == 1 ? 0 : 1).edges.front();
    for (const CandidateUnit& candidate : edge.candidates) {
      if (candidate.primitive == primitive) {
        unit = &candidate;
      }
    }
  }

  /// Names of its tensors start with this.
  std::string prefix(int stride) const {
    const std::string edge = stride == 1 ? "cells.0._ops.0." : "cells.1._ops.0.";
    return unit->slot ? edge + "_ops." + std::to_string(*unit->slot) + "." : edge;
  }
};

/// How far a number may lie from the stored one, which was computed in float64 and rounded to
/// float32.
struct Tolerance {
  double absolute;
  double of_value;    ///< times the stored value
  double of_largest;  ///< times the largest value of the tensor
};
/// The data state 2e-5. Gradients of pointwise weights are float32 sums of 128 products and reach
/// 80 here; the roundings of such a sum alone come to a few 1e-7 of its size, in any order.
constexpr Tolerance kInFloat32{2e-5, 0.0, 1e-6};
/// The data state 1e-6. What differs is the rounding of what is stored, half a unit in the last of
/// 24 bits, which is sharper for small values and fairer for large ones.
constexpr Tolerance kInFloat64{1e-12, 0x1p-24, 0.0};

void expect_close(const at::Tensor& computed, const at::Tensor& stored, const Tolerance& tolerance,
                  const std::string& what) {
  ASSERT_EQ(computed.sizes(), stored.sizes()) << what;
  const at::Tensor wanted = stored.to(at::kDouble);
  const double largest = wanted.abs().max().item<double>();
  const at::Tensor allowed = wanted.abs()
                                 .mul(tolerance.of_value)
                                 .add(std::max(tolerance.absolute, tolerance.of_largest * largest));
  const at::Tensor excess = computed.to(at::kDouble).sub(wanted).abs().sub(allowed);
  EXPECT_LE(excess.max().item<double>(), 0.0) << what << " lies too far off by this much";
}

/// Compares one row; returns how many tensors took part.
int check_row(const json& row, const TensorFile& file, at::ScalarType type,
              const Tolerance& tolerance) {
  const std::string key = row.at("key");
  const auto stored = [&](const std::string& name) { return to_tensor(file.at(name)).to(type); };
  const auto& shape = row.at("input");
  const std::string size =
      std::to_string(shape.at(2).get<int>()) + "x" + std::to_string(shape.at(3).get<int>());
  const int stride = row.at("stride");
  const Holder holder(*space::primitive_named(row.at("op").get<std::string>()), stride,
                      row.at("affine"), shape.at(1));
  const std::string prefix = holder.prefix(stride);
  NetworkState state = initial_state(
      holder.layout, type == at::kDouble ? Precision::kFloat64 : Precision::kFloat32, 1);

  std::vector<at::Tensor> parameters = split_parameters(holder.layout, state.weights);
  std::vector<at::Tensor> leaves = {stored("x." + size).set_requires_grad(true)};
  std::vector<std::string> names = {key + ".dx"};
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = holder.layout.parameters[i].name;
    if (name.starts_with(prefix)) {
      const std::string own = name.substr(prefix.size());
      parameters[i] = stored(key + ".state." + own).set_requires_grad(true);
      leaves.push_back(parameters[i]);
      names.push_back(key + ".grad." + own);
    }
  }
  at::Tensor batch = at::zeros_like(state.statistics);
  const at::Tensor out =
      composed_candidate(holder.layout, *holder.unit, parameters, state.statistics, batch,
                         leaves.front().contiguous(at::MemoryFormat::ChannelsLast), Mode::kTrain);
  expect_close(out.detach(), stored(key + ".y"), tolerance, "y");
  std::vector<at::Tensor> gradients(leaves.size());
  if (out.requires_grad()) {
    gradients = torch::autograd::grad({out}, leaves, {stored(key + ".dy")});
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const at::Tensor gradient = gradients[i].defined() ? gradients[i] : at::zeros_like(leaves[i]);
    expect_close(gradient.detach(), stored(names[i]), tolerance, names[i]);
  }
  int compared = 1 + static_cast<int>(leaves.size());
  move_statistics(state.statistics, batch);
  for (const NormInfo& norm : holder.layout.norms) {
    if (norm.name.starts_with(prefix)) {
      const std::string own = key + ".after." + norm.name.substr(prefix.size());
      expect_close(state.statistics.narrow(0, norm.offset, norm.channels),
                   stored(own + ".running_mean"), tolerance, own + ".running_mean");
      expect_close(state.statistics.narrow(0, norm.offset + norm.channels, norm.channels),
                   stored(own + ".running_var"), tolerance, own + ".running_var");
      compared += 2;
    }
  }
  return compared;
}

/// Tensors of the file that a complete check of this row has looked at.
int comparable(const json& row, const TensorFile& file) {
  const std::string key = row.at("key");
  int count = 0;
  for (const auto& [name, tensor] : file.tensors) {
    count += name == key + ".y" || name == key + ".dx" || name.starts_with(key + ".grad.") ||
                     name.starts_with(key + ".after.")
                 ? 1
                 : 0;
  }
  return count;
}

void check_all(at::ScalarType type, const Tolerance& tolerance) {
  int rows = 0;
  for (const auto& path : testing::golden_cases("03_supernet")) {
    const json document = json::parse(read_file(path));
    if (!document.contains("rows")) {
      continue;
    }
    const TensorFile file =
        read_tensor_file(path.parent_path() / document.at("safetensors").get<std::string>());
    for (const json& row : document.at("rows")) {
      if (is_ours(row)) {
        SCOPED_TRACE(path.filename().string() + " " + row.at("key").get<std::string>());
        EXPECT_EQ(check_row(row, file, type, tolerance), comparable(row, file));
        ++rows;
      }
    }
  }
  EXPECT_GT(rows, 0) << "no operation in 03_supernet";
}

TEST(CandidateGolden, AgreesInFloat32) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "03_supernet");
  check_all(at::kFloat, kInFloat32);
}

TEST(CandidateGolden, AgreesInFloat64) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "03_supernet");
  check_all(at::kDouble, kInFloat64);
}

}  // namespace
}  // namespace probedarts::nets
