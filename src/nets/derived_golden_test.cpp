// Derived networks with an auxiliary head against the published Python code: every case of
// `golden/10_derived`, both executors. One training pass (drop-path off) with the loss CE + 0.4 CE
// of the auxiliary head, gradients and running statistics after it; and an evaluating pass.
// Tolerances are the data's own: ten times the reference's float32-float64 difference.

#include <cmath>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/ops/log_softmax.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/softmax.h>

#include "nets/executor.hpp"
#include "nets/stored_tensor.hpp"
#include "support/golden_case.hpp"
#include "support/golden_network.hpp"
#include "support/shared_files.hpp"

namespace probedarts::nets {
namespace {

using nlohmann::json;

struct DerivedCase : testing::GoldenCase {
  using GoldenCase::GoldenCase;
  NetworkLayout layout;

  at::Tensor stored(const std::string& name) const { return to_tensor(at(name)); }
  double tolerance(const std::string& group) const {
    return facts.at("tolerance").at(group).get<double>();
  }
  NetworkState initial(Precision precision) const {
    NetworkState state = initial_state(layout, precision, 1);
    load_state_dict(layout, file, "state.", state);
    return state;
  }
  void expect_near(const at::Tensor& computed, const std::string& name, double apart) const {
    const at::Tensor wanted = stored(name).to(at::kDouble);
    ASSERT_EQ(computed.numel(), wanted.numel()) << name;
    EXPECT_LE(computed.to(at::kDouble).view_as(wanted).sub(wanted).abs().max().item<double>(),
              apart)
        << name;
  }
};

DerivedCase read_case(const std::filesystem::path& path) {
  DerivedCase read(path);
  const testing::GoldenNetwork network = testing::golden_network(read.facts);
  read.layout = lay_out(network.spec);
  EXPECT_EQ(read.layout.weight_count, read.facts.at("params_total").get<std::int64_t>());
  read.mark("state.");
  return read;
}

/// Mean cross-entropy, and its gradient in the logits.
std::pair<double, at::Tensor> cross_entropy(const at::Tensor& logits, const at::Tensor& target) {
  const at::Tensor hot = at::one_hot(target, logits.size(1)).to(logits.scalar_type());
  const double images = static_cast<double>(logits.size(0));
  return {-at::log_softmax(logits, 1).mul(hot).sum().item<double>() / images,
          at::softmax(logits, 1).sub(hot).div(images)};
}

void check_gradients(const DerivedCase& golden, const at::Tensor& gradient) {
  const at::Tensor norms = golden.stored("grad_l2");
  const json& order = golden.facts.at("parameter_order");
  ASSERT_EQ(order.size(), golden.layout.parameters.size());
  const double relative = golden.tolerance("grad_rel_l2");
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ParameterInfo& parameter = golden.layout.parameters[i];
    ASSERT_EQ(order[i].get<std::string>(), parameter.name);
    const at::Tensor values = gradient.narrow(0, parameter.offset, parameter.numel);
    const double wanted = norms[static_cast<std::int64_t>(i)].item<double>();
    EXPECT_NEAR(values.norm().item<double>(), wanted, relative * wanted + 1e-7) << parameter.name;
    const std::string whole = "grad." + parameter.name;
    if (golden.has(whole)) {
      const at::Tensor exact = golden.stored(whole).to(at::kDouble).flatten();
      EXPECT_LE(values.to(at::kDouble).sub(exact).norm().item<double>(),
                relative * exact.norm().item<double>() + 1e-7)
          << parameter.name;
    }
  }
}

void check_statistics(const DerivedCase& golden, const NetworkState& state) {
  for (const NormInfo& norm : golden.layout.norms) {
    const std::string prefix = "buffers_after." + norm.name;
    if (golden.has(prefix + ".running_mean")) {
      // momentum 0.1 of values of order one, float32
      golden.expect_near(state.statistics.narrow(0, norm.offset, norm.channels),
                         prefix + ".running_mean", 1e-5);
      golden.expect_near(state.statistics.narrow(0, norm.offset + norm.channels, norm.channels),
                         prefix + ".running_var", 1e-5);
      if (golden.has(prefix + ".num_batches_tracked")) {
        EXPECT_EQ(golden.at(prefix + ".num_batches_tracked").as_doubles(),
                  (std::vector<double>{static_cast<double>(state.batches_tracked)}));
      }
    }
  }
}

/// \param sharp  compares gradients too. Not for composed in float32: the order of its sums puts
/// one pixel of the CIFAR case on the other side of a ReLU's kink, which moves gradients by 2 %.
void check(const DerivedCase& golden, Executor& executor, Precision precision, bool sharp) {
  const bool wide = precision == Precision::kFloat64;
  const std::string suffix = wide ? "_f64" : "";
  const auto tolerance = [&](const char* group) { return wide ? 1e-9 : golden.tolerance(group); };
  const at::Tensor images = golden.stored("input").to(wide ? at::kDouble : at::kFloat);
  const at::Tensor target = golden.stored("target");
  NetworkState state = golden.initial(precision);
  const Logits logits = executor.forward(state, images, {Mode::kTrain, Wanted::kWeights});
  golden.expect_near(logits.main, "train_logits" + suffix, tolerance("train_logits"));
  auto [loss, gradient] = cross_entropy(logits.main, target);
  at::Tensor auxiliary_gradient;
  ASSERT_EQ(logits.auxiliary.defined(), golden.has("aux_logits"));
  if (logits.auxiliary.defined()) {
    golden.expect_near(logits.auxiliary, "aux_logits" + suffix, tolerance("aux_logits"));
    const auto [auxiliary_loss, of_auxiliary] = cross_entropy(logits.auxiliary, target);
    loss += 0.4 * auxiliary_loss;
    auxiliary_gradient = of_auxiliary.mul(0.4);
  }
  EXPECT_NEAR(loss, golden.stored("loss" + suffix).item<double>(), tolerance("loss"));
  const Gradients gradients = executor.backward({gradient, auxiliary_gradient});
  if (sharp) {
    check_gradients(golden, gradients.weights);
  }
  check_statistics(golden, state);
  NetworkState fresh = golden.initial(precision);
  const Logits evaluated = executor.forward(fresh, images, {Mode::kEvaluate, Wanted::kNothing});
  golden.expect_near(evaluated.main, "eval_logits" + suffix, tolerance("eval_logits"));
  EXPECT_FALSE(evaluated.auxiliary.defined());
}

TEST(DerivedGolden, AgreesOnBothExecutors) {
  PROBEDARTS_NEEDS_GROUP("10_derived");
  for (const auto& path : testing::golden_cases("10_derived")) {
    SCOPED_TRACE(path.filename());
    const DerivedCase golden = read_case(path);
    {
      SCOPED_TRACE("composed, float32");
      check(golden, *make_composed_executor(golden.layout), Precision::kFloat32, false);
    }
    {
      SCOPED_TRACE("composed, float64");
      check(golden, *make_composed_executor(golden.layout), Precision::kFloat64, true);
    }
    {
      SCOPED_TRACE("fused");
      check(golden, *make_fused_executor(golden.layout, 2), Precision::kFloat32, true);
    }
    golden.expect_all_read();
  }
}

}  // namespace
}  // namespace probedarts::nets
