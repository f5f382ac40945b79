// Against the published Adas over several epochs under given gradients (golden group 07_adas), both
// variants, in float32 and float64. Tolerances are those of its JSON, key "tolerance"; for float64
// its README: KG and lr 1e-7, weights 1e-7.
#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros_like.h>

#include "core/tensor_file.hpp"
#include "optim/adas.hpp"
#include "optim/optimizers.hpp"
#include "probe/stable_rank.hpp"
#include "support/golden_case.hpp"
#include "support/shared_files.hpp"

namespace probedarts::optim {
namespace {

using nlohmann::json;

/// How far the numbers of one variant may lie apart.
struct Tolerance {
  double stable_rank;
  double learning_rate;
  double weight;
};

at::Tensor tensor_of(const StoredTensor& stored, at::ScalarType type) {
  std::vector<double> values = stored.as_doubles();
  return at::from_blob(values.data(), stored.shape, at::kDouble).to(type, false, true);
}

/// One run of the golden file: the parameters in one flat buffer, probed and stepped as a search
/// does.
class AdasRun {
 public:
  AdasRun(const json& document, const TensorFile& file, bool as_published, at::ScalarType type)
      : file_(file), type_(type), adas_(options_of(document, as_published), layers_of(document)) {
    const json& hyper = document.at("hyper");
    sgd_ = {hyper.at("momentum"), hyper.at("weight_decay")};
    const auto layers = layers_of(document);
    segments_.offsets = {0};
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const StoredTensor& initial = file.at("w0." + std::to_string(i));
      shapes_.push_back(initial.shape);
      probed_.push_back(layers[i] >= 0);
      segments_.offsets.push_back(segments_.offsets.back() + initial.numel());
    }
    weights_ = flat("w0.");
    momentum_ = at::zeros_like(weights_);
  }

  void step(const std::string& gradient_prefix) {
    at::Tensor gradients = flat(gradient_prefix);
    sgd_step(weights_, gradients, momentum_, first_, segments_, adas_.learning_rates(), sgd_);
    first_ = false;
  }

  /// \returns the stable ranks it was given.
  std::vector<double> end_epoch() {
    const std::vector<double> stable_rank = probe_all();
    adas_.epoch_step(stable_rank);
    return stable_rank;
  }

  at::Tensor parameter(std::size_t i) const {
    return weights_.slice(0, segments_.offsets[i], segments_.offsets[i + 1]).reshape(shapes_[i]);
  }
  std::size_t parameters() const { return shapes_.size(); }
  const AdasState& state() const { return adas_.state(); }

 private:
  static AdasOptions options_of(const json& document, bool as_published) {
    const json& hyper = document.at("hyper");
    const std::set<std::string> known = {"lr",        "beta",     "gamma",        "zeta",
                                         "step_size", "momentum", "weight_decay", "linear"};
    for (const auto& [key, value] : hyper.items()) {
      EXPECT_TRUE(known.count(key) == 1) << "hyper-parameter " << key << " is not tested here";
    }
    AdasOptions options;
    options.learning_rate = hyper.at("lr");
    options.beta = hyper.at("beta");
    options.zeta = hyper.value("zeta", options.zeta);
    options.gamma = hyper.value("gamma", options.gamma);
    options.step_size = hyper.value("step_size", options.step_size);
    options.as_published = as_published;
    return options;
  }

  static std::vector<int> layers_of(const json& document) {
    const auto probed = document.at("velocity_order").get<std::vector<int>>();
    const std::size_t parameters = document.at("params").size();
    EXPECT_EQ(probed.size() + document.at("masked_params").size(), parameters);
    std::vector<int> layers(parameters, -1);
    for (std::size_t i = 0; i < probed.size(); ++i) {
      layers.at(static_cast<std::size_t>(probed[i])) = static_cast<int>(i);
    }
    return layers;
  }

  at::Tensor flat(const std::string& prefix) const {
    std::vector<at::Tensor> parts;
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      parts.push_back(tensor_of(file_.at(prefix + std::to_string(i)), type_).flatten());
    }
    return at::cat(parts);
  }

  /// The published code takes any convolution with one input channel for a depthwise one, and
  /// probes a linear layer when asked to.
  std::vector<double> probe_all() const {
    std::vector<at::Tensor> convolutions;
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      if (probed_[i] && shapes_[i].size() == 4) {
        convolutions.push_back(parameter(i));
      }
    }
    std::vector<probe::ProbeTarget> targets;
    for (const at::Tensor& weight : convolutions) {
      targets.push_back({&weight, weight.size(1) == 1});
    }
    const auto metrics = probe::probe_layers(targets, 1);
    std::vector<double> stable_rank;
    auto next = metrics.begin();
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      if (probed_[i]) {
        stable_rank.push_back(shapes_[i].size() == 4
                                  ? (next++)->stable_rank()
                                  : probe::probe_matrix(parameter(i)).stable_rank);
      }
    }
    return stable_rank;
  }

  const TensorFile& file_;
  at::ScalarType type_;
  Adas adas_;
  SgdOptions sgd_;
  Segments segments_;
  std::vector<std::vector<std::int64_t>> shapes_;
  std::vector<bool> probed_;
  at::Tensor weights_;
  at::Tensor momentum_;
  bool first_ = true;
};

void expect_row(const std::vector<double>& found, const StoredTensor& table, std::size_t row,
                double tolerance, const char* what) {
  const std::vector<double> all = table.as_doubles();
  const std::size_t width = found.size();
  ASSERT_LE((row + 1) * width, all.size()) << what;
  for (std::size_t i = 0; i < width; ++i) {
    EXPECT_NEAR(found[i], all[row * width + i], tolerance) << what << " " << i;
  }
}

void expect_weights(const AdasRun& run, const TensorFile& file, const std::string& prefix,
                    double tolerance) {
  for (std::size_t i = 0; i < run.parameters(); ++i) {
    const at::Tensor found = run.parameter(i).to(at::kDouble).contiguous();
    const auto expected = file.at(prefix + std::to_string(i)).as_doubles();
    ASSERT_EQ(static_cast<std::size_t>(found.numel()), expected.size());
    double furthest = 0.0;
    for (std::size_t k = 0; k < expected.size(); ++k) {
      furthest = std::max(furthest, std::abs(found.data_ptr<double>()[k] - expected[k]));
    }
    EXPECT_LE(furthest, tolerance) << "weight " << i;
  }
}

/// Inputs, and the four runs that the tests below compare; nothing else may lie in a file.
void expect_known_variants(const testing::GoldenCase& golden) {
  golden.mark("w0.");
  golden.mark("grad.");
  for (const char* variant : {"intended", "as_published"}) {
    for (const char* precision : {"", "_f64"}) {
      for (const char* part : {".KG", ".velocity", ".lr_vector", ".zeta", ".weight.e"}) {
        golden.mark(std::string(variant) + precision + part);
      }
    }
  }
  golden.expect_all_read();
}

void expect_variant(const testing::GoldenCase& golden, const std::string& variant,
                    at::ScalarType type, const Tolerance& tolerance) {
  const json& document = golden.facts;
  const TensorFile& file = golden.file;
  const std::string prefix = variant + (type == at::kDouble ? "_f64" : "");
  AdasRun run(document, file, variant == "as_published", type);
  const int epochs = document.at("epochs");
  int compared_weights = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    SCOPED_TRACE(prefix + " epoch " + std::to_string(epoch));
    for (int step = 0; step < document.at("steps_per_epoch").get<int>(); ++step) {
      run.step("grad.e" + std::to_string(epoch) + ".s" + std::to_string(step) + ".");
    }
    const auto row = static_cast<std::size_t>(epoch);
    expect_row(run.end_epoch(), file.at(prefix + ".KG"), row, tolerance.stable_rank, "KG");
    const AdasState& state = run.state();
    expect_row(state.velocity, file.at(prefix + ".velocity"), row, tolerance.learning_rate,
               "velocity");
    expect_row(state.learning_rates, file.at(prefix + ".lr_vector"), row, tolerance.learning_rate,
               "lr");
    EXPECT_EQ(state.not_ready,
              document.at("not_ready").at(variant).at(row).get<std::vector<int>>());
    const std::string weights = prefix + ".weight.e" + std::to_string(epoch) + ".";
    if (file.has(weights + "0")) {  // float64 runs keep the weights of some epochs only
      expect_weights(run, file, weights, tolerance.weight);
      ++compared_weights;
    }
    if (file.has(prefix + ".zeta")) {
      expect_row({state.zeta}, file.at(prefix + ".zeta"), row, tolerance.learning_rate, "zeta");
    }
  }
  EXPECT_GT(compared_weights, 0) << prefix;
}

class AdasGolden : public ::testing::TestWithParam<const char*> {
 protected:
  /// Runs every case found in the variant named by the parameter; \returns how many.
  static int expect_cases(at::ScalarType type) {
    int cases = 0;
    for (const auto& path : testing::golden_cases("07_adas")) {
      SCOPED_TRACE(path.filename().string());
      const testing::GoldenCase golden(path);
      const json& document = golden.facts;
      Tolerance tolerance{1e-7, 1e-7, 1e-7};
      if (type == at::kFloat) {
        const json& given = document.at("tolerance");
        tolerance = {given.at("KG_abs"), given.at("lr_abs"), given.at("weight_abs")};
      }
      expect_variant(golden, GetParam(), type, tolerance);
      expect_known_variants(golden);
      ++cases;
    }
    return cases;
  }
};

INSTANTIATE_TEST_SUITE_P(Variants, AdasGolden, ::testing::Values("intended", "as_published"),
                         [](const auto& variant) { return std::string(variant.param); });

TEST_P(AdasGolden, AgreesInDouble) {
  PROBEDARTS_NEEDS_GROUP("07_adas");
  EXPECT_GT(expect_cases(at::kDouble), 0) << "no case in 07_adas";
}

TEST_P(AdasGolden, AgreesInSinglePrecision) {
  PROBEDARTS_NEEDS_GROUP("07_adas");
  EXPECT_GT(expect_cases(at::kFloat), 0) << "no case in 07_adas";
}

}  // namespace
}  // namespace probedarts::optim
