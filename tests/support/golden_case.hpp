#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/tensor_file.hpp"

namespace probedarts::testing {

/// A case of a golden group: its JSON, and the tensors of the file that the JSON names. It
/// remembers which tensors a test has compared, so that nothing stored stays unread unseen.
class GoldenCase {
 public:
  explicit GoldenCase(const std::filesystem::path& json_file)
      : path(json_file), facts(nlohmann::json::parse(read_file(json_file))) {
    if (facts.contains("safetensors")) {
      file = read_tensor_file(path.parent_path() / facts.at("safetensors").get<std::string>());
    }
  }

  bool has(const std::string& name) const { return file.has(name); }

  /// A tensor that the caller compares with something, or makes use of.
  const StoredTensor& at(const std::string& name) const {
    const StoredTensor& tensor = file.at(name);
    read_.insert(name);
    return tensor;
  }

  /// All tensors whose names start with this were read by other means.
  void mark(const std::string& prefix) const {
    for (const auto& [name, tensor] : file.tensors) {
      if (name.starts_with(prefix)) {
        read_.insert(name);
      }
    }
  }

  /// Fails for every tensor of the file that nobody has read.
  void expect_all_read() const {
    for (const auto& [name, tensor] : file.tensors) {
      EXPECT_TRUE(read_.count(name) == 1)
          << path.filename() << ": nobody compares tensor '" << name << "'";
    }
  }

  std::filesystem::path path;
  nlohmann::json facts;
  TensorFile file;

 private:
  mutable std::set<std::string> read_;
};

}  // namespace probedarts::testing
