#include "exchange/read_checkpoint.hpp"

#include "core/files.hpp"
#include "exchange/allowance.hpp"
#include "exchange/state_dict.hpp"
#include "exchange/torch_file.hpp"

namespace probedarts::exchange {

TensorFile parse_checkpoint(std::string_view content, const std::string& name) {
  Allowance allowance(name, content.size());
  TensorFile file;
  // Of the three, only safetensors has a brace at byte 8, behind the length of its header.
  if (content.size() > 8 && content[8] == '{') {
    file = parse_tensor_file(content, name);
  } else if (content.starts_with("PK\x03\x04")) {
    file = read_torch_zip(content, allowance);
  } else if (content.starts_with('\x80')) {
    file = read_torch_legacy(content, allowance);
  } else {
    refuse(name, content.empty() ? "it is empty"
                                 : "it is neither safetensors nor a file of PyTorch's torch.save");
  }
  strip_wrapper_prefixes(file.tensors);
  return file;
}

TensorFile read_checkpoint(const std::filesystem::path& path) {
  return parse_checkpoint(read_file(path), path.string());
}

}  // namespace probedarts::exchange
