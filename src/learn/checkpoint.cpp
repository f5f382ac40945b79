#include "learn/checkpoint.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "core/tensor_file.hpp"
#include "learn/state_file.hpp"
#include "nets/stored_tensor.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

constexpr StateKind kKind = {"probedarts-search-checkpoint", "search"};

json to_json(const SearchProgress& progress) {
  json stored = learn::to_json(static_cast<const EpochProgress&>(progress));
  stored["alpha_done"] = progress.alpha_done;
  stored["alpha_steps"] = progress.alpha_steps;
  return stored;
}

SearchProgress progress_from(const json& stored) {
  SearchProgress progress;
  read_progress(stored, progress);
  stored.at("alpha_done").get_to(progress.alpha_done);
  stored.at("alpha_steps").get_to(progress.alpha_steps);
  return progress;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const SearchCheckpoint& checkpoint) {
  const SearchState& state = checkpoint.state;
  TensorFile file;
  file.tensors["weights"] = nets::to_stored(state.network.weights);
  file.tensors["statistics"] = nets::to_stored(state.network.statistics);
  file.tensors["alpha"] = nets::to_stored(state.network.alpha);
  file.tensors["momentum"] = nets::to_stored(state.momentum);
  file.tensors["alpha_first_moment"] = nets::to_stored(state.alpha_first_moment);
  file.tensors["alpha_second_moment"] = nets::to_stored(state.alpha_second_moment);
  json description = {{"progress", to_json(checkpoint.progress)},
                      {"fingerprint", checkpoint.fingerprint},
                      {"batches_tracked", state.network.batches_tracked},
                      {"momentum_started", state.momentum_started},
                      {"adam_steps", state.alpha_steps}};
  put_adas(checkpoint.adas, "adas.", file, description);
  save_state(path, kKind, std::move(file), description);
}

SearchCheckpoint load_checkpoint(const std::filesystem::path& path,
                                 const nets::NetworkLayout& layout, nets::Precision precision) {
  const auto [file, description] = load_state(path, kKind);
  const std::string name = path.string();
  const ElementType type =
      precision == nets::Precision::kFloat32 ? ElementType::kF32 : ElementType::kF64;
  const std::vector<std::int64_t> alpha_shape = {2, layout.alpha_edges,
                                                 static_cast<std::int64_t>(space::kPrimitiveCount)};
  const auto taken = [&, &tensors = file](const char* key, const std::vector<std::int64_t>& shape) {
    return state_tensor(tensors, key, shape, type, name);
  };
  SearchCheckpoint checkpoint;
  SearchState& state = checkpoint.state;
  state.network.weights = taken("weights", {layout.weight_count});
  state.network.statistics = taken("statistics", {layout.statistic_count});
  state.network.alpha = taken("alpha", alpha_shape);
  state.momentum = taken("momentum", {layout.weight_count});
  state.alpha_first_moment = taken("alpha_first_moment", alpha_shape);
  state.alpha_second_moment = taken("alpha_second_moment", alpha_shape);
  try {
    checkpoint.progress = progress_from(description.at("progress"));
    description.at("fingerprint").get_to(checkpoint.fingerprint);
    description.at("batches_tracked").get_to(state.network.batches_tracked);
    description.at("momentum_started").get_to(state.momentum_started);
    description.at("adam_steps").get_to(state.alpha_steps);
    checkpoint.adas = take_adas(file, "adas.", description, layout, name);
  } catch (const json::exception&) {
    report_damage(name, "its description lacks a field");
  }
  return checkpoint;
}

}  // namespace probedarts::learn
