#include "exchange/read_checkpoint.hpp"

#include <gtest/gtest.h>

#include "exchange/write_checkpoint.hpp"
#include "support/torch_bytes.hpp"

namespace probedarts::exchange {
namespace {

using probedarts::testing::float_bytes;
using probedarts::testing::kTwelve;
using probedarts::testing::pickle;
using probedarts::testing::py_dict;
using probedarts::testing::py_global;
using probedarts::testing::py_int;
using probedarts::testing::py_ints;
using probedarts::testing::py_storage;
using probedarts::testing::py_tensor;
using probedarts::testing::py_text;
using probedarts::testing::py_tuple;
using probedarts::testing::py_vector;
using probedarts::testing::refusal_of;
using probedarts::testing::Storages;
using probedarts::testing::torch_legacy;
using probedarts::testing::torch_zip;

std::string file_refusal(const std::string& content) {
  return refusal_of([&content]() { parse_checkpoint(content, "x.pt"); });
}

std::vector<double> numbers(const TensorFile& file, const std::string& name) {
  return file.at(name).as_doubles();
}

std::vector<std::string> names(const TensorFile& file) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : file.tensors) {
    result.push_back(name);
  }
  return result;
}

using Names = std::vector<std::string>;

TEST(ReadCheckpoint, ReadsTheZipFormOfAGpu) {
  const TensorFile file = parse_checkpoint(
      torch_zip(py_dict({{"w", py_tensor(py_storage("0", 12), 0, {3, 4}, {4, 1})}}), kTwelve), "x");
  EXPECT_EQ(names(file), Names{"w"});
  EXPECT_EQ(file.at("w").type, ElementType::kF32);
  EXPECT_EQ(file.at("w").shape, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(file.at("w").bytes, kTwelve[0].second);
  EXPECT_TRUE(file.metadata.empty());
}

TEST(ReadCheckpoint, ReadsTheOlderForm) {
  const TensorFile file =
      parse_checkpoint(torch_legacy(py_dict({{"a", py_vector("77", 1)}, {"b", py_vector("5", 2)}}),
                                    {{"5", float_bytes({1, 2})}, {"77", float_bytes({3})}}),
                       "x");
  EXPECT_EQ(numbers(file, "a"), (std::vector<double>{3}));
  EXPECT_EQ(numbers(file, "b"), (std::vector<double>{1, 2}));
}

TEST(ReadCheckpoint, ReadsViewsOfTheOlderForm) {
  const std::string view = py_tuple({py_text("80"), py_int(4), py_int(3)});
  const TensorFile file = parse_checkpoint(
      torch_legacy(
          py_dict({{"v", py_tensor(py_storage("0", 12, "FloatStorage", view), 1, {2}, {1})}}),
          kTwelve),
      "x");
  EXPECT_EQ(numbers(file, "v"), (std::vector<double>{5, 6}));
}

TEST(ReadCheckpoint, ReadsSafetensorsWhateverItsName) {
  TensorFile file;
  file.tensors["w"] = {ElementType::kF32, {2}, float_bytes({1, 2})};
  file.metadata["format"] = "pt";
  const TensorFile read = parse_checkpoint(format_tensor_file(file), "x.pt");
  EXPECT_EQ(numbers(read, "w"), (std::vector<double>{1, 2}));
  EXPECT_EQ(read.metadata, file.metadata);
}

TEST(ReadCheckpoint, MakesViewsRowMajor) {
  const std::string storage = py_storage("0", 12);
  const TensorFile file = parse_checkpoint(
      torch_zip(py_dict({{"transposed", py_tensor(storage, 0, {4, 3}, {1, 4})},
                         {"column", py_tensor(storage, 1, {3}, {4})},
                         {"row", py_tensor(storage, 4, {4}, {1})},
                         {"repeated", py_tensor(storage, 7, {2, 2}, {0, 0})},
                         {"scalar", py_tensor(storage, 11, {}, {})},
                         {"empty", py_tensor(storage, 0, {0, 3}, {3, 1})},
                         {"one", py_tensor(storage, 2, {1, 2}, {99, 1})},
                         {"huge stride", py_tensor(storage, 2, {2, 1}, {3, INT64_MAX})}}),
                kTwelve),
      "x");
  EXPECT_EQ(numbers(file, "transposed"),
            (std::vector<double>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
  EXPECT_EQ(numbers(file, "column"), (std::vector<double>{1, 5, 9}));
  EXPECT_EQ(numbers(file, "row"), (std::vector<double>{4, 5, 6, 7}));
  EXPECT_EQ(numbers(file, "repeated"), (std::vector<double>{7, 7, 7, 7}));
  EXPECT_EQ(numbers(file, "scalar"), (std::vector<double>{11}));
  EXPECT_EQ(numbers(file, "empty"), (std::vector<double>{}));
  EXPECT_EQ(numbers(file, "one"), (std::vector<double>{2, 3}));
  EXPECT_EQ(numbers(file, "huge stride"), (std::vector<double>{2, 5}));
}

TEST(ReadCheckpoint, ReadsUntypedStoragesByTheirDtype) {
  const std::string untyped =
      py_tuple({py_text("storage"), py_global("torch.storage", "UntypedStorage"), py_text("0"),
                py_text("cpu"), py_int(48)}) +
      "Q";
  const std::string tensor = py_global("torch._utils", "_rebuild_tensor_v3") +
                             py_tuple({untyped, py_int(2), py_ints({3}), py_ints({1}), "\x89", "}",
                                       py_global("torch", "float32")}) +
                             "R";
  EXPECT_EQ(numbers(parse_checkpoint(torch_zip(py_dict({{"w", tensor}}), kTwelve), "x"), "w"),
            (std::vector<double>{2, 3, 4}));
}

TEST(ReadCheckpoint, TakesAParameterForItsTensor) {
  const std::string parameter = py_global("torch._utils", "_rebuild_parameter") +
                                py_tuple({py_vector("0", 12), "\x88", "}"}) + "R";
  const std::string subclass =
      py_global("torch._tensor", "_rebuild_from_type_v2") +
      py_tuple({py_global("torch._utils", "_rebuild_tensor_v2"),
                py_global("torch.nn.parameter", "Parameter"),
                py_tuple({py_storage("0", 12), py_int(3), py_ints({1}), py_ints({1})}), "}"}) +
      "R";
  const TensorFile file =
      parse_checkpoint(torch_zip(py_dict({{"p", parameter}, {"q", subclass}}), kTwelve), "x");
  EXPECT_EQ(numbers(file, "p").size(), 12U);
  EXPECT_EQ(numbers(file, "q"), (std::vector<double>{3}));
}

TEST(ReadCheckpoint, FindsTheStateDictBelowItsKey) {
  for (const std::string key : {"state_dict", "model", "model_state_dict", "net"}) {
    const std::string inner = py_dict({{"w", py_vector("0", 12)}, {"epochs", py_int(3)}});
    const TensorFile file = parse_checkpoint(
        torch_zip(py_dict({{"epoch", py_int(7)}, {"best", py_vector("0", 12)}, {key, inner}}),
                  kTwelve),
        "x");
    EXPECT_EQ(names(file), Names{"w"}) << key;
  }
}

TEST(ReadCheckpoint, IgnoresWhatIsNoTensor) {
  const TensorFile file = parse_checkpoint(
      torch_zip(py_dict({{"w", py_vector("0", 12)},
                         {"lr", std::string("G\x3f\xb9\x99\x99\x99\x99\x99\x9a", 9)},
                         {"none", "N"},
                         {"args", py_dict({{"layers", py_int(4)}})},
                         {"seen", py_global("__builtin__", "set") + "(](" + py_int(1) + "etR"},
                         {"twice", py_vector("0", 12)},
                         {"twice", py_int(1)}}),
                kTwelve),
      "x");
  EXPECT_EQ(names(file), Names{"w"});
}

TEST(ReadCheckpoint, StripsTheWrapperOnlyWhenAllNamesHaveIt) {
  const auto read = [](const Names& all) {
    std::vector<std::pair<std::string, std::string>> items;
    for (const std::string& name : all) {
      items.emplace_back(name, py_vector("0", 12));
    }
    return names(parse_checkpoint(torch_zip(py_dict(items), kTwelve), "x"));
  };
  EXPECT_EQ(read({"module.a", "module.b.w"}), (Names{"a", "b.w"}));
  EXPECT_EQ(read({"module.a", "b"}), (Names{"b", "module.a"}));
  EXPECT_EQ(read({"_orig_mod.module.a"}), (Names{"a"}));
  EXPECT_EQ(read({"model.a", "model.b"}), (Names{"a", "b"}));
  EXPECT_EQ(read({"module."}), (Names{"module."}));
}

TEST(ReadCheckpoint, RefusesWhatIsNoCheckpoint) {
  EXPECT_EQ(file_refusal(""), "x.pt: not a readable checkpoint: it is empty");
  EXPECT_EQ(file_refusal("hello"),
            "x.pt: not a readable checkpoint: it is neither safetensors nor a file of PyTorch's "
            "torch.save");
  EXPECT_EQ(file_refusal(pickle(py_dict({{"a", py_int(1)}}))),
            "x.pt: not a readable checkpoint: it is a pickle, but not one that torch.save wrote");
  ZipWriter zip;
  zip.add("a.txt", "text");
  EXPECT_EQ(file_refusal(zip.finish()),
            "x.pt: not a readable checkpoint: it is a zip file without one 'data.pkl', so PyTorch "
            "did not write it");
}

TEST(ReadCheckpoint, RefusesATorchScriptProgram) {
  ZipWriter zip;
  zip.add("m/data.pkl", pickle("}"));
  zip.add("m/constants.pkl", pickle(")"));
  EXPECT_EQ(file_refusal(zip.finish()),
            "x.pt: not a readable checkpoint: it is a TorchScript program; save "
            "model.state_dict() with torch.save instead");
}

TEST(ReadCheckpoint, RefusesBigEndianFiles) {
  ZipWriter zip;
  zip.add("m/data.pkl", pickle("}"));
  zip.add("m/byteorder", "big");
  const std::string sentence =
      "x.pt: not a readable checkpoint: it was written on a big-endian machine; save it again on "
      "another";
  EXPECT_EQ(file_refusal(zip.finish()), sentence);
  std::string legacy = torch_legacy("}");
  legacy[legacy.find("\x88s")] = '\x89';
  EXPECT_EQ(file_refusal(legacy), sentence);
}

TEST(ReadCheckpoint, RefusesAFileWithoutTensorsAndNamesItsKeys) {
  EXPECT_EQ(file_refusal(torch_zip(py_dict({{"epoch", py_int(1)}, {"generator", "}"}}))),
            "x.pt: not a readable checkpoint: it holds no tensors at its top or below "
            "'state_dict', 'model' and the like; its keys begin with 'epoch', 'generator'");
  EXPECT_EQ(file_refusal(torch_zip("}")),
            "x.pt: not a readable checkpoint: its dictionary holds no tensors");
  EXPECT_EQ(file_refusal(torch_zip("]")),
            "x.pt: not a readable checkpoint: it holds no dictionary of tensors");
  EXPECT_EQ(file_refusal(torch_zip(py_vector("0", 12), kTwelve)),
            "x.pt: not a readable checkpoint: it holds one tensor without a name");
}

TEST(ReadCheckpoint, RefusesAStorageThatIsMissingOrTooShort) {
  const std::string dict = py_dict({{"w", py_vector("0", 12)}});
  EXPECT_EQ(file_refusal(torch_zip(dict)),
            "x.pt: not a readable checkpoint: 'some/data/0' is missing in it");
  EXPECT_EQ(file_refusal(torch_zip(dict, {{"0", "abcd"}})),
            "x.pt: not a readable checkpoint: storage '0' has 4 bytes, its tensors need 48");
  EXPECT_EQ(file_refusal(torch_legacy(dict)),
            "x.pt: not a readable checkpoint: storage '0' has 0 bytes, its tensors need 48");
}

TEST(ReadCheckpoint, RefusesATruncatedFileOfTheOlderForm) {
  const std::string content = torch_legacy(py_dict({{"w", py_vector("0", 12)}}), kTwelve);
  EXPECT_EQ(file_refusal(content.substr(0, content.size() - 1)),
            "x.pt: not a readable checkpoint: it ends inside storage '0'; the file is truncated");
  EXPECT_EQ(file_refusal(content.substr(0, content.size() - 50)),
            "x.pt: not a readable checkpoint: it ends before storage '0'; the file is truncated");
  EXPECT_EQ(file_refusal(content.substr(0, 40)),
            "x.pt: not a readable checkpoint: its pickle ends too early; the file is truncated or "
            "damaged");
}

TEST(ReadCheckpoint, RefusesATensorNameThatIsNoText) {
  EXPECT_EQ(file_refusal(torch_zip(py_dict({{"w\xff", py_vector("0", 12)}}), kTwelve)),
            "x.pt: not a readable checkpoint: the name 'w\\ufffd' of a tensor is no UTF-8");
}

TEST(ReadCheckpoint, NamesAFileThatIsNotThere) {
  EXPECT_EQ(refusal_of([]() { read_checkpoint("/no/such/n4.pt"); }),
            "cannot read '/no/such/n4.pt': No such file or directory; check the path");
}

}  // namespace
}  // namespace probedarts::exchange
