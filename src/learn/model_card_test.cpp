#include "learn/model_card.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/tensor_file.hpp"
#include "learn/network.hpp"
#include "learn/options.hpp"
#include "learn/train_config.hpp"
#include "nets/layout.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::learn {
namespace {

using testing::ScratchFolder;
using testing::sentence_of;

NetworkOptions small_network() {
  NetworkOptions options;
  options.network = "DARTS_ADP_N2";
  options.channels = 4;
  options.cells = 3;
  return options;
}

ModelCard sample_card(bool auxiliary = false) {
  return {describe_network(small_network(), 3, auxiliary),
          {"gland", "muscle", "stroma"},
          data::LabelKind::kMulti,
          {{0.5, 0.25, 0.125}, {0.1, 0.2, 0.3}},
          64};
}

TEST(ModelCard, ComesBackFromItsJson) {
  const ModelCard card = sample_card(true);
  const ModelCard back = card_from_json(to_json(card));
  EXPECT_EQ(to_json(back), to_json(card));
  EXPECT_EQ(back.network.spec.genotype, card.network.spec.genotype);
  EXPECT_TRUE(back.network.spec.auxiliary);
}

TEST(ModelCard, ComesBackForANetworkOfTheZoo) {
  NetworkOptions options;
  options.network = "resnet18";
  const NetworkDescription back =
      description_from_json(to_json(describe_network(options, 5, false)));
  EXPECT_EQ(back.name, "resnet18");
  EXPECT_EQ(Network(back).classes(), 5);
}

TEST(Network, OfAPublishedNameIsThatOfItsGenotype) {
  NetworkOptions by_name;
  by_name.network = "DARTS_ADP_N4";
  const Network network(describe_network(by_name, 33, false));
  EXPECT_EQ(network.table().weight_count, 376791);  // as the authors' checkpoint
}

/// A checkpoint file of random weights.
class SavedModel : public ::testing::Test {
 protected:
  void save(const ModelCard& card) {
    const Network network(card.network);
    state_ = nets::initial_state(network.table(), nets::Precision::kFloat32, 3);
    save_weights(path_, card, network.table(), state_, {2, 0.25});
  }
  TrainedModel open(const ModelRequest& changes = {}) const {
    ModelRequest request = changes;
    request.checkpoint = path_.string();
    return open_model(request);
  }

  ScratchFolder scratch_;
  std::filesystem::path path_ = scratch_.path() / "best.safetensors";
  nets::NetworkState state_;
};

TEST_F(SavedModel, NeedsNothingButItsFile) {
  save(sample_card());
  const TrainedModel model = open();
  EXPECT_TRUE(model.state.weights.equal(state_.weights));
  EXPECT_TRUE(model.state.statistics.equal(state_.statistics));
  EXPECT_EQ(to_json(model.card), to_json(sample_card()));
}

TEST_F(SavedModel, LeavesItsAuxiliaryHeadAside) {
  save(sample_card(true));
  const TrainedModel model = open();
  EXPECT_LT(model.state.weights.numel(), state_.weights.numel());
  EXPECT_FALSE(model.network->cells()->auxiliary.has_value());
}

TEST_F(SavedModel, TakesAnotherNormalizationWhenTold) {
  save(sample_card());
  ModelRequest request;
  request.normalize = "0.5,0.5,0.5/0.25,0.25,0.25";
  EXPECT_EQ(open(request).card.normalization.sd[2], 0.25);
}

TEST_F(SavedModel, OfAnotherNetworkIsRefused) {
  save(sample_card());
  ModelRequest request;
  request.network = small_network();
  request.network.channels = 6;
  EXPECT_EQ(sentence_of([&] { open(request); })
                .find(path_.string() + ": does not fit the network: "
                                       "'stem.0.weight' should be [3, 3, 3, 3] and "
                                       "is [2, 3, 3, 3]"),
            0U);
}

TEST_F(SavedModel, OfAnotherNumberOfClassesIsRefusedForThat) {
  save(sample_card());
  ModelRequest request;
  request.classes = {"4"};
  EXPECT_EQ(sentence_of([&] { open(request); }),
            path_.string() +
                ": its classifier has 3 classes, not 4; give --classes 3, or data with "
                "as many");
}

TEST_F(SavedModel, StartsANetworkOfOtherClassesButForItsClassifier) {
  save(sample_card());
  const Network other(describe_network(small_network(), 5, false));
  nets::NetworkState state = nets::initial_state(other.table(), nets::Precision::kFloat32, 9);
  const at::Tensor fresh = state.weights.clone();
  const std::vector<std::string> kept =
      load_weights(read_tensor_file(path_), other.table(), Fit::kNewClassifier, "best", state);
  EXPECT_EQ(kept, (std::vector<std::string>{"classifier.weight", "classifier.bias"}));
  const std::int64_t classifier = other.table().parameters[other.cells()->classifier_weight].offset;
  EXPECT_TRUE(
      state.weights.narrow(0, 0, classifier).equal(state_.weights.narrow(0, 0, classifier)));
  const std::int64_t rest = fresh.numel() - classifier;
  EXPECT_TRUE(state.weights.narrow(0, classifier, rest).equal(fresh.narrow(0, classifier, rest)));
}

TEST_F(SavedModel, OfOtherClassNamesLeavesItsClassifierThoughItsShapeFits) {
  save(sample_card());
  const TensorFile file = read_tensor_file(path_);
  const Network other(describe_network(small_network(), 3, false));
  nets::NetworkState state = nets::initial_state(other.table(), nets::Precision::kFloat32, 9);
  const at::Tensor fresh = state.weights.clone();
  const Fit fit = fit_for_classes(file, "best", {"gland", "stroma", "muscle"});  // another order
  ASSERT_EQ(fit, Fit::kNoClassifier);
  EXPECT_EQ(load_weights(file, other.table(), fit, "best", state),
            (std::vector<std::string>{"classifier.weight", "classifier.bias"}));
  const std::int64_t classifier = other.table().parameters[other.cells()->classifier_weight].offset;
  const std::int64_t rest = fresh.numel() - classifier;
  EXPECT_TRUE(
      state.weights.narrow(0, 0, classifier).equal(state_.weights.narrow(0, 0, classifier)));
  EXPECT_TRUE(state.weights.narrow(0, classifier, rest).equal(fresh.narrow(0, classifier, rest)));
}

TEST_F(SavedModel, KeepsItsClassifierForTheSameNamesAndForUnknownOnes) {
  save(sample_card());
  const TensorFile named = read_tensor_file(path_);
  EXPECT_EQ(fit_for_classes(named, "best", {"gland", "muscle", "stroma"}), Fit::kNewClassifier);
  EXPECT_EQ(fit_for_classes(named, "best", {"0", "1", "2"}), Fit::kNewClassifier);
  ModelCard card = sample_card();
  card.classes = {"0", "1", "2"};
  save(card);
  EXPECT_EQ(fit_for_classes(read_tensor_file(path_), "best", {"a", "b", "c"}), Fit::kNewClassifier);
  TensorFile foreign = named;
  foreign.metadata.clear();
  EXPECT_EQ(fit_for_classes(foreign, "best", {"a", "b", "c"}), Fit::kNewClassifier);
}

TEST_F(SavedModel, WithOtherClassesDoesNotFitExactly) {
  save(sample_card());
  const Network other(describe_network(small_network(), 5, false));
  nets::NetworkState state = nets::initial_state(other.table(), nets::Precision::kFloat32, 9);
  EXPECT_THROW(load_weights(read_tensor_file(path_), other.table(), Fit::kExact, "best", state),
               UserError);
}

TEST_F(SavedModel, WithAMalformedCardIsRefused) {
  save(sample_card());
  TensorFile file = read_tensor_file(path_);
  file.metadata["model"] = "{\"network\": 3}";
  EXPECT_EQ(sentence_of([&] { card_of(file, "best"); }),
            "best: its description of the model is malformed; use the version that made it");
}

TEST(NormalizationNamed, ReadsNumbers) {
  const auto read = normalization_named("0.1,0.2,0.3/0.4,0.5,0.6");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->mean[1], 0.2);
  EXPECT_EQ(read->sd[2], 0.6);
}

TEST(NormalizationNamed, KnowsThatOfTorchvisionsWeights) {
  const auto imagenet = normalization_named("imagenet");
  ASSERT_TRUE(imagenet.has_value());
  EXPECT_EQ(imagenet->mean, (std::array<double, 3>{0.485, 0.456, 0.406}));
  EXPECT_EQ(imagenet->sd, (std::array<double, 3>{0.229, 0.224, 0.225}));
}

TEST(NormalizationNamed, RefusesWhatIsNoNormalization) {
  for (const char* text : {"measured", "mnist", "", "0,0,0", "0,0,0/1,1", "0,0,0/1,1,0",
                           "0,0,0/1,1,-1", "0,0,0/1,1,1,1", "0,0,0/1,1,nan", "0,0,0/1,1,1 "}) {
    EXPECT_FALSE(normalization_named(text).has_value()) << text;
  }
}

TEST(TrainConfig, ComesBackFromItsJson) {
  TrainConfig config;
  config.network = "resnet18";
  config.drop_path = 0.3;
  config.auxiliary = true;
  EXPECT_EQ(to_json(train_config_from_json(to_json(config))), to_json(config));
}

TEST(TrainConfig, OfThePathologyPresetIsThePapersEvaluation) {
  const TrainConfig config;
  EXPECT_EQ(config.epochs, 600);
  EXPECT_EQ(config.batch, 96);
  EXPECT_EQ(config.channels, 36);
  EXPECT_EQ(config.lr, 0.025);
  EXPECT_EQ(config.lr_final, 0.0);
  EXPECT_EQ(config.drop_path, 0.2);
  EXPECT_TRUE(train_preset("pathology").empty());
}

TEST(CifarCells, AreThoseOfThePapersNetworks) {
  EXPECT_EQ(cifar_cells(4), 20);
  EXPECT_EQ(cifar_cells(5), 17);
  EXPECT_EQ(cifar_cells(6), 14);
  EXPECT_EQ(cifar_cells(2), 20);
}

TEST(TrainConfig, RefusesValuesOutOfRange) {
  TrainConfig config;
  config.data = "tiles";
  config.network = "DARTS_ADP_N2";
  EXPECT_NO_THROW(validate(config));
  config.drop_path = 1.0;
  EXPECT_EQ(sentence_of([&] { validate(config); }),
            "--drop-path: 1 is out of range; use 0 to 0.99");
  config.drop_path = 0.2;
  config.runs = 0;
  EXPECT_EQ(sentence_of([&] { validate(config); }), "--runs: 0 is out of range; use 1 to 1000");
}

}  // namespace
}  // namespace probedarts::learn
