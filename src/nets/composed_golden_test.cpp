// Every candidate operation by itself against the published Python code: every row of the cases of
// `golden/03_supernet` that list operations. Output, gradients of sum(y * dy), and BN buffers after
// one training pass.

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "nets/composed_executor.hpp"
#include "nets/lay_out_candidate.hpp"
#include "nets/stored_tensor.hpp"
#include "support/golden_case.hpp"
#include "support/shared_files.hpp"

namespace probedarts::nets {
namespace {

using nlohmann::json;

/// Primitives of the original's table that the search space leaves out: they occur in hand-made
/// cells only. Any other that is not ours is a failure.
constexpr const char* kLeftOut[] = {"conv_7x1_1x7", "sep_conv_7x7"};

bool is_left_out(const std::string& operation) {
  return std::find(std::begin(kLeftOut), std::end(kLeftOut), operation) != std::end(kLeftOut);
}

/// Names of the operation's tensors start with this.
constexpr std::string_view kPrefix = "candidate.";

/// The operation alone, on a map of any number of channels that it allows. The data leave out the
/// BN that a supernet's pools have.
struct Holder {
  NetworkLayout layout;
  CandidateUnit unit;

  explicit Holder(const json& row)
      : unit(lay_out_candidate(layout, "candidate",
                               {space::primitive_named(row.at("op").get<std::string>()).value(), 0},
                               row.at("input").at(1), row.at("stride"),
                               row.at("affine").get<bool>() || is_pool(row)
                                   ? CandidateForm::kDerived
                                   : CandidateForm::kRelaxed)) {}

  static bool is_pool(const json& row) {
    return row.at("op").get<std::string>().find("_pool_") != std::string::npos;
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

/// Compares one row with what the file holds of it.
void check_row(const json& row, const testing::GoldenCase& golden, at::ScalarType type,
               const Tolerance& tolerance) {
  const std::string key = row.at("key");
  const auto stored = [&](const std::string& name) { return to_tensor(golden.at(name)).to(type); };
  const auto& shape = row.at("input");
  const std::string size =
      std::to_string(shape.at(2).get<int>()) + "x" + std::to_string(shape.at(3).get<int>());
  const Holder holder(row);
  NetworkState state = initial_state(
      holder.layout, type == at::kDouble ? Precision::kFloat64 : Precision::kFloat32, 1);

  std::vector<at::Tensor> parameters = split_parameters(holder.layout, state.weights);
  std::vector<at::Tensor> leaves = {stored("x." + size).set_requires_grad(true)};
  std::vector<std::string> names = {key + ".dx"};
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = holder.layout.parameters[i].name;
    const std::string own = name.substr(kPrefix.size());
    parameters[i] = stored(key + ".state." + own).set_requires_grad(true);
    leaves.push_back(parameters[i]);
    names.push_back(key + ".grad." + own);
  }
  for (const NormInfo& norm : holder.layout.norms) {
    const std::string own = key + ".state." + norm.name.substr(kPrefix.size());
    state.statistics.narrow(0, norm.offset, norm.channels).copy_(stored(own + ".running_mean"));
    state.statistics.narrow(0, norm.offset + norm.channels, norm.channels)
        .copy_(stored(own + ".running_var"));
    golden.mark(own + ".num_batches_tracked");
  }
  at::Tensor batch = at::zeros_like(state.statistics);
  const at::Tensor out =
      composed_candidate(holder.layout, holder.unit, parameters, state.statistics, batch,
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
  golden.mark(key + ".dy");  // `none` has no gradient to take it
  move_statistics(state.statistics, batch);
  for (const NormInfo& norm : holder.layout.norms) {
    const std::string own = key + ".after." + norm.name.substr(kPrefix.size());
    expect_close(state.statistics.narrow(0, norm.offset, norm.channels),
                 stored(own + ".running_mean"), tolerance, own + ".running_mean");
    expect_close(state.statistics.narrow(0, norm.offset + norm.channels, norm.channels),
                 stored(own + ".running_var"), tolerance, own + ".running_var");
  }
}

/// Fails for every tensor of the file that belongs to a compared row and took no part.
void check_case(const testing::GoldenCase& golden, at::ScalarType type,
                const Tolerance& tolerance) {
  for (const json& row : golden.facts.at("rows")) {
    const std::string key = row.at("key");
    const std::string operation = row.at("op");
    SCOPED_TRACE(golden.path.filename().string() + " " + key);
    if (space::primitive_named(operation)) {
      check_row(row, golden, type, tolerance);
    } else {
      EXPECT_TRUE(is_left_out(operation)) << "nobody compares the operation '" << operation << "'";
      golden.mark(key + ".");
    }
  }
  golden.mark("x.");
  golden.expect_all_read();
}

void check_all(at::ScalarType type, const Tolerance& tolerance) {
  int cases = 0;
  for (const char* group : {"03_supernet", "04_multilabel"}) {
    for (const auto& path : testing::golden_cases(group)) {
      const testing::GoldenCase golden(path);
      if (golden.facts.contains("rows")) {
        check_case(golden, type, tolerance);
        ++cases;
      }
    }
  }
  PROBEDARTS_FOUND(cases, "single operations");
}

TEST(CandidateGolden, AgreesInFloat32) {
  PROBEDARTS_NEEDS_GROUP("03_supernet");
  check_all(at::kFloat, kInFloat32);
}

TEST(CandidateGolden, AgreesInFloat64) {
  PROBEDARTS_NEEDS_GROUP("03_supernet");
  check_all(at::kDouble, kInFloat64);
}

}  // namespace
}  // namespace probedarts::nets
