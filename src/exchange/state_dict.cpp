#include "exchange/state_dict.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/escape.hpp"

namespace probedarts::exchange {
namespace {

using Kind = PickleValue::Kind;

/// Where training scripts keep the network's tensors, the likeliest first.
constexpr std::array<std::string_view, 9> kWrappers = {
    "state_dict", "model_state_dict", "model_state", "model",  "network",
    "net",        "weights",          "params",      "module",
};
constexpr int kDeepestWrapper = 4;

/// A name is copied and compared often, and a pickle can repeat one at the cost of two bytes.
constexpr std::size_t kLongestName = 4096;

bool has_tensors(const Pickle& pickle, const PickleValue& dict) {
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (pickle.at(dict.items[i]).kind == Kind::kText &&
        pickle.at(dict.items[i + 1]).kind == Kind::kTensor) {
      return true;
    }
  }
  return false;
}

/// The last value of a key, as Python keeps it.
std::optional<PickleRef> value_of(const Pickle& pickle, const PickleValue& dict,
                                  std::string_view key) {
  std::optional<PickleRef> found;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& candidate = pickle.at(dict.items[i]);
    if (candidate.kind == Kind::kText && candidate.text == key) {
      found = dict.items[i + 1];
    }
  }
  return found;
}

/// The dictionary with the tensors in or below `ref`. A wrapper goes before tensors beside it
/// (a best score, say). Each dictionary is looked at once, however often others refer to it.
std::optional<PickleRef> find_tensors(const Pickle& pickle, PickleRef ref, int depth,
                                      std::set<PickleRef>& seen) {
  const PickleValue& dict = pickle.at(ref);
  if (dict.kind != Kind::kDict || !seen.insert(ref).second) {
    return std::nullopt;
  }
  if (depth < kDeepestWrapper) {
    for (const std::string_view wrapper : kWrappers) {
      if (const auto inner = value_of(pickle, dict, wrapper)) {
        if (const auto found = find_tensors(pickle, *inner, depth + 1, seen)) {
          return found;
        }
      }
    }
  }
  return has_tensors(pickle, dict) ? std::optional<PickleRef>(ref) : std::nullopt;
}

/// What the top of a pickle without tensors is, for the message.
std::string describe(const Pickle& pickle) {
  const PickleValue& root = pickle.at(pickle.root);
  if (root.kind == Kind::kTensor) {
    return "it holds one tensor without a name";
  }
  if (root.kind != Kind::kDict) {
    return "it holds no dictionary of tensors";
  }
  std::string keys;
  int shown = 0;
  for (std::size_t i = 0; i < root.items.size() && shown < 5; i += 2) {
    if (const PickleValue& key = pickle.at(root.items[i]); key.kind == Kind::kText) {
      keys += fmt::format("{}'{}'", shown == 0 ? "" : ", ", printable(key.text));
      ++shown;
    }
  }
  if (keys.empty()) {
    return "its dictionary holds no tensors";
  }
  return fmt::format(
      "it holds no tensors at its top or below 'state_dict', 'model' and the like; its keys begin "
      "with {}",
      keys);
}

bool is_row_major(const PickledTensor& tensor) {
  std::int64_t expected = 1;
  for (std::size_t d = tensor.shape.size(); d-- > 0;) {
    if (tensor.shape[d] != 1 && tensor.strides[d] != expected) {
      return false;
    }
    expected *= tensor.shape[d];
  }
  return true;
}

}  // namespace

std::map<std::string, std::size_t> find_state_dict(const Pickle& pickle, const std::string& name) {
  std::set<PickleRef> seen;
  const auto found = find_tensors(pickle, pickle.root, 0, seen);
  if (!found) {
    refuse(name, describe(pickle));
  }
  const PickleValue& dict = pickle.at(*found);
  std::map<std::string, std::size_t> tensors;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& key = pickle.at(dict.items[i]);
    const PickleValue& value = pickle.at(dict.items[i + 1]);
    if (key.kind != Kind::kText) {
      continue;
    }
    if (key.text.size() > kLongestName) {
      refuse(name, fmt::format("the name '{}...' of a tensor is longer than {} bytes",
                               printable(key.text), kLongestName));
    }
    std::string key_text(key.text);
    if (value.kind != Kind::kTensor) {
      tensors.erase(key_text);  // set again, to something else
      continue;
    }
    const auto [place, is_new] =
        tensors.insert_or_assign(std::move(key_text), static_cast<std::size_t>(value.integer));
    if (is_new && !is_utf8(place->first)) {
      refuse(name, fmt::format("the name '{}' of a tensor is no UTF-8", printable(key.text)));
    }
  }
  return tensors;
}

StoredTensor gather(const PickledTensor& tensor, std::string_view storage, Allowance& allowance) {
  StoredTensor result;
  result.type = tensor.type;
  result.shape = tensor.shape;
  const std::size_t each = element_bytes(tensor.type);
  const auto count = static_cast<std::uint64_t>(result.numel());
  allowance.charge(sizeof(StoredTensor) + sizeof(std::int64_t) * tensor.shape.size());
  allowance.charge(count, each);
  if (count == 0) {
    return result;
  }
  if (is_row_major(tensor)) {
    result.bytes = storage.substr(tensor.first_byte, count * each);
    return result;
  }
  result.bytes.resize(count * each);
  const std::size_t dimensions = tensor.shape.size();
  std::vector<std::int64_t> index(dimensions, 0);
  std::uint64_t element = 0;  // from the first on; a stride of one step may be huge and wraps back
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(result.bytes.data() + i * each, storage.data() + tensor.first_byte + element * each,
                each);
    for (std::size_t d = dimensions; d-- > 0;) {  // the last index runs fastest
      const auto stride = static_cast<std::uint64_t>(tensor.strides[d]);
      element += stride;
      if (++index[d] < tensor.shape[d]) {
        break;
      }
      element -= stride * static_cast<std::uint64_t>(tensor.shape[d]);
      index[d] = 0;
    }
  }
  return result;
}

void strip_wrapper_prefixes(std::map<std::string, StoredTensor>& tensors) {
  for (const std::string_view prefix : {"module.", "_orig_mod.", "module.", "model."}) {
    const bool everywhere = std::all_of(tensors.begin(), tensors.end(), [&](const auto& entry) {
      return entry.first.starts_with(prefix) && entry.first.size() > prefix.size();
    });
    if (!everywhere) {
      continue;
    }
    std::map<std::string, StoredTensor> stripped;
    while (!tensors.empty()) {
      auto node = tensors.extract(tensors.begin());
      node.key().erase(0, prefix.size());
      stripped.insert(std::move(node));
    }
    tensors = std::move(stripped);
  }
}

}  // namespace probedarts::exchange
