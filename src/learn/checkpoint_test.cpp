#include "learn/checkpoint.hpp"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/files.hpp"
#include "core/random.hpp"
#include "core/tensor_file.hpp"
#include "learn/probe_network.hpp"
#include "support/mutation.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::learn {
namespace {

using testing::mutate;
using testing::ScratchFolder;
using testing::sentence_of;

nets::NetworkLayout small_layout(int channels = 2) {
  space::NetworkSpec spec;
  spec.channels = channels;
  spec.cells = 1;
  spec.nodes = 1;
  spec.classes = 2;
  return nets::lay_out(spec);
}

SearchCheckpoint sample(const nets::NetworkLayout& layout) {
  SearchCheckpoint checkpoint;
  checkpoint.state = start_search(nets::initial_state(layout, nets::Precision::kFloat32, 1));
  SearchState& state = checkpoint.state;
  state.network.batches_tracked = 17;
  state.momentum.add_(0.5);
  state.momentum_started = true;
  state.alpha_first_moment.add_(0.25);
  state.alpha_second_moment.add_(0.125);
  state.alpha_steps = 9;
  const std::size_t layers = convolution_parameters(layout).size();
  checkpoint.adas = optim::AdasState{std::vector<double>(layers, 0.1),
                                     std::vector<double>(layers, 0.2),
                                     {1, 3},
                                     std::vector<double>(layout.parameters.size(), 0.3),
                                     0.75,
                                     4};
  checkpoint.progress = {{2, 11, 3.5, 6.0, 8.0, 96, 1234}, true, 40};
  checkpoint.fingerprint = "00112233445566778899aabbccddeeff";
  return checkpoint;
}

void expect_equal(const SearchCheckpoint& a, const SearchCheckpoint& b) {
  EXPECT_TRUE(a.state.network.weights.equal(b.state.network.weights));
  EXPECT_TRUE(a.state.network.statistics.equal(b.state.network.statistics));
  EXPECT_TRUE(a.state.network.alpha.equal(b.state.network.alpha));
  EXPECT_EQ(a.state.network.batches_tracked, b.state.network.batches_tracked);
  EXPECT_TRUE(a.state.momentum.equal(b.state.momentum));
  EXPECT_EQ(a.state.momentum_started, b.state.momentum_started);
  EXPECT_TRUE(a.state.alpha_first_moment.equal(b.state.alpha_first_moment));
  EXPECT_TRUE(a.state.alpha_second_moment.equal(b.state.alpha_second_moment));
  EXPECT_EQ(a.state.alpha_steps, b.state.alpha_steps);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  EXPECT_EQ(a.progress.epoch, b.progress.epoch);
  EXPECT_EQ(a.progress.step, b.progress.step);
  EXPECT_EQ(a.progress.alpha_done, b.progress.alpha_done);
  EXPECT_EQ(a.progress.alpha_steps, b.progress.alpha_steps);
  EXPECT_EQ(a.progress.loss_sum, b.progress.loss_sum);
  EXPECT_EQ(a.progress.correct, b.progress.correct);
  EXPECT_EQ(a.progress.decisions, b.progress.decisions);
  EXPECT_EQ(a.progress.images, b.progress.images);
  EXPECT_EQ(a.progress.epochs_bytes, b.progress.epochs_bytes);
  ASSERT_EQ(a.adas.has_value(), b.adas.has_value());
  if (a.adas) {
    EXPECT_EQ(a.adas->velocity, b.adas->velocity);
    EXPECT_EQ(a.adas->last_stable_rank, b.adas->last_stable_rank);
    EXPECT_EQ(a.adas->not_ready, b.adas->not_ready);
    EXPECT_EQ(a.adas->learning_rates, b.adas->learning_rates);
    EXPECT_EQ(a.adas->zeta, b.adas->zeta);
    EXPECT_EQ(a.adas->epoch, b.adas->epoch);
  }
}

/// A saved checkpoint of the small network.
class Checkpoint : public ::testing::Test {
 protected:
  void SetUp() override { save_checkpoint(path_, sample(layout_)); }

  SearchCheckpoint load() const {
    return load_checkpoint(path_, layout_, nets::Precision::kFloat32);
  }
  std::string refusal() const {
    return sentence_of([&] { load(); });
  }
  std::string damaged(const std::string& why) const {
    return "checkpoint '" + path_.string() + "' is damaged: " + why +
           "; keep the folder and start a new run with another --out";
  }

  ScratchFolder scratch_;
  std::filesystem::path path_ = scratch_.path() / "last.safetensors";
  nets::NetworkLayout layout_ = small_layout();
};

TEST_F(Checkpoint, ComesBackAsItWas) { expect_equal(load(), sample(layout_)); }

TEST_F(Checkpoint, ComesBackInFloat64) {
  SearchCheckpoint checkpoint = sample(layout_);
  checkpoint.state = start_search(nets::initial_state(layout_, nets::Precision::kFloat64, 2));
  save_checkpoint(path_, checkpoint);
  expect_equal(load_checkpoint(path_, layout_, nets::Precision::kFloat64), checkpoint);
}

TEST_F(Checkpoint, ComesBackWithoutAdas) {
  SearchCheckpoint checkpoint = sample(layout_);
  checkpoint.adas.reset();
  save_checkpoint(path_, checkpoint);
  expect_equal(load(), checkpoint);
}

TEST_F(Checkpoint, OfEqualStatesHasEqualBytes) {
  const std::string first = read_file(path_);
  save_checkpoint(path_, load());
  EXPECT_EQ(read_file(path_), first);
}

TEST_F(Checkpoint, KeepsNumbersThatAreNone) {
  SearchCheckpoint checkpoint = sample(layout_);
  checkpoint.state.momentum[0] = std::numeric_limits<float>::quiet_NaN();
  save_checkpoint(path_, checkpoint);
  EXPECT_TRUE(load().state.momentum[0].isnan().item<bool>());
}

TEST_F(Checkpoint, IsRefusedWhenMissing) {
  std::filesystem::remove(path_);
  EXPECT_EQ(refusal(), "checkpoint '" + path_.string() +
                           "' is missing; keep the folder and start a new run with another --out");
}

TEST_F(Checkpoint, IsRefusedForAnotherNetworkOrPrecision) {
  const std::string misfit = "checkpoint '" + path_.string() +
                             "' belongs to another network: 'weights' does not fit; resume the "
                             "run it was made by";
  EXPECT_EQ(
      sentence_of([&] { load_checkpoint(path_, small_layout(4), nets::Precision::kFloat32); }),
      misfit);
  EXPECT_EQ(sentence_of([&] { load_checkpoint(path_, layout_, nets::Precision::kFloat64); }),
            misfit);
}

TEST_F(Checkpoint, IsRefusedWithOneFlippedBit) {
  std::string bytes = read_file(path_);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file_atomically(path_, bytes);
  EXPECT_EQ(refusal(), damaged("its content does not match its hash"));
}

TEST_F(Checkpoint, IsRefusedWithNumbersOfAnotherType) {
  TensorFile file = read_tensor_file(path_);
  file.tensors.at("adas.velocity").type = ElementType::kI64;  // as wide, so nothing else changes
  write_file_atomically(path_, format_tensor_file(file));
  EXPECT_EQ(refusal(), "checkpoint '" + path_.string() +
                           "' belongs to another network: 'adas.velocity' does not fit; resume "
                           "the run it was made by");
}

TEST_F(Checkpoint, IsRefusedWithoutOneOfItsTensors) {
  TensorFile file = read_tensor_file(path_);
  file.tensors.erase("momentum");
  write_file_atomically(path_, format_tensor_file(file));
  EXPECT_EQ(refusal(), damaged("its content does not match its hash"));
}

TEST_F(Checkpoint, OfAnotherProgramIsNoCheckpoint) {
  TensorFile file = read_tensor_file(path_);
  file.metadata.clear();
  write_file_atomically(path_, format_tensor_file(file));
  EXPECT_EQ(refusal(), "'" + path_.string() +
                           "' is no checkpoint of a probedarts search; give the folder of a search "
                           "run");
}

TEST_F(Checkpoint, OfAnotherVersionNamesBoth) {
  TensorFile file = read_tensor_file(path_);
  file.metadata["format_version"] = "7";
  write_file_atomically(path_, format_tensor_file(file));
  EXPECT_EQ(refusal(), "checkpoint '" + path_.string() +
                           "' has format version 7, this program reads 1; use the version that "
                           "made it");
}

TEST_F(Checkpoint, IsRefusedOrUnchangedAfterAnyDamage) {
  const std::string sound = read_file(path_);
  const SearchCheckpoint wanted = sample(layout_);
  Stream stream(4, "mutations");
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    SCOPED_TRACE("mutation " + std::to_string(i));
    scratch_.write("last.safetensors", mutate(sound, stream));
    try {
      expect_equal(load(), wanted);
    } catch (const UserError&) {
      ++refused;  // anything else ends the test
    }
  }
  EXPECT_GT(refused, 900) << "hardly any mutation leaves a file as it was";
}

}  // namespace
}  // namespace probedarts::learn
