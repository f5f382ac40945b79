#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/tensor_file.hpp"

namespace probedarts::exchange {

/// Reads the named tensors of a checkpoint: safetensors, or a state dict saved by PyTorch as a zip
/// file or in the older form (before 1.6). The form is told by content, not by the file's name.
///
/// Tensors come out row-major, in main memory, in the type they were saved with, wherever they were
/// saved from. State dicts below `state_dict`, `model` and the like are found; `module.` before
/// every name (DataParallel) is removed; what is no tensor is ignored. `metadata` is that of
/// a safetensors file or of a file by write_checkpoint; other files have none.
/// docs/checkpoints.md tells all of it.
///
/// No part of a file is ever executed. A pickle that asks for anything but dense tensors and plain
/// containers is refused, and reading takes at most about eight times the file's length in memory.
///
/// \throws UserError "<path>: not a readable checkpoint: <why>", or as read_tensor_file.
/// Cost: linear in the file's length; an 1.5 MB checkpoint takes a few milliseconds.
TensorFile read_checkpoint(const std::filesystem::path& path);

/// The same from memory; `name` stands for the path in messages.
TensorFile parse_checkpoint(std::string_view content, const std::string& name);

}  // namespace probedarts::exchange
