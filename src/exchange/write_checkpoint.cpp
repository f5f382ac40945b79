#include "exchange/write_checkpoint.hpp"

#include <limits>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "exchange/little_endian.hpp"
#include "exchange/pickle_globals.hpp"
#include "exchange/torch_file.hpp"
#include "exchange/zip_writer.hpp"

namespace probedarts::exchange {
namespace {

constexpr const char* kFolder = "archive";

/// A state dict as protocol 2, opcode by opcode what torch.save writes, but for memos of values
/// that nothing refers to again.
class Pickler {
 public:
  std::string state_dict(const TensorFile& file) {
    out_ = "\x80\x02";
    empty_ordered_dict();
    out_ += '(';
    std::size_t key = 0;
    for (const auto& [name, tensor] : file.tensors) {
      text(name);
      rebuild(tensor, std::to_string(key++));
    }
    out_ += "u.";
    return std::move(out_);
  }

 private:
  /// A name of Python, in full the first time and recalled from then on.
  void global(const std::string& module, std::string_view name) {
    const std::string line = fmt::format("c{}\n{}\n", module, name);
    const auto [place, is_new] = memo_.emplace(line, memo_.size());
    if (is_new) {
      out_ += line;
    }
    out_ += is_new ? 'q' : 'h';
    append_number<std::uint8_t>(out_, place->second);
  }

  void empty_ordered_dict() {
    global("collections", "OrderedDict");
    out_ += ")R";
  }

  void text(std::string_view value) {
    out_ += 'X';
    append_number<std::uint32_t>(out_, value.size());
    out_ += value;
  }

  void integer(std::int64_t value) {
    if (value >= 0 && value <= std::numeric_limits<std::int32_t>::max()) {
      out_ += 'J';
      append_number<std::int32_t>(out_, value);
    } else {
      out_ += "\x8a\x08";
      append_number<std::int64_t>(out_, value);
    }
  }

  void integers(const std::vector<std::int64_t>& values) {
    out_ += '(';
    for (const std::int64_t value : values) {
      integer(value);
    }
    out_ += 't';
  }

  /// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)
  void rebuild(const StoredTensor& tensor, const std::string& key) {
    std::vector<std::int64_t> strides(tensor.shape.size(), 1);
    for (std::size_t d = strides.size(); d-- > 1;) {
      strides[d - 1] = strides[d] * std::max<std::int64_t>(tensor.shape[d], 1);
    }
    global("torch._utils", "_rebuild_tensor_v2");
    out_ += "((";
    text("storage");
    global("torch", storage_class(tensor.type));
    text(key);
    text("cpu");
    integer(tensor.numel());
    out_ += "tQ";
    integer(0);
    integers(tensor.shape);
    integers(strides);
    out_ += '\x89';  // False
    empty_ordered_dict();
    out_ += "tR";
  }

  std::string out_;
  std::map<std::string, std::size_t> memo_;  // of names; at most a dozen, so one byte holds a slot
};

}  // namespace

std::string format_torch_zip(const TensorFile& file, const std::string& name) {
  const auto record = [](std::string_view path) { return fmt::format("{}/{}", kFolder, path); };
  ZipWriter zip;
  zip.add(record("data.pkl"), Pickler().state_dict(file));
  zip.add(record("byteorder"), "little");
  std::size_t key = 0;
  for (const auto& [tensor_name, tensor] : file.tensors) {
    require(tensor.bytes.size() ==
                static_cast<std::size_t>(tensor.numel()) * element_bytes(tensor.type),
            "a tensor's bytes do not fit its shape");
    zip.add(record(fmt::format("data/{}", key++)), tensor.bytes);
  }
  if (!file.metadata.empty()) {
    zip.add(record(kMetadataRecord), nlohmann::json(file.metadata).dump());
  }
  zip.add(record("version"), "3\n");
  std::string content = zip.finish();
  if (content.empty()) {
    throw UserError(fmt::format(
        "cannot write '{}': 4 GiB or 65535 tensors are too many for a .pt; write a .safetensors",
        name));
  }
  return content;
}

void write_checkpoint(const std::filesystem::path& path, const TensorFile& file) {
  const std::filesystem::path ending = path.extension();
  if (ending == ".safetensors") {
    write_file_atomically(path, format_tensor_file(file));
  } else if (ending == ".pt" || ending == ".pth") {
    write_file_atomically(path, format_torch_zip(file, path.string()));
  } else {
    throw UserError(fmt::format(
        "cannot write '{}': its ending names no form of checkpoint; choose .pt, .pth or "
        ".safetensors",
        path.string()));
  }
}

}  // namespace probedarts::exchange
