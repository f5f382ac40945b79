// The bilevel search against the published Python code: every case of `golden/03_supernet` and
// `golden/04_multilabel`.
//
// Part F is one forward and backward pass from state0; S1 a first-order iteration from state0; S2 a
// second-order iteration after it. Tolerances are the data's own: float64 files 1e-9 of a group's
// largest value (1e-6 for the finite difference, which divides by 2 eps); float32 files carry an
// absolute one per group, five times the reference's own float32-float64 difference. A float32 file
// also holds `f64.*`, the same run in float64: the sharp second-order test.

#include <cmath>
#include <numeric>
#include <span>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/ops/stack.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "learn/bilevel.hpp"
#include "learn/probe_network.hpp"
#include "learn/run_record.hpp"
#include "nets/stored_tensor.hpp"
#include "nets/torch_runtime.hpp"
#include "optim/adas.hpp"
#include "space/genotype.hpp"
#include "support/golden_case.hpp"
#include "support/shared_files.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

struct Case : testing::GoldenCase {
  using GoldenCase::GoldenCase;
  nets::NetworkLayout layout;
};

/// Fails for a case whose structure is not the one that our layout of its size has.
Case read_case(const std::filesystem::path& path) {
  Case read(path);
  space::NetworkSpec spec;
  spec.channels = read.facts.at("C");
  spec.cells = read.facts.at("layers");
  spec.nodes = read.facts.at("nodes");
  spec.classes = read.facts.at("classes");
  read.layout = nets::lay_out(spec);
  EXPECT_EQ(read.facts.value("multiplier", spec.nodes), spec.nodes);
  EXPECT_EQ(read.facts.value("params", read.layout.weight_count), read.layout.weight_count);
  const nets::ParameterInfo& stem = read.layout.parameters.front();
  EXPECT_EQ(stem.shape.front(), read.facts.value("stem_multiplier", 3) * spec.channels);
  if (read.facts.contains("parameter_order")) {
    std::vector<std::string> names;
    for (const nets::ParameterInfo& parameter : read.layout.parameters) {
      names.push_back(parameter.name);
    }
    EXPECT_EQ(json(names), read.facts.at("parameter_order"));
  }
  read.mark("state0.");
  return read;
}

std::vector<std::filesystem::path> cases_with(const std::string& key) {
  std::vector<std::filesystem::path> found;
  for (const char* group : {"03_supernet", "04_multilabel"}) {
    for (const auto& path : testing::golden_cases(group)) {
      const json description = json::parse(read_file(path));
      if (description.contains(key)) {
        found.push_back(path);
      }
    }
  }
  return found;
}

/// A run of a case in one precision, and comparison with the tensors under `prefix` ("" or "f64.").
class Comparison {
 public:
  Comparison(const Case& golden, nets::Precision precision, std::string prefix)
      : golden_(golden),
        type_(precision == nets::Precision::kFloat64 ? at::kDouble : at::kFloat),
        precision_(precision),
        prefix_(std::move(prefix)) {}

  bool in_double() const { return precision_ == nets::Precision::kFloat64; }

  at::Tensor input(const std::string& name) const {
    return nets::to_tensor(golden_.at(name)).to(type_);
  }

  LabelledBatch batch(const std::string& split) const {
    const at::Tensor target = nets::to_tensor(golden_.at(split + ".target"));
    return {input(split + ".input"), target.dim() == 1 ? target : target.to(type_)};
  }

  Objective objective() const {
    return golden_.has("class_weight") ? Objective::multi_label(input("class_weight"))
                                       : Objective::cross_entropy();
  }

  SearchState initial() const {
    nets::NetworkState network = nets::initial_state(golden_.layout, precision_, 1);
    nets::load_state_dict(golden_.layout, golden_.file, "state0.", network);
    network.alpha = at::stack({input("alpha0.normal"), input("alpha0.reduce")});
    return start_search(network);
  }

  /// Compares one group with what the file holds of it; absent tensors are not asked for.
  void expect(const std::string& group, const std::map<std::string, at::Tensor>& computed) const {
    double largest_value = 0.0;
    double largest_difference = 0.0;
    std::string worst;
    int compared = 0;
    for (const auto& [name, tensor] : computed) {
      const std::string key = prefix_ + group + (name.empty() ? "" : "." + name);
      if (!golden_.has(key)) {
        continue;
      }
      ++compared;
      const at::Tensor wanted = nets::to_tensor(golden_.at(key)).to(at::kDouble);
      ASSERT_EQ(tensor.sizes(), wanted.sizes()) << key;
      largest_value = std::max(largest_value, wanted.abs().max().item<double>());
      const double difference = tensor.to(at::kDouble).sub(wanted).abs().max().item<double>();
      if (!(difference <= largest_difference)) {
        largest_difference = difference;
        worst = key;
      }
    }
    if (prefix_.empty() || group.find("grad_alpha") != std::string::npos) {
      EXPECT_GT(compared, 0) << "nothing to compare in " << group;
    }
    EXPECT_LE(largest_difference, tolerance(group, largest_value)) << worst;
  }

  bool has(const std::string& name) const { return golden_.has(prefix_ + name); }

  void expect_loss(const std::string& group, const LossResult& loss) const {
    if (has(group)) {
      expect(group, {{"", input("alpha0.normal").new_full({}, loss.loss, at::kDouble)}});
    }
  }

  void expect_vector(const std::string& group, const std::vector<double>& values) const {
    at::Tensor tensor = input("alpha0.normal")
                            .to(at::kDouble)
                            .new_empty({static_cast<std::int64_t>(values.size())});
    std::copy(values.begin(), values.end(), tensor.data_ptr<double>());
    expect(group, {{"", tensor}});
  }

  void expect_alpha(const std::string& group, const at::Tensor& alpha) const {
    expect(group, {{"normal", alpha.select(0, 0)}, {"reduce", alpha.select(0, 1)}});
  }

  void expect_weights(const std::string& group, const at::Tensor& flat) const {
    std::map<std::string, at::Tensor> named;
    for (const nets::ParameterInfo& parameter : golden_.layout.parameters) {
      named[parameter.name] =
          flat.narrow(0, parameter.offset, parameter.numel).view(parameter.shape);
    }
    expect(group, named);
  }

  void expect_statistics(const std::string& group, const nets::NetworkState& network) const {
    if (!prefix_.empty()) {
      return;
    }
    const at::Tensor& flat = network.statistics;
    std::map<std::string, at::Tensor> named;
    for (const nets::NormInfo& norm : golden_.layout.norms) {
      named[norm.name + ".running_mean"] = flat.narrow(0, norm.offset, norm.channels);
      named[norm.name + ".running_var"] =
          flat.narrow(0, norm.offset + norm.channels, norm.channels);
      const std::string tracked = group + "." + norm.name + ".num_batches_tracked";
      if (golden_.has(tracked)) {
        EXPECT_EQ(golden_.at(tracked).as_doubles().at(0), network.batches_tracked) << tracked;
      }
    }
    if (golden_.has("class_weight")) {
      named["_criterion.weight"] = input("class_weight");
    }
    expect(group, named);
  }

  /// One number of a step: `scalars` of the file's own run, or `scalars_float64`. Each is the norm
  /// of a gradient or proportional to its inverse, so in float32 it may move by `rel_l2` of
  /// gradients; in float64 by 1e-9. Those of the second-order step follow one kink as its gradient
  /// does (below) and are tested in double, against the same file's `scalars_float64`.
  void expect_scalar(const std::string& name, double computed) const {
    if (!in_double() && name.starts_with("S2.")) {
      ASSERT_TRUE(golden_.facts.at("scalars_float64").contains(name));
      return;
    }
    const json& own = golden_.facts.at("scalars");
    const double wanted =
        (prefix_.empty() ? own : golden_.facts.at("scalars_float64")).at(name).get<double>();
    const double relative = in_double() ? 1e-9 : figures("F.grad").at("rel_l2").get<double>();
    EXPECT_NEAR(computed, wanted, relative * std::abs(wanted)) << name;
  }

  /// L2 norms of each parameter's part of a flat vector, where the file holds those of a group. A
  /// norm moves by no more than the norm of the difference: at most `abs` of the group for each of
  /// n values, and `rel_l2` of it all.
  void expect_norms(const std::string& name, const std::string& group, const at::Tensor& flat,
                    const at::Tensor& whole) const {
    if (!prefix_.empty() || !golden_.has(name)) {
      return;
    }
    const std::vector<double> wanted = golden_.at(name).as_doubles();
    ASSERT_EQ(wanted.size(), golden_.layout.parameters.size());
    const double of_all = figures(group).at("rel_l2").get<double>() * whole.norm().item<double>();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const nets::ParameterInfo& parameter = golden_.layout.parameters[i];
      const double of_each =
          figures(group).at("abs").get<double>() * std::sqrt(static_cast<double>(parameter.numel));
      const at::Tensor part = flat.narrow(0, parameter.offset, parameter.numel);
      EXPECT_NEAR(part.to(at::kDouble).norm().item<double>(), wanted[i], std::min(of_all, of_each))
          << name << " " << parameter.name;
    }
  }

 private:
  double tolerance(const std::string& group, double largest_value) const {
    const json& stated = golden_.facts.at("tolerance");
    const bool implicit = group.find("implicit") != std::string::npos ||
                          group == "S2.grad_alpha";  // contains the implicit term
    if (!prefix_.empty() || stated.contains("rel_to_group_max")) {
      return (implicit ? 1e-6 : 1e-9) * largest_value;  // the README's figures for float64
    }
    if (stated.contains("double")) {  // the Adas case
      const json& figures = stated.at("double");
      if (implicit || group.find("grad_alpha") != std::string::npos) {
        return 1e-6 * largest_value;
      }
      const std::string kind = group.substr(group.find('.') + 1);
      if (kind == "velocity") {  // what the rates are made of
        return figures.at("lr_vector").get<double>();
      }
      if (kind == "train_loss") {  // of weights that agree to this
        return figures.at("weight").get<double>();
      }
      return figures.at(kind).get<double>();
    }
    return figures(group).at("abs").get<double>();
  }

  /// What a float32 file states of a group; losses after the first have no entry of their own.
  const json& figures(const std::string& group) const {
    const json& stated = golden_.facts.at("tolerance");
    for (const std::string& key : {group, group + "."}) {
      if (stated.contains(key)) {
        return stated.at(key);
      }
    }
    require(group.ends_with("train_loss"), "every group but a loss has a tolerance");
    return stated.at("F.loss");
  }

  const Case& golden_;
  at::ScalarType type_;
  nets::Precision precision_;
  std::string prefix_;
};

BilevelOptions options_of(const json& description, int order) {
  BilevelOptions options;
  options.order = order;
  const bool adas = description.contains("adas");
  const json& sgd = description.at(adas ? "adas" : "sgd");
  options.sgd = {sgd.at("momentum"), sgd.at("weight_decay")};
  options.clip =
      adas ? description.at("clip").get<double>() : sgd.at("clip_grad_norm").get<double>();
  const json& adam = description.at("adam");
  options.adam.learning_rate = adam.at("lr");
  options.adam.beta1 = adam.at("betas").at(0);
  options.adam.beta2 = adam.at("betas").at(1);
  options.adam.weight_decay = adam.at("weight_decay");
  options.rate_inside_difference = adas;
  return options;
}

void check_forward(const Case& golden, const Comparison& compare, nets::Executor& executor) {
  SearchState state = compare.initial();
  const LabelledBatch batch = compare.batch("train1");
  const at::Tensor logits =
      executor.forward(state.network, batch.images, {nets::Mode::kTrain, nets::Wanted::kBoth}).main;
  const LossResult loss = compare.objective().evaluate(logits, batch.labels, true);
  const nets::Gradients gradients = executor.backward({loss.logits_gradient, {}});
  compare.expect("F.logits", {{"", logits}});
  compare.expect_loss("F.loss", loss);
  compare.expect_alpha("F.grad_alpha", gradients.alpha);
  compare.expect_weights("F.grad", gradients.weights);
  compare.expect_norms("F.grad_l2", "F.grad", gradients.weights, gradients.weights);
  if (golden.has("F.buffers.stem.1.running_mean")) {
    compare.expect_statistics("F.buffers", state.network);
  }
  const at::Tensor evaluated = executor
                                   .forward(state.network, compare.batch("valid1").images,
                                            {nets::Mode::kEvaluate, nets::Wanted::kNothing})
                                   .main;
  compare.expect("F.eval_logits", {{"", evaluated}});
  const at::Tensor& alpha = state.network.alpha;
  const space::Genotype genotype = space::derive_genotype(
      edge_weights(alpha, space::CellKind::kNormal), edge_weights(alpha, space::CellKind::kReduce),
      golden.layout.spec.nodes);
  EXPECT_EQ(space::to_python(genotype),
            golden.facts.at("scalars").at("F.genotype").get<std::string>());
}

/// A weight step, with the logits and the loss that it starts from and the norm that it clips.
void check_weight_step(const Case& golden, const Comparison& compare, nets::Executor& executor,
                       BilevelLearner& learner, SearchState& state, const std::string& step,
                       std::span<const double> rates) {
  const LabelledBatch batch = compare.batch("train" + step.substr(1));
  if (compare.has(step + ".train_logits")) {
    nets::NetworkState copy = state.network.clone();  // the statistics move once, below
    compare.expect(
        step + ".train_logits",
        {{"", executor.forward(copy, batch.images, {nets::Mode::kTrain, nets::Wanted::kNothing})
                  .main}});
  }
  compare.expect_loss(step + ".train_loss", learner.weight_step(state, batch, rates));
  const double norm = learner.last_gradient_norm();
  compare.expect_scalar(step + ".grad_norm_before_clip", norm);
  if (golden.facts.at("scalars").contains(step + ".clip_factor")) {
    const double clip = golden.facts.at("sgd").at("clip_grad_norm");
    compare.expect_scalar(step + ".clip_factor", std::min(1.0, clip / (norm + 1e-6)));
  }
}

void check_first_order(const Case& golden, const Comparison& compare, nets::Executor& executor,
                       SearchState& state, std::span<const double> rates) {
  BilevelLearner learner(golden.layout, executor, compare.objective(), options_of(golden.facts, 1));
  SearchState copy = compare.initial();
  const LabelledBatch train = compare.batch("train1");
  const LabelledBatch valid = compare.batch("valid1");
  compare.expect_alpha("S1.grad_alpha",
                       learner.architecture_gradient(copy, train, valid, rates).total);
  learner.alpha_step(state, train, valid, rates);
  compare.expect_alpha("S1.alpha", state.network.alpha);
  check_weight_step(golden, compare, executor, learner, state, "S1", rates);
  if (golden.has("S1.weight.stem.0.weight")) {
    compare.expect_weights("S1.weight", state.network.weights);
    compare.expect_statistics("S1.buffers", state.network);
  }
}

void check_second_order(const Case& golden, const Comparison& compare, nets::Executor& executor,
                        SearchState& state, std::span<const double> rates) {
  BilevelLearner learner(golden.layout, executor, compare.objective(), options_of(golden.facts, 2));
  const LabelledBatch train = compare.batch("train2");
  const LabelledBatch valid = compare.batch("valid2");
  SearchState copy = state;
  copy.network = state.network.clone();
  const ArchitectureGradient unrolled = learner.architecture_gradient(copy, train, valid, rates);
  compare.expect_scalar("S2.R", unrolled.epsilon);
  compare.expect_alpha("S2.dalpha_valid", unrolled.direct);
  if (compare.in_double()) {
    compare.expect_alpha("S2.implicit", unrolled.implicit);
    compare.expect_alpha("S2.grad_alpha", unrolled.total);
  } else {
    // One kink that rounding moves across the finite difference changes these by per cents: the
    // data's README asks to test them in double, against the same case's f64.*.
    ASSERT_TRUE(golden.has("f64.S2.implicit.normal"));
    golden.mark("S2.implicit.");
    golden.mark("S2.grad_alpha.");
  }
  if (golden.has("S2.unrolled_w.stem.0.weight")) {
    compare.expect_weights("S2.unrolled_w", unrolled.unrolled_weights);
  }
  learner.alpha_step(state, train, valid, rates);
  compare.expect_alpha("S2.alpha", state.network.alpha);
  check_weight_step(golden, compare, executor, learner, state, "S2", rates);
  compare.expect_weights("S2.weight", state.network.weights);
  compare.expect_norms("S2.weight_change_l2", "S2.weight",
                       state.network.weights.sub(compare.initial().network.weights),
                       state.network.weights);
  compare.expect_statistics("S2.buffers", state.network);
}

void check(const Case& golden, const Comparison& compare, nets::Executor& executor) {
  const std::vector<double> rate = {golden.facts.at("sgd").at("lr").get<double>()};
  check_forward(golden, compare, executor);
  SearchState state = compare.initial();
  check_first_order(golden, compare, executor, state, rate);
  check_second_order(golden, compare, executor, state, rate);
}

TEST(BilevelGolden, FollowsTheReferenceInEveryCase) {
  // The float32 tolerances leave room for one order of summation; OpenBLAS changes its order with
  // its threads.
  nets::set_threads(1);
  PROBEDARTS_NEEDS(testing::golden_folder());
  const auto paths = cases_with("sgd");
  ASSERT_FALSE(paths.empty());
  for (const auto& path : paths) {
    SCOPED_TRACE(path.filename().string());
    const Case golden = read_case(path);
    const auto executor = nets::make_composed_executor(golden.layout);
    const bool in_double = golden.facts.value("dtype", "float32") == "float64";
    const Comparison stored(golden,
                            in_double ? nets::Precision::kFloat64 : nets::Precision::kFloat32, "");
    check(golden, stored, *executor);
    if (golden.has("f64.F.logits")) {
      SCOPED_TRACE("in float64");
      check(golden, Comparison(golden, nets::Precision::kFloat64, "f64."), *executor);
    }
    golden.expect_all_read();
  }
}

std::vector<double> stable_ranks(const nets::NetworkLayout& layout,
                                 const nets::NetworkState& network) {
  std::vector<double> ranks;
  for (const probe::LayerMetrics& metrics :
       probe_network(layout, network, 2, probe::EvbmfScale::kAsPublished)) {
    ranks.push_back(metrics.stable_rank());
  }
  return ranks;
}

optim::Adas adas_of(const Case& golden) {
  const json& hyper = golden.facts.at("adas");
  optim::AdasOptions options;
  options.learning_rate = hyper.at("lr");
  options.beta = hyper.at("beta");
  options.gamma = hyper.at("gamma");
  options.step_size = hyper.at("step_size");
  options.as_published = golden.facts.at("variant").get<std::string>().starts_with("as_published");
  const std::vector<int> layers = layer_of_parameter(golden.layout);
  json masked = json::array();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i] == -1) {
      masked.push_back(i);
    }
  }
  EXPECT_EQ(masked, golden.facts.at("masked"));
  return {options, layers};
}

/// First-order iterations, each an epoch of Adas, as long as the file goes on with them.
void check_adas_epochs(const Case& golden, const Comparison& compare, nets::Executor& executor,
                       optim::Adas& adas, SearchState& state) {
  BilevelLearner learner(golden.layout, executor, compare.objective(), options_of(golden.facts, 1));
  for (int epoch = 0; epoch < 2; ++epoch) {
    const std::string step = "S" + std::to_string(epoch + 1);
    const LabelledBatch train = compare.batch("train" + step.substr(1));
    const LabelledBatch valid = compare.batch("valid" + step.substr(1));
    SearchState copy = state;
    copy.network = state.network.clone();
    compare.expect_alpha(
        step + ".grad_alpha",
        learner.architecture_gradient(copy, train, valid, adas.learning_rates()).total);
    learner.alpha_step(state, train, valid, adas.learning_rates());
    compare.expect_alpha(step + ".alpha", state.network.alpha);
    check_weight_step(golden, compare, executor, learner, state, step, adas.learning_rates());
    const std::vector<double> ranks = stable_ranks(golden.layout, state.network);
    adas.epoch_step(ranks);
    const std::string group = "E" + std::to_string(epoch);
    compare.expect_vector(group + ".KG", ranks);
    compare.expect_vector(group + ".velocity", adas.state().velocity);
    compare.expect_vector(group + ".lr_vector", adas.learning_rates());
  }
  EXPECT_EQ(json(adas.state().not_ready), golden.facts.at("scalars").at("not_ready_end"));
}

void check_adas_case(const Case& golden) {
  const Comparison compare(golden, nets::Precision::kFloat64, "");
  const auto executor = nets::make_composed_executor(golden.layout);
  optim::Adas adas = adas_of(golden);
  SearchState state = compare.initial();
  check_adas_epochs(golden, compare, *executor, adas, state);
  BilevelLearner second(golden.layout, *executor, compare.objective(), options_of(golden.facts, 2));
  const LabelledBatch train = compare.batch("train3");
  const LabelledBatch valid = compare.batch("valid3");
  SearchState copy = state;
  copy.network = state.network.clone();
  const ArchitectureGradient gradient =
      second.architecture_gradient(copy, train, valid, adas.learning_rates());
  compare.expect_scalar("S3.R", gradient.epsilon);
  compare.expect_alpha("S3.implicit", gradient.implicit);
  compare.expect_alpha("S3.grad_alpha", gradient.total);
  second.alpha_step(state, train, valid, adas.learning_rates());
  compare.expect_alpha("S3.alpha", state.network.alpha);
  check_weight_step(golden, compare, *executor, second, state, "S3", adas.learning_rates());
  compare.expect_weights("S3.weight", state.network.weights);
  golden.expect_all_read();
}

TEST(BilevelGolden, FollowsTheReferenceWithAdas) {
  PROBEDARTS_NEEDS(testing::golden_folder());
  const auto paths = cases_with("adas");
  ASSERT_FALSE(paths.empty());
  for (const auto& path : paths) {
    SCOPED_TRACE(path.filename().string());
    check_adas_case(read_case(path));
  }
}

}  // namespace
}  // namespace probedarts::learn
