#include "learn/train_checkpoint.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include "learn/state_file.hpp"
#include "nets/stored_tensor.hpp"
#include "nets/tensor_table.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

constexpr StateKind kKind = {"probedarts-train-checkpoint", "training"};

json to_json(const TrainProgress& progress) {
  return {{"epoch", progress.epoch},
          {"step", progress.step},
          {"loss_sum", progress.loss_sum},
          {"correct", progress.correct},
          {"decisions", progress.decisions},
          {"images", progress.images},
          {"epochs_bytes", progress.epochs_bytes},
          {"best_epoch", progress.best_epoch},
          {"best_error", progress.best_error}};
}

TrainProgress progress_from(const json& stored) {
  TrainProgress progress;
  stored.at("epoch").get_to(progress.epoch);
  stored.at("step").get_to(progress.step);
  stored.at("loss_sum").get_to(progress.loss_sum);
  stored.at("correct").get_to(progress.correct);
  stored.at("decisions").get_to(progress.decisions);
  stored.at("images").get_to(progress.images);
  stored.at("epochs_bytes").get_to(progress.epochs_bytes);
  stored.at("best_epoch").get_to(progress.best_epoch);
  stored.at("best_error").get_to(progress.best_error);
  return progress;
}

}  // namespace

void save_train_checkpoint(const std::filesystem::path& path, const ModelCard& card,
                           const nets::TensorTable& table, const TrainCheckpoint& checkpoint) {
  TensorFile file = nets::state_dict(table, checkpoint.network);
  file.metadata["model"] = learn::to_json(card).dump();
  file.tensors["resume.momentum"] = nets::to_stored(checkpoint.momentum);
  json description = {{"progress", to_json(checkpoint.progress)},
                      {"fingerprint", checkpoint.fingerprint},
                      {"batches_tracked", checkpoint.network.batches_tracked},
                      {"momentum_started", checkpoint.momentum_started}};
  put_adas(checkpoint.adas, "resume.adas.", file, description);
  save_state(path, kKind, std::move(file), description);
}

TrainCheckpoint load_train_checkpoint(const std::filesystem::path& path,
                                      const nets::TensorTable& table, nets::Precision precision) {
  const auto [file, description] = load_state(path, kKind);
  const ElementType type =
      precision == nets::Precision::kFloat32 ? ElementType::kF32 : ElementType::kF64;
  TrainCheckpoint checkpoint;
  checkpoint.network = blank_state(table, precision);
  load_weights(file, table, Fit::kExact, path.string(), checkpoint.network);
  checkpoint.momentum =
      state_tensor(file, "resume.momentum", {table.weight_count}, type, path.string());
  try {
    checkpoint.progress = progress_from(description.at("progress"));
    description.at("fingerprint").get_to(checkpoint.fingerprint);
    description.at("batches_tracked").get_to(checkpoint.network.batches_tracked);
    description.at("momentum_started").get_to(checkpoint.momentum_started);
    checkpoint.adas = take_adas(file, "resume.adas.", description, table, path.string());
  } catch (const json::exception&) {
    report_damage(path.string(), "its description lacks a field");
  }
  return checkpoint;
}

}  // namespace probedarts::learn
