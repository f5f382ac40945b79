#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "core/tensor_file.hpp"
#include "core/tensor_fwd.hpp"
#include "nets/tensor_table.hpp"
#include "optim/adas.hpp"

/// Inside of the room: checkpoints as safetensors files that prove their own content. What a search
/// and what training keep in theirs is in checkpoint.cpp and train_checkpoint.cpp.
namespace probedarts::learn {

/// What kind of checkpoint a file is.
struct StateKind {
  const char* format;    ///< "probedarts-search-checkpoint"
  const char* run_word;  ///< "search": whose run folder to give instead
};

/// Writes tensors with a description and a hash of it all, to a temporary name, synced, renamed.
/// \param file  its metadata may hold entries of the caller's.
void save_state(const std::filesystem::path& path, const StateKind& kind, TensorFile file,
                const nlohmann::json& description);

struct LoadedState {
  TensorFile file;
  nlohmann::json description;
};

/// \throws UserError when the file is missing, truncated, damaged, or of another kind or version.
LoadedState load_state(const std::filesystem::path& path, const StateKind& kind);

/// Throws the UserError of a damaged checkpoint.
[[noreturn]] void report_damage(const std::string& path, const std::string& why);

/// A stored tensor that must have this shape and type. \throws UserError else.
at::Tensor state_tensor(const TensorFile& file, const std::string& name,
                        const std::vector<std::int64_t>& shape, ElementType type,
                        const std::string& path);

/// Adas' state as tensors `<prefix>velocity`, ... and an entry `adas` of the description.
void put_adas(const std::optional<optim::AdasState>& state, const std::string& prefix,
              TensorFile& file, nlohmann::json& description);
/// \throws UserError when the numbers are not as many as the network's layers and tensors.
std::optional<optim::AdasState> take_adas(const TensorFile& file, const std::string& prefix,
                                          const nlohmann::json& description,
                                          const nets::TensorTable& table, const std::string& path);

}  // namespace probedarts::learn
