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
  json stored = learn::to_json(static_cast<const EpochProgress&>(progress));
  stored["best_epoch"] = progress.best_epoch;
  stored["best_error"] = progress.best_error;
  return stored;
}

TrainProgress progress_from(const json& stored) {
  TrainProgress progress;
  read_progress(stored, progress);
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
