#include "learn/run_record.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "support/scratch_folder.hpp"

namespace probedarts::learn {
namespace {

probe::LayerMetrics layer_of(double stable_rank) {
  probe::LayerMetrics layer;
  layer.in.stable_rank = stable_rank;
  layer.out.stable_rank = stable_rank;
  return layer;
}

EpochRecord record_of(int epoch, double train_error, double valid_error) {
  EpochRecord record;
  record.epoch = epoch;
  record.train = {1.0, train_error, 8};
  record.valid = {1.0, valid_error, 8};
  record.layer_rates = {0.1, 0.1, 0.1};
  probe::LayerMetrics failed = layer_of(0.75);
  failed.failed = true;
  record.layers = {layer_of(0.25), failed, layer_of(0.5)};
  return record;
}

TEST(LastEpoch, ReadsTheLastLineOfARun) {
  const testing::ScratchFolder folder;
  folder.write("epochs.jsonl", epoch_line(record_of(0, 0.5, 0.75)) + "\n" +
                                   epoch_line(record_of(1, 0.125, 0.25)) + "\n");
  const LastEpoch last = last_epoch(folder.path());
  EXPECT_EQ(last.train_error, 0.125);
  EXPECT_EQ(last.valid_error, 0.25);
  EXPECT_EQ(last.stable_rank, 0.375);  // the layer that failed does not count
}

TEST(LastEpoch, ReadsTheOnlyLineOfARun) {
  const testing::ScratchFolder folder;
  folder.write("epochs.jsonl", epoch_line(record_of(0, 0.5, 0.75)) + "\n");
  EXPECT_EQ(last_epoch(folder.path()).valid_error, 0.75);
}

}  // namespace
}  // namespace probedarts::learn
