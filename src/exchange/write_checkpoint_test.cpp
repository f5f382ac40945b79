#include "exchange/write_checkpoint.hpp"

#include <gtest/gtest.h>

#include "core/files.hpp"
#include "exchange/read_checkpoint.hpp"
#include "support/scratch_folder.hpp"
#include "support/torch_bytes.hpp"

namespace probedarts::exchange {
namespace {

using probedarts::testing::float_bytes;
using probedarts::testing::refusal_of;

constexpr ElementType kAllTypes[] = {
    ElementType::kF32, ElementType::kF64, ElementType::kF16, ElementType::kBF16, ElementType::kI64,
    ElementType::kI32, ElementType::kI16, ElementType::kI8,  ElementType::kU8,   ElementType::kBool,
};

/// A tensor of every type, one without dimensions, one without elements.
TensorFile example() {
  TensorFile file;
  for (const ElementType type : kAllTypes) {
    std::string bytes(6 * element_bytes(type), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(i % 2);
    }
    file.tensors[std::string("all.") + element_name(type)] = {type, {1, 2, 3}, bytes};
  }
  file.tensors["scalar"] = {ElementType::kF32, {}, float_bytes({2.5F})};
  file.tensors["empty"] = {ElementType::kF32, {0, 7}, ""};
  file.tensors["\u00e4"] = {ElementType::kF32, {1}, float_bytes({-1})};
  file.metadata = {{"network", "DARTS_ADP_N4"}, {"classes", "[\"\u00e4\"]"}};
  return file;
}

void expect_equal(const TensorFile& a, const TensorFile& b) {
  EXPECT_EQ(format_tensor_file(a), format_tensor_file(b));
}

TEST(WriteCheckpoint, IsReadBackInEveryForm) {
  const testing::ScratchFolder folder;
  for (const std::string file : {"a.pt", "a.pth", "a.safetensors"}) {
    write_checkpoint(folder.path() / file, example());
    expect_equal(read_checkpoint(folder.path() / file), example());
  }
}

TEST(WriteCheckpoint, GivesEqualBytesForEqualContent) {
  EXPECT_EQ(format_torch_zip(example(), "x"), format_torch_zip(example(), "x"));
}

TEST(WriteCheckpoint, AlignsEveryStorage) {
  TensorFile file;
  file.tensors["w"] = {ElementType::kF32, {1}, "wxyz"};
  EXPECT_EQ(format_torch_zip(file, "x").find("wxyz") % 64, 0U);
}

TEST(WriteCheckpoint, RefusesAnotherEnding) {
  EXPECT_EQ(refusal_of([]() { write_checkpoint("a.onnx", {}); }),
            "cannot write 'a.onnx': its ending names no form of checkpoint; choose .pt, .pth or "
            ".safetensors");
}

TEST(WriteCheckpoint, NamesAFolderThatIsNotThere) {
  EXPECT_EQ(refusal_of([]() { write_checkpoint("/no/such/a.pt", example()); }),
            "cannot write '/no/such/a.pt': No such file or directory; check the path");
}

TEST(WriteCheckpoint, RefusesMoreTensorsThanAZipFileHolds) {
  TensorFile file;
  for (int i = 0; i < 65'535; ++i) {
    file.tensors[std::to_string(i)] = {ElementType::kU8, {0}, ""};
  }
  EXPECT_EQ(refusal_of([&file]() { format_torch_zip(file, "a.pt"); }),
            "cannot write 'a.pt': 4 GiB or 65535 tensors are too many for a .pt; write a "
            ".safetensors");
}

}  // namespace
}  // namespace probedarts::exchange
