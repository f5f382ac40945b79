#include "exchange/torch_file.hpp"

#include <cstring>
#include <map>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "exchange/pickle.hpp"
#include "exchange/state_dict.hpp"
#include "exchange/zip_archive.hpp"

namespace probedarts::exchange {
namespace {

using Kind = PickleValue::Kind;

/// Copies the tensors out of their storages. `bytes_of(storage)` gives a storage's bytes.
template <typename BytesOf>
TensorFile gather_all(const Pickle& pickle, Allowance& allowance, BytesOf bytes_of) {
  TensorFile file;
  for (const auto& [name, index] : find_state_dict(pickle, allowance.name())) {
    const PickledTensor& tensor = pickle.tensors[index];
    const PickledStorage& storage = pickle.storages[tensor.storage];
    const std::string_view bytes = bytes_of(storage);
    if (bytes.size() != storage.bytes) {
      refuse(allowance.name(), fmt::format("storage '{}' has {} bytes, its tensors need {}",
                                           printable(storage.key), bytes.size(), storage.bytes));
    }
    file.tensors.emplace(name, gather(tensor, bytes, allowance));
  }
  return file;
}

std::map<std::string, std::string> parse_metadata(std::string_view text, Allowance& allowance) {
  using nlohmann::json;
  constexpr std::uint64_t kBytesPerCharacter = 16;  // about what JSON takes in memory
  allowance.charge(text.size(), kBytesPerCharacter);
  const auto malformed = [&allowance]() {
    refuse(allowance.name(), fmt::format("'{}' in it is not an object of texts", kMetadataRecord));
  };
  const auto watch = [&malformed](int depth, json::parse_event_t, const json&) {
    if (depth > 1) {
      malformed();
    }
    return true;
  };
  std::map<std::string, std::string> metadata;
  const json object = json::parse(text, watch, false);
  if (!object.is_object()) {
    malformed();
  }
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) {
      malformed();
    }
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

/// The five pickles and the storages of the older form.
class LegacyFile {
 public:
  LegacyFile(std::string_view content, Allowance& allowance)
      : content_(content), allowance_(allowance) {}

  TensorFile read() {
    check_head();
    const Pickle object = next_pickle();
    const Pickle keys = next_pickle();
    const auto storages = read_storages(object, keys);
    return gather_all(object, allowance_, [&](const PickledStorage& storage) {
      const auto found = storages.find(storage.key);
      return found == storages.end() ? std::string_view() : found->second;
    });
  }

 private:
  [[noreturn]] void fail(const std::string& why) const { refuse(allowance_.name(), why); }

  Pickle next_pickle() {
    Pickle pickle = parse_pickle(content_, at_, allowance_);
    at_ = pickle.end;
    return pickle;
  }

  /// Magic number, protocol, and the system that wrote the file.
  void check_head() {
    using namespace std::string_view_literals;
    constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;
    constexpr std::int64_t kProtocol = 1001;
    const Pickle magic = next_pickle();
    if (magic.at(magic.root).kind != Kind::kOpaque || magic.at(magic.root).text != kMagic) {
      fail("it is a pickle, but not one that torch.save wrote");
    }
    const Pickle protocol = next_pickle();
    if (protocol.at(protocol.root).integer != kProtocol) {
      fail("it has an unknown protocol");
    }
    const Pickle system = next_pickle();
    const PickleValue& facts = system.at(system.root);
    for (std::size_t i = 0; i + 1 < facts.items.size(); i += 2) {
      if (system.at(facts.items[i]).text == "little_endian" &&
          system.at(facts.items[i + 1]).integer == 0) {
        fail("it was written on a big-endian machine; save it again on another");
      }
    }
  }

  /// The storages by key, in the order of `keys`. Their element sizes are known from the object.
  std::map<std::string_view, std::string_view> read_storages(const Pickle& object,
                                                             const Pickle& keys) {
    std::map<std::string_view, ElementType> types;
    for (const PickledStorage& storage : object.storages) {
      types.emplace(storage.key, storage.type);
    }
    std::map<std::string_view, std::string_view> storages;
    for (const PickleRef ref : keys.at(keys.root).items) {
      const std::string_view key = keys.at(ref).text;
      const auto type = types.find(key);
      if (type == types.end()) {
        fail(fmt::format("it lists storage '{}', which no tensor uses", printable(key)));
      }
      std::uint64_t count = 0;
      std::uint64_t bytes = 0;
      if (content_.size() - at_ < sizeof(count)) {
        fail(fmt::format("it ends before storage '{}'; the file is truncated", printable(key)));
      }
      std::memcpy(&count, content_.data() + at_, sizeof(count));
      at_ += sizeof(count);
      if (__builtin_mul_overflow(count, element_bytes(type->second), &bytes) ||
          bytes > content_.size() - at_) {
        fail(fmt::format("it ends inside storage '{}'; the file is truncated", printable(key)));
      }
      storages[key] = content_.substr(at_, bytes);
      at_ += bytes;
    }
    return storages;
  }

  std::string_view content_;
  std::size_t at_ = 0;
  Allowance& allowance_;
};

}  // namespace

TensorFile read_torch_zip(std::string_view content, Allowance& allowance) {
  ZipArchive archive(content, allowance);
  const std::string folder = archive.folder_of("data.pkl");
  if (folder.empty()) {
    refuse(allowance.name(),
           "it is a zip file without one 'data.pkl', so PyTorch did not write it");
  }
  if (archive.has(folder + "/constants.pkl")) {
    refuse(allowance.name(),
           "it is a TorchScript program; save model.state_dict() with torch.save instead");
  }
  if (archive.has(folder + "/byteorder") && archive.read(folder + "/byteorder") != "little") {
    refuse(allowance.name(), "it was written on a big-endian machine; save it again on another");
  }
  const Pickle pickle = parse_pickle(archive.read(folder + "/data.pkl"), 0, allowance);
  TensorFile file = gather_all(pickle, allowance, [&](const PickledStorage& storage) {
    return archive.read(fmt::format("{}/data/{}", folder, storage.key));
  });
  const std::string metadata = fmt::format("{}/{}", folder, kMetadataRecord);
  if (archive.has(metadata)) {
    file.metadata = parse_metadata(archive.read(metadata), allowance);
  }
  return file;
}

TensorFile read_torch_legacy(std::string_view content, Allowance& allowance) {
  return LegacyFile(content, allowance).read();
}

}  // namespace probedarts::exchange
