// Python's PyTorch as the other side: it writes what we read, and reads what we write. Skipped when
// no Python with PyTorch was found (Debian: python3-torch).
#include <cstdio>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <zlib.h>

#include "exchange/pickle_globals.hpp"
#include "exchange/read_checkpoint.hpp"
#include "exchange/write_checkpoint.hpp"
#include "support/shared_files.hpp"
#include "support/torch_bytes.hpp"

namespace probedarts::exchange {
namespace {

using nlohmann::json;

const std::string kPython = PROBEDARTS_TORCH_PYTHON;  // "" when there is none

/// What a program prints; a failure of it fails the test.
std::string output_of(const std::string& command) {
  const auto close = [](FILE* pipe) { EXPECT_EQ(::pclose(pipe), 0) << "the command failed"; };
  const std::unique_ptr<FILE, decltype(close)> pipe(::popen(command.c_str(), "r"), close);
  std::string output;
  char buffer[4096];
  while (const std::size_t got = std::fread(buffer, 1, sizeof(buffer), pipe.get())) {
    output.append(buffer, got);
  }
  return output;
}

std::string script(const std::string& arguments) {
  return "'" + kPython + "' -B '" PROBEDARTS_SOURCE_DIR "/tests/exchange/torch_checkpoints.py' " +
         arguments;
}

const char* dtype_name(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return "float32";
    case ElementType::kF64:
      return "float64";
    case ElementType::kF16:
      return "float16";
    case ElementType::kBF16:
      return "bfloat16";
    case ElementType::kI64:
      return "int64";
    case ElementType::kI32:
      return "int32";
    case ElementType::kI16:
      return "int16";
    case ElementType::kI8:
      return "int8";
    case ElementType::kU8:
      return "uint8";
    case ElementType::kBool:
      return "bool";
  }
  return "?";
}

/// The tensors as torch_checkpoints.py tells them: {name: [dtype, shape, CRC-32]}.
json facts_of(const TensorFile& file) {
  json facts = json::object();
  for (const auto& [name, tensor] : file.tensors) {
    const auto crc =
        crc32_z(0, reinterpret_cast<const Bytef*>(tensor.bytes.data()), tensor.bytes.size());
    facts[name] = {dtype_name(tensor.type), tensor.shape, crc};
  }
  return facts;
}

/// A folder with all of the script's cases, made once.
class TorchInterchange : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (kPython.empty()) {
      return;
    }
    std::string name = (std::filesystem::temp_directory_path() / "probedarts-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    output_of(script("save '" + folder_.string() + "'"));
  }
  static void TearDownTestSuite() {
    if (!folder_.empty()) {
      std::filesystem::remove_all(folder_);
    }
  }
  void SetUp() override {
    if (kPython.empty()) {
      GTEST_SKIP() << "no Python with PyTorch was found (Debian: python3-torch)";
    }
  }
  static json expectation(const std::string& name) {
    std::ifstream file(folder_ / (name + ".json"));
    return json::parse(file);
  }
  static std::filesystem::path checkpoint(const std::string& name) {
    return folder_ / (name + ".pt");
  }

  static inline std::filesystem::path folder_;
};

/// One test a file: what Python's torch.save wrote is read to the same bytes.
class ReadsWhatTorchSaves : public TorchInterchange,
                            public ::testing::WithParamInterface<const char*> {};

TEST_P(ReadsWhatTorchSaves, ToTheSameBytes) {
  const TensorFile file = read_checkpoint(checkpoint(GetParam()));
  EXPECT_EQ(facts_of(file), expectation(GetParam()).at("tensors"));
}

const auto kNameOfCase = [](const ::testing::TestParamInfo<const char*>& info) {
  return std::string(info.param);
};

INSTANTIATE_TEST_SUITE_P(TorchInterchange, ReadsWhatTorchSaves,
                         ::testing::Values("state_dict", "legacy", "all_types", "all_types_legacy",
                                           "views", "views_legacy", "protocol_3", "protocol_4",
                                           "protocol_5", "legacy_protocol_3", "legacy_protocol_4",
                                           "legacy_protocol_5", "data_parallel", "below_state_dict",
                                           "below_model", "below_model_state_dict", "below_net",
                                           "parameters", "plain_values"),
                         kNameOfCase);

class RefusesWhatTorchSaves : public TorchInterchange,
                              public ::testing::WithParamInterface<const char*> {};

TEST_P(RefusesWhatTorchSaves, AndNamesIt) {
  const std::filesystem::path path = checkpoint(GetParam());
  EXPECT_EQ(testing::refusal_of([&path]() { read_checkpoint(path); }),
            path.string() + ": not a readable checkpoint: it asks for '" +
                expectation(GetParam()).at("refused").get<std::string>() +
                "', which is no tensor and no plain container; nothing of it was executed; save "
                "model.state_dict() alone");
}

INSTANTIATE_TEST_SUITE_P(TorchInterchange, RefusesWhatTorchSaves,
                         ::testing::Values("numpy_scalar", "whole_module", "sparse",
                                           "complex_tensor", "function"),
                         kNameOfCase);

/// With weights_only=True, PyTorch's own safe reader.
TEST_F(TorchInterchange, WritesWhatTorchLoads) {
  for (const std::string name : {"state_dict", "all_types", "views"}) {
    TensorFile file = read_checkpoint(checkpoint(name));
    // That reader of PyTorch 1.13 knows no BFloat16Storage; later ones do.
    std::erase_if(file.tensors,
                  [](const auto& entry) { return entry.second.type == ElementType::kBF16; });
    file.metadata = {{"network", "small"}};
    const std::filesystem::path path = folder_ / "ours.pt";
    write_checkpoint(path, file);
    const json loaded = json::parse(output_of(script("load '" + path.string() + "'")));
    EXPECT_EQ(loaded.at("type"), "OrderedDict");
    EXPECT_EQ(loaded.at("tensors"), facts_of(file)) << name;
  }
}

TEST_F(TorchInterchange, ReadsTheOfficialCheckpointsAsTorchDoes) {
  PROBEDARTS_NEEDS(testing::golden_folder() / "pretrained");
  std::string arguments = "load";
  std::vector<std::filesystem::path> paths;
  for (const std::string set : {"ADP", "BACH"}) {
    for (const auto& path : testing::golden_cases("pretrained/" + set, ".pt")) {
      paths.push_back(path);
      arguments += " '" + path.string() + "'";
    }
  }
  ASSERT_EQ(paths.size(), 6U);
  std::istringstream lines(output_of(script(arguments)));
  for (const auto& path : paths) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_EQ(facts_of(read_checkpoint(path)), json::parse(line).at("tensors")) << path;
  }
}

}  // namespace
}  // namespace probedarts::exchange
