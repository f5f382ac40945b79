#include "core/tensor_file.hpp"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "core/random.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts {
namespace {

template <typename T>
StoredTensor stored(ElementType type, std::vector<std::int64_t> shape,
                    const std::vector<T>& values) {
  StoredTensor tensor{type, std::move(shape), std::string(values.size() * sizeof(T), '\0')};
  if (!values.empty()) {
    std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  }
  return tensor;
}

TensorFile example() {
  TensorFile file;
  file.metadata = {{"epoch", "3"}, {"note", "\"quoted\" \n\u00e4"}};
  file.tensors["w"] = stored<float>(ElementType::kF32, {2, 2}, {1.5F, -2.0F, 0.0F, 3.25F});
  file.tensors["alpha"] = stored<double>(ElementType::kF64, {1, 3}, {0.1, 1e300, -0.0});
  file.tensors["steps"] = stored<std::int64_t>(ElementType::kI64, {}, {-7});
  file.tensors["mask"] = stored<std::uint8_t>(ElementType::kU8, {3}, {0, 255, 1});
  file.tensors["none"] = stored<float>(ElementType::kF32, {0, 5}, {});
  return file;
}

/// A file with this header and `payload_bytes` zeros.
std::string with_header(const std::string& header, std::size_t payload_bytes) {
  const std::uint64_t length = header.size();
  std::string content(8, '\0');
  std::memcpy(content.data(), &length, 8);
  return content + header + std::string(payload_bytes, '\0');
}

std::string refusal(const std::string& content) {
  try {
    parse_tensor_file(content, "x");
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

/// The refusal of one tensor with this entry over 8 bytes of payload.
std::string entry_refusal(const std::string& entry) {
  return refusal(with_header("{\"t\": " + entry + "}", 8));
}

TEST(TensorFile, IsReadBackAsWritten) {
  const TensorFile written = example();
  const TensorFile read = parse_tensor_file(format_tensor_file(written), "x");
  EXPECT_EQ(read.metadata, written.metadata);
  ASSERT_EQ(read.tensors.size(), written.tensors.size());
  for (const auto& [name, tensor] : written.tensors) {
    EXPECT_EQ(read.at(name).type, tensor.type) << name;
    EXPECT_EQ(read.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(read.at(name).bytes, tensor.bytes) << name;
  }
}

TEST(TensorFile, OfNothingIsReadBack) {
  const TensorFile read = parse_tensor_file(format_tensor_file({}), "x");
  EXPECT_TRUE(read.tensors.empty());
  EXPECT_TRUE(read.metadata.empty());
}

TEST(TensorFile, HasEqualBytesForEqualContent) {
  TensorFile reversed;
  const TensorFile file = example();
  for (auto it = file.tensors.rbegin(); it != file.tensors.rend(); ++it) {
    reversed.tensors.insert(*it);
  }
  reversed.metadata = file.metadata;
  EXPECT_EQ(format_tensor_file(reversed), format_tensor_file(file));
  EXPECT_EQ(format_tensor_file(parse_tensor_file(format_tensor_file(file), "x")),
            format_tensor_file(file));
}

TEST(TensorFile, AlignsItsPayload) {
  for (std::size_t extra = 0; extra < 9; ++extra) {
    TensorFile file = example();
    file.metadata["pad"] = std::string(extra, 'x');
    const std::string content = format_tensor_file(file);
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, content.data(), 8);
    EXPECT_EQ((8 + header_bytes) % 8, 0U);
  }
}

TEST(TensorFile, GivesElementsAsDoubles) {
  const TensorFile file = example();
  EXPECT_EQ(file.at("w").as_doubles(), (std::vector<double>{1.5, -2.0, 0.0, 3.25}));
  EXPECT_EQ(file.at("alpha").as_doubles(), (std::vector<double>{0.1, 1e300, -0.0}));
  EXPECT_EQ(file.at("steps").as_doubles(), (std::vector<double>{-7.0}));
  EXPECT_EQ(file.at("mask").as_doubles(), (std::vector<double>{0.0, 255.0, 1.0}));
  EXPECT_EQ(file.at("steps").numel(), 1);
  EXPECT_EQ(file.at("none").numel(), 0);
}

/// Two-byte elements with these bits.
StoredTensor two_bytes(ElementType type, const std::vector<std::uint16_t>& bits) {
  return stored(type, {static_cast<std::int64_t>(bits.size())}, bits);
}

TEST(TensorFile, DecodesHalfPrecision) {
  // 1, -2, the largest, the smallest normal and subnormal, -0, infinity (IEEE 754-2019, sec. 3.4).
  const auto values =
      two_bytes(ElementType::kF16, {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00})
          .as_doubles();
  EXPECT_EQ(values, (std::vector<double>{1.0, -2.0, 65504.0, std::ldexp(1.0, -14),
                                         std::ldexp(1.0, -24), -0.0, HUGE_VAL}));
  EXPECT_TRUE(std::signbit(values[5]));
  EXPECT_TRUE(std::isnan(two_bytes(ElementType::kF16, {0x7e00}).as_doubles()[0]));
  EXPECT_EQ(two_bytes(ElementType::kBF16, {0x3f80, 0xc049}).as_doubles(),
            (std::vector<double>{1.0, -3.140625}));
}

TEST(TensorFile, ConvertsWithoutLosingNumbers) {
  const StoredTensor half = two_bytes(ElementType::kF16, {0x3c00, 0xc000});
  EXPECT_EQ(half.converted_to(ElementType::kF32).bytes,
            stored<float>(ElementType::kF32, {2}, {1.0F, -2.0F}).bytes);
  EXPECT_EQ(half.converted_to(ElementType::kF64).shape, (std::vector<std::int64_t>{2}));
  const StoredTensor small = stored<std::int8_t>(ElementType::kI8, {2}, {-1, 127});
  EXPECT_EQ(small.converted_to(ElementType::kI64).bytes,
            stored<std::int64_t>(ElementType::kI64, {2}, {-1, 127}).bytes);
  EXPECT_THROW(half.converted_to(ElementType::kI64), Bug);
  EXPECT_THROW(small.converted_to(ElementType::kF32), Bug);
}

TEST(TensorFile, NamesAMissingTensor) {
  const TensorFile file = example();
  EXPECT_TRUE(file.has("w"));
  EXPECT_FALSE(file.has("bias"));
  try {
    file.at("bias");
    FAIL() << "found";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "tensor 'bias' is missing");
  }
}

TEST(TensorFile, IsReadFromDiskAndNamesItsPath) {
  const testing::ScratchFolder folder;
  const std::filesystem::path path = folder.path() / "f.safetensors";
  write_file_atomically(path, format_tensor_file(example()));
  EXPECT_EQ(format_tensor_file(read_tensor_file(path)), format_tensor_file(example()));
  write_file_atomically(path, "short");
  try {
    read_tensor_file(path);
    ADD_FAILURE() << "accepted";
  } catch (const UserError& error) {
    EXPECT_EQ(error.what(),
              path.string() + ": not a safetensors file: 5 bytes are too few for a header");
  }
}

TEST(ParseTensorFile, RefusesTooFewBytes) {
  EXPECT_EQ(refusal(""), "x: not a safetensors file: 0 bytes are too few for a header");
  EXPECT_EQ(refusal("1234567"), "x: not a safetensors file: 7 bytes are too few for a header");
}

TEST(ParseTensorFile, RefusesAHeaderBeyondTheFile) {
  EXPECT_EQ(refusal(std::string(8, '\xff') + "{}"),
            "x: not a safetensors file: its header ends beyond the file");
}

TEST(ParseTensorFile, RefusesAHeaderThatIsNotJson) {
  EXPECT_EQ(refusal(with_header("{\"t\":", 0)),
            "x: not a safetensors file: its header is not JSON");
  EXPECT_EQ(refusal(with_header("[]", 0)), "x: not a safetensors file: its header is not JSON");
  EXPECT_EQ(refusal(with_header("", 0)), "x: not a safetensors file: its header is not JSON");
}

TEST(ParseTensorFile, RefusesAMissingOrWrongField) {
  const std::string sentence =
      "x: not a safetensors file: its header lacks a field or has one of the wrong kind";
  EXPECT_EQ(entry_refusal("{}"), sentence);
  EXPECT_EQ(entry_refusal("3"), sentence);
  EXPECT_EQ(entry_refusal(R"({"dtype": 4, "shape": [2], "data_offsets": [0, 8]})"), sentence);
  EXPECT_EQ(entry_refusal(R"({"dtype": "F32", "data_offsets": [0, 8]})"), sentence);
  EXPECT_EQ(entry_refusal(R"({"dtype": "F32", "shape": [2]})"), sentence);
  EXPECT_EQ(refusal(with_header(R"({"__metadata__": {"a": 1}})", 0)), sentence);
}

TEST(ParseTensorFile, RefusesAnUnknownType) {
  EXPECT_EQ(entry_refusal(R"({"dtype": "C64", "shape": [1], "data_offsets": [0, 8]})"),
            "x: not a safetensors file: tensor 't' has type 'C64', known are F32, F64, F16, BF16, "
            "I64, I32, I16, I8, U8, BOOL");
}

TEST(ParseTensorFile, RefusesAnImpossibleShape) {
  const std::string sentence = "x: not a safetensors file: tensor 't' has an impossible shape";
  for (const std::string shape : {"[-2]", "[1.5]", "[\"2\"]", "[18446744073709551615]", "2", "null",
                                  "{\"a\": 2}", "[4294967296, 4294967296]"}) {
    EXPECT_EQ(entry_refusal(R"({"dtype": "F32", "data_offsets": [0, 8], "shape": )" + shape + "}"),
              sentence)
        << shape;
  }
}

TEST(ParseTensorFile, RefusesMalformedOffsets) {
  const std::string sentence = "x: not a safetensors file: tensor 't' has malformed offsets";
  for (const std::string offsets : {"[0]", "[0, 8, 9]", "[-1, 8]", "[0, 8.0]", "8", "{}"}) {
    EXPECT_EQ(entry_refusal(R"({"dtype": "F32", "shape": [2], "data_offsets": )" + offsets + "}"),
              sentence)
        << offsets;
  }
}

TEST(ParseTensorFile, RefusesATensorBeyondTheFile) {
  const std::string sentence =
      "x: not a safetensors file: tensor 't' ends beyond the file, which is truncated";
  EXPECT_EQ(entry_refusal(R"({"dtype": "F32", "shape": [3], "data_offsets": [0, 12]})"), sentence);
  EXPECT_EQ(entry_refusal(R"({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]})"), sentence);
}

TEST(ParseTensorFile, RefusesTensorsThatShareBytes) {
  EXPECT_EQ(refusal(with_header(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},)"
                                R"( "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}})",
                                8)),
            "x: not a safetensors file: tensors 'a' and 'b' share bytes");
}

TEST(ParseTensorFile, RefusesADeeplyNestedHeader) {
  EXPECT_EQ(refusal(with_header("{\"t\": " + std::string(1'000'000, '['), 0)),
            "x: not a safetensors file: its header is nested too deeply");
}

TEST(ParseTensorFile, RefusesASizeThatDoesNotFitTheShape) {
  EXPECT_EQ(entry_refusal(R"({"dtype": "F64", "shape": [2], "data_offsets": [0, 8]})"),
            "x: not a safetensors file: tensor 't' has a size that does not fit its shape");
}

TEST(ParseTensorFile, RefusesEveryTruncation) {
  const std::string content = format_tensor_file(example());
  for (std::size_t length = 0; length < content.size(); ++length) {
    EXPECT_EQ(refusal(content.substr(0, length)).substr(0, 26), "x: not a safetensors file:")
        << length;
  }
}

TEST(ParseTensorFile, NeverCrashesOnMutatedFiles) {
  const std::string content = format_tensor_file(example());
  int refused = 0;
  for (std::uint64_t round = 0; round < 20'000; ++round) {
    Stream stream(13, "fuzz", 0, round);
    std::string changed = content;
    const std::uint64_t edits = 1 + stream.below(4);
    for (std::uint64_t i = 0; i < edits; ++i) {
      const std::size_t at = stream.below(changed.size());
      switch (stream.below(4)) {
        case 0:
          changed[at] = static_cast<char>(stream.below(256));
          break;
        case 1:
          changed.erase(at, stream.below(9));
          changed += ' ';  // never empty
          break;
        case 2:
          changed.insert(at, 1, "{}[],:\"0123456789-.e"[stream.below(19)]);
          break;
        default:
          changed.insert(at, changed.substr(at, stream.below(20)));
      }
    }
    try {
      const TensorFile file =
          parse_tensor_file(changed, "x");  // anything but UserError ends the test
      for (const auto& [name, tensor] : file.tensors) {
        EXPECT_EQ(tensor.bytes.size(),
                  static_cast<std::size_t>(tensor.numel()) * element_bytes(tensor.type));
      }
    } catch (const UserError& error) {
      EXPECT_EQ(std::string_view(error.what()).substr(0, 26), "x: not a safetensors file:");
      ++refused;
    }
  }
  EXPECT_GT(refused, 5'000);
}

}  // namespace
}  // namespace probedarts
