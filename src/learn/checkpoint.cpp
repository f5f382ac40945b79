#include "learn/checkpoint.hpp"

#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ATen/core/Tensor.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/tensor_file.hpp"
#include "learn/probe_network.hpp"
#include "nets/stored_tensor.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "probedarts-search-checkpoint";
constexpr const char* kVersion = "1";

StoredTensor stored(const std::vector<double>& values) {
  StoredTensor tensor{ElementType::kF64, {static_cast<std::int64_t>(values.size())}, {}};
  tensor.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
  return tensor;
}

json to_json(const SearchProgress& progress) {
  return {{"epoch", progress.epoch},
          {"step", progress.step},
          {"alpha_done", progress.alpha_done},
          {"alpha_steps", progress.alpha_steps},
          {"loss_sum", progress.loss_sum},
          {"correct", progress.correct},
          {"decisions", progress.decisions},
          {"images", progress.images},
          {"epochs_bytes", progress.epochs_bytes}};
}

SearchProgress progress_from(const json& stored_progress) {
  SearchProgress progress;
  stored_progress.at("epoch").get_to(progress.epoch);
  stored_progress.at("step").get_to(progress.step);
  stored_progress.at("alpha_done").get_to(progress.alpha_done);
  stored_progress.at("alpha_steps").get_to(progress.alpha_steps);
  stored_progress.at("loss_sum").get_to(progress.loss_sum);
  stored_progress.at("correct").get_to(progress.correct);
  stored_progress.at("decisions").get_to(progress.decisions);
  stored_progress.at("images").get_to(progress.images);
  stored_progress.at("epochs_bytes").get_to(progress.epochs_bytes);
  return progress;
}

/// Hash over names, bytes and the description. Types and shapes are not in it: each tensor is
/// checked against the network.
std::string hash_of(const TensorFile& file, const std::string& description) {
  std::string all = description;
  for (const auto& [name, tensor] : file.tensors) {
    all += name + content_hash(tensor.bytes);
  }
  return content_hash(all);
}

/// A stored tensor that must have the shape and type of a flat buffer.
at::Tensor taken(const TensorFile& file, const std::string& name, at::IntArrayRef shape,
                 at::ScalarType type, const std::string& path) {
  at::Tensor tensor = nets::to_tensor(file.at(name));
  if (tensor.sizes() != shape || tensor.scalar_type() != type) {
    throw UserError(fmt::format(
        "checkpoint '{}' belongs to another network: '{}' does not fit; resume the run it was "
        "made by",
        path, name));
  }
  return tensor;
}

optim::AdasState adas_from(const TensorFile& file, const nets::NetworkLayout& layout,
                           const json& description, const std::string& path) {
  const auto values = [&](const std::string& name, std::size_t count) {
    const at::Tensor tensor =
        taken(file, name, {static_cast<std::int64_t>(count)}, at::kDouble, path);
    return std::vector<double>(tensor.data_ptr<double>(), tensor.data_ptr<double>() + count);
  };
  const std::size_t layers = convolution_parameters(layout).size();
  optim::AdasState adas;
  adas.velocity = values("adas.velocity", layers);
  adas.last_stable_rank = values("adas.last_stable_rank", layers);
  adas.learning_rates = values("adas.learning_rates", layout.parameters.size());
  description.at("not_ready").get_to(adas.not_ready);
  description.at("zeta").get_to(adas.zeta);
  description.at("epoch").get_to(adas.epoch);
  return adas;
}

[[noreturn]] void damaged(const std::string& path, const std::string& why) {
  throw UserError(fmt::format(
      "checkpoint '{}' is damaged: {}; keep the folder and start a new run with another --out",
      path, why));
}

TensorFile checked_file(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    throw UserError(fmt::format(
        "checkpoint '{}' is missing; keep the folder and start a new run with another --out",
        path.string()));
  }
  TensorFile file;
  try {
    file = read_tensor_file(path);
  } catch (const UserError& error) {
    const std::string why = error.what();
    const std::string prefix = path.string() + ": ";  // said already
    damaged(path.string(), why.starts_with(prefix) ? why.substr(prefix.size()) : why);
  }
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kFormat) {
    throw UserError(
        fmt::format("'{}' is no checkpoint of a probedarts search; give the folder of a search run",
                    path.string()));
  }
  if (file.metadata["format_version"] != kVersion) {
    throw UserError(fmt::format(
        "checkpoint '{}' has format version {}, this program reads {}; use the version that "
        "made it",
        path.string(), file.metadata["format_version"], kVersion));
  }
  if (file.metadata["content_hash"] != hash_of(file, file.metadata["state"])) {
    damaged(path.string(), "its content does not match its hash");
  }
  return file;
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
  if (checkpoint.adas) {
    file.tensors["adas.velocity"] = stored(checkpoint.adas->velocity);
    file.tensors["adas.last_stable_rank"] = stored(checkpoint.adas->last_stable_rank);
    file.tensors["adas.learning_rates"] = stored(checkpoint.adas->learning_rates);
    description["adas"] = {{"not_ready", checkpoint.adas->not_ready},
                           {"zeta", checkpoint.adas->zeta},
                           {"epoch", checkpoint.adas->epoch}};
  }
  const std::string text = description.dump();
  file.metadata = {{"format", kFormat},
                   {"format_version", kVersion},
                   {"state", text},
                   {"content_hash", hash_of(file, text)}};
  write_file_atomically(path, format_tensor_file(file));
}

SearchCheckpoint load_checkpoint(const std::filesystem::path& path,
                                 const nets::NetworkLayout& layout, nets::Precision precision) {
  const TensorFile file = checked_file(path);
  const std::string name = path.string();
  const at::ScalarType type = precision == nets::Precision::kFloat32 ? at::kFloat : at::kDouble;
  const std::vector<std::int64_t> alpha_shape = {2, layout.alpha_edges,
                                                 static_cast<std::int64_t>(space::kPrimitiveCount)};
  SearchCheckpoint checkpoint;
  SearchState& state = checkpoint.state;
  state.network.weights = taken(file, "weights", {layout.weight_count}, type, name);
  state.network.statistics = taken(file, "statistics", {layout.statistic_count}, type, name);
  state.network.alpha = taken(file, "alpha", alpha_shape, type, name);
  state.momentum = taken(file, "momentum", {layout.weight_count}, type, name);
  state.alpha_first_moment = taken(file, "alpha_first_moment", alpha_shape, type, name);
  state.alpha_second_moment = taken(file, "alpha_second_moment", alpha_shape, type, name);
  try {
    const json description = json::parse(file.metadata.at("state"));
    checkpoint.progress = progress_from(description.at("progress"));
    description.at("fingerprint").get_to(checkpoint.fingerprint);
    description.at("batches_tracked").get_to(state.network.batches_tracked);
    description.at("momentum_started").get_to(state.momentum_started);
    description.at("adam_steps").get_to(state.alpha_steps);
    if (description.contains("adas")) {
      checkpoint.adas = adas_from(file, layout, description.at("adas"), name);
    }
  } catch (const json::exception&) {
    damaged(name, "its description lacks a field");
  }
  return checkpoint;
}

}  // namespace probedarts::learn
