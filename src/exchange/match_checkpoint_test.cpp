#include "exchange/match_checkpoint.hpp"

#include <gtest/gtest.h>

#include "support/torch_bytes.hpp"

namespace probedarts::exchange {
namespace {

using probedarts::testing::float_bytes;
using probedarts::testing::refusal_of;

const std::vector<WantedTensor> kWanted = {
    {"stem.weight", {2}},
    {"stem.num_batches_tracked", {}, ElementType::kI64},
    {"classifier.weight", {3}},
};

TensorFile checkpoint() {
  TensorFile file;
  file.tensors["stem.weight"] = {ElementType::kF32, {2}, float_bytes({1, 2})};
  file.tensors["classifier.weight"] = {ElementType::kF32, {3}, float_bytes({3, 4, 5})};
  return file;
}

std::string refusal(const TensorFile& file, const MatchRules& rules = {}) {
  return refusal_of([&]() { match_checkpoint(file, kWanted, rules, "n4.pt"); });
}

using Names = std::vector<std::string>;

TEST(MatchCheckpoint, GivesWhatFits) {
  const MatchedCheckpoint matched = match_checkpoint(checkpoint(), kWanted, {}, "n4.pt");
  EXPECT_EQ(matched.tensors.size(), 2U);
  EXPECT_EQ(matched.tensors.at("stem.weight").bytes, float_bytes({1, 2}));
  EXPECT_EQ(matched.kept, Names{"stem.num_batches_tracked"});
  EXPECT_EQ(matched.unused, Names{});
}

TEST(MatchCheckpoint, ConvertsToTheWantedType) {
  TensorFile file = checkpoint();
  file.tensors["stem.weight"] = {ElementType::kBF16, {2}, std::string("\x80\x3f\x00\xc0", 4)};
  file.tensors["stem.num_batches_tracked"] = {ElementType::kI32, {}, std::string("\x07\0\0\0", 4)};
  const MatchedCheckpoint matched = match_checkpoint(file, kWanted, {}, "n4.pt");
  EXPECT_EQ(matched.tensors.at("stem.weight").bytes, float_bytes({1, -2}));
  EXPECT_EQ(matched.tensors.at("stem.num_batches_tracked").as_doubles(), std::vector<double>{7});
  EXPECT_EQ(matched.tensors.at("stem.num_batches_tracked").type, ElementType::kI64);
}

TEST(MatchCheckpoint, NamesTheShapesWantedAndGot) {
  TensorFile file = checkpoint();
  file.tensors["classifier.weight"] = {ElementType::kF32, {1, 2}, float_bytes({3, 4})};
  EXPECT_EQ(refusal(file),
            "n4.pt: does not fit the network: 'classifier.weight' should be [3] and is [1, 2] (3 "
            "tensors wanted, 2 in the checkpoint); choose the network that it was made for");
}

TEST(MatchCheckpoint, NamesWhatIsThereInsteadOfWhatIsMissing) {
  TensorFile file;
  for (const auto& [name, tensor] : checkpoint().tensors) {
    file.tensors["backbone." + name] = tensor;
  }
  EXPECT_EQ(
      refusal(file),
      "n4.pt: does not fit the network: 'stem.weight' [2] is missing, 'classifier.weight' [3] "
      "is missing, 'backbone.classifier.weight' [3] is not wanted, and 1 more (3 tensors "
      "wanted, 2 in the checkpoint); choose the network that it was made for");
}

TEST(MatchCheckpoint, NamesTheFirstThreeMisfits) {
  TensorFile file;
  for (const std::string name : {"a", "b", "c"}) {
    file.tensors[name] = {ElementType::kF32, {1}, float_bytes({0})};
  }
  EXPECT_EQ(refusal(file),
            "n4.pt: does not fit the network: 'stem.weight' [2] is missing, 'classifier.weight' "
            "[3] is missing, 'a' [1] is not wanted, and 2 more (3 tensors wanted, 3 in the "
            "checkpoint); choose the network that it was made for");
}

TEST(MatchCheckpoint, RefusesIntegersForWeights) {
  TensorFile file = checkpoint();
  file.tensors["stem.weight"] = {ElementType::kU8, {2}, "ab"};
  EXPECT_EQ(refusal(file),
            "n4.pt: does not fit the network: 'stem.weight' should be F32 and is U8 (3 tensors "
            "wanted, 2 in the checkpoint); choose the network that it was made for");
}

TEST(MatchCheckpoint, KeepsTheNetworksOwnClassifierWhereItMayBeReplaced) {
  const MatchRules rules{.replaceable = {"classifier.*"}};
  TensorFile file = checkpoint();
  file.tensors["classifier.weight"] = {ElementType::kF32, {1}, float_bytes({3})};
  const MatchedCheckpoint other_shape = match_checkpoint(file, kWanted, rules, "n4.pt");
  EXPECT_EQ(other_shape.kept, (Names{"stem.num_batches_tracked", "classifier.weight"}));
  EXPECT_EQ(other_shape.tensors.size(), 1U);
  const MatchedCheckpoint same_shape = match_checkpoint(checkpoint(), kWanted, rules, "n4.pt");
  EXPECT_EQ(same_shape.tensors.size(), 2U);
}

TEST(MatchCheckpoint, LeavesAsideWhatIsOptional) {
  TensorFile file = checkpoint();
  file.tensors["auxiliary_head.weight"] = {ElementType::kF32, {1}, float_bytes({3})};
  const MatchRules rules{.optional = {"*num_batches_tracked", "auxiliary_head.*"}};
  EXPECT_EQ(match_checkpoint(file, kWanted, rules, "n4.pt").unused, Names{"auxiliary_head.weight"});
  EXPECT_EQ(refusal(file),
            "n4.pt: does not fit the network: 'auxiliary_head.weight' [1] is not wanted (3 tensors "
            "wanted, 3 in the checkpoint); choose the network that it was made for");
}

}  // namespace
}  // namespace probedarts::exchange
