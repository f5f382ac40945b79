#include "learn/state_file.hpp"

#include <fmt/format.h>

#include <ATen/core/Tensor.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "learn/probe_network.hpp"
#include "nets/stored_tensor.hpp"

namespace probedarts::learn {
namespace {

using nlohmann::json;

constexpr const char* kVersion = "1";

StoredTensor stored(const std::vector<double>& values) {
  StoredTensor tensor{ElementType::kF64, {static_cast<std::int64_t>(values.size())}, {}};
  tensor.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
  return tensor;
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

TensorFile readable_file(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    throw UserError(fmt::format(
        "checkpoint '{}' is missing; keep the folder and start a new run with another --out",
        path.string()));
  }
  try {
    return read_tensor_file(path);
  } catch (const UserError& error) {
    const std::string why = error.what();
    const std::string prefix = path.string() + ": ";  // said already
    report_damage(path.string(), why.starts_with(prefix) ? why.substr(prefix.size()) : why);
  }
}

}  // namespace

void report_damage(const std::string& path, const std::string& why) {
  throw UserError(fmt::format(
      "checkpoint '{}' is damaged: {}; keep the folder and start a new run with another --out",
      path, why));
}

void save_state(const std::filesystem::path& path, const StateKind& kind, TensorFile file,
                const json& description) {
  const std::string text = description.dump();
  file.metadata["format"] = kind.format;
  file.metadata["format_version"] = kVersion;
  file.metadata["state"] = text;
  file.metadata["content_hash"] = hash_of(file, text);
  write_file_atomically(path, format_tensor_file(file));
}

LoadedState load_state(const std::filesystem::path& path, const StateKind& kind) {
  TensorFile file = readable_file(path);
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kind.format) {
    throw UserError(
        fmt::format("'{}' is no checkpoint of a probedarts {}; give the folder of a {} run",
                    path.string(), kind.run_word, kind.run_word));
  }
  if (file.metadata["format_version"] != kVersion) {
    throw UserError(fmt::format(
        "checkpoint '{}' has format version {}, this program reads {}; use the version that "
        "made it",
        path.string(), file.metadata["format_version"], kVersion));
  }
  if (file.metadata["content_hash"] != hash_of(file, file.metadata["state"])) {
    report_damage(path.string(), "its content does not match its hash");
  }
  json description = json::parse(file.metadata["state"], nullptr, false);
  if (!description.is_object()) {
    report_damage(path.string(), "it has no description");
  }
  return {std::move(file), std::move(description)};
}

at::Tensor state_tensor(const TensorFile& file, const std::string& name,
                        const std::vector<std::int64_t>& shape, ElementType type,
                        const std::string& path) {
  const StoredTensor& tensor = file.at(name);
  if (tensor.shape != shape || tensor.type != type) {
    throw UserError(fmt::format(
        "checkpoint '{}' belongs to another network: '{}' does not fit; resume the run it was "
        "made by",
        path, name));
  }
  return nets::to_tensor(tensor);
}

void put_adas(const std::optional<optim::AdasState>& state, const std::string& prefix,
              TensorFile& file, json& description) {
  if (!state) {
    return;
  }
  file.tensors[prefix + "velocity"] = stored(state->velocity);
  file.tensors[prefix + "last_stable_rank"] = stored(state->last_stable_rank);
  file.tensors[prefix + "learning_rates"] = stored(state->learning_rates);
  description["adas"] = {
      {"not_ready", state->not_ready}, {"zeta", state->zeta}, {"epoch", state->epoch}};
}

std::optional<optim::AdasState> take_adas(const TensorFile& file, const std::string& prefix,
                                          const json& description, const nets::TensorTable& table,
                                          const std::string& path) {
  if (!description.contains("adas")) {
    return std::nullopt;
  }
  const auto values = [&](const char* name, std::size_t count) {
    const at::Tensor tensor = state_tensor(file, prefix + name, {static_cast<std::int64_t>(count)},
                                           ElementType::kF64, path);
    return std::vector<double>(tensor.data_ptr<double>(), tensor.data_ptr<double>() + count);
  };
  const std::size_t layers = convolution_parameters(table).size();
  const json& stored_state = description.at("adas");
  optim::AdasState adas;
  adas.velocity = values("velocity", layers);
  adas.last_stable_rank = values("last_stable_rank", layers);
  adas.learning_rates = values("learning_rates", table.parameters.size());
  stored_state.at("not_ready").get_to(adas.not_ready);
  stored_state.at("zeta").get_to(adas.zeta);
  stored_state.at("epoch").get_to(adas.epoch);
  return adas;
}

}  // namespace probedarts::learn
