#pragma once

#include <filesystem>
#include <string>

#include "core/tensor_file.hpp"

namespace probedarts::exchange {

/// Writes tensors for other programs, in the form that the ending of `path` names:
/// `.safetensors`, or `.pt` and `.pth` as a state dict that `torch.load(path, weights_only=True)`
/// of PyTorch 1.6 and later gives back (an OrderedDict of tensors on the CPU).
///
/// Both keep `metadata`: safetensors in its header, `.pt` in a record that PyTorch ignores and
/// read_checkpoint finds. Equal content gives equal bytes. The file appears whole or not at all.
/// \throws UserError for another ending, a `.pt` of 4 GiB and more, or when it cannot be written.
void write_checkpoint(const std::filesystem::path& path, const TensorFile& file);

/// The bytes of a `.pt`. `name` stands for the path in messages.
std::string format_torch_zip(const TensorFile& file, const std::string& name);

}  // namespace probedarts::exchange
