#include "exchange/pickle.hpp"

#include <gtest/gtest.h>

#include "support/torch_bytes.hpp"

namespace probedarts::exchange {
namespace {

using probedarts::testing::pickle;
using probedarts::testing::py_dict;
using probedarts::testing::py_global;
using probedarts::testing::py_int;
using probedarts::testing::py_storage;
using probedarts::testing::py_tensor;
using probedarts::testing::py_text;
using probedarts::testing::py_tuple;
using probedarts::testing::refusal_of;
using namespace std::string_literals;
using Kind = PickleValue::Kind;

/// The root of a pickle, with the pickle that it belongs to. `bytes` must live on.
Pickle read(const std::string& bytes) {
  Allowance allowance("x", bytes.size());
  return parse_pickle(bytes, 0, allowance);
}

std::string pickle_refusal(const std::string& body) {
  return refusal_of([&body]() { read(pickle(body)); });
}

std::string pickle_why(const std::string& rest) {
  return "x: not a readable checkpoint: its pickle " + rest;
}

std::int64_t integer(const std::string& body) {
  const std::string bytes = pickle(body);
  const Pickle read_back = read(bytes);
  EXPECT_EQ(read_back.at(read_back.root).kind, Kind::kInteger);
  EXPECT_EQ(read_back.end, bytes.size());
  return read_back.at(read_back.root).integer;
}

std::string text(const std::string& body) {
  const std::string bytes = pickle(body);
  const Pickle read_back = read(bytes);
  EXPECT_EQ(read_back.at(read_back.root).kind, Kind::kText);
  return std::string(read_back.at(read_back.root).text);
}

TEST(ParsePickle, ReadsIntegersOfAllLengths) {
  EXPECT_EQ(integer("\x88"), 1);
  EXPECT_EQ(integer("\x89"), 0);
  EXPECT_EQ(integer("K\xff"), 255);
  EXPECT_EQ(integer("M\x01\x02"), 513);
  EXPECT_EQ(integer("J\xfe\xff\xff\xff"), -2);
  EXPECT_EQ(integer("\x8a\x00"s), 0);
  EXPECT_EQ(integer("\x8a\x01\x80"), -128);
  EXPECT_EQ(integer("\x8a\x02\x80\x00"s), 128);
  EXPECT_EQ(integer("\x8b\x03\x00\x00\x00\x00\x00\x01"s), 65536);
}

TEST(ParsePickle, ReadsTextOfAllProtocols) {
  EXPECT_EQ(text("X\x02\x00\x00\x00hi"s), "hi");
  EXPECT_EQ(text("U\x02hi"), "hi");
  EXPECT_EQ(text("\x8c\x02hi"), "hi");
  EXPECT_EQ(text("\x8d\x02\x00\x00\x00\x00\x00\x00\x00hi"s), "hi");
}

TEST(ParsePickle, RecallsWhatItRemembered) {
  EXPECT_EQ(text("U\x02hiq\x05"
                 "0h\x05"),
            "hi");  // BINPUT, POP, BINGET
  EXPECT_EQ(text("U\x02hir\x05\x00\x01\x00"
                 "0j\x05\x00\x01\x00"s),
            "hi");  // the long forms
  EXPECT_EQ(text("\x8c\x02hi\x94"
                 "0h\x00"s),
            "hi");  // MEMOIZE
}

TEST(ParsePickle, ReadsAStackGlobalOfProtocolFour) {
  const std::string bytes =
      "\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x0b"
      "collections"
      "\x8c\x0bOrderedDict\x93)R."s;
  const Pickle read_back = read(bytes);
  EXPECT_EQ(read_back.at(read_back.root).kind, Kind::kDict);
}

TEST(ParsePickle, ReadsTheOrderedDictOfPythonTwo) {
  const std::string bytes = pickle(py_global("collections", "OrderedDict") + "(](]" + "(" +
                                   py_text("k") + py_int(7) + "eetR");
  const Pickle read_back = read(bytes);
  const PickleValue& dict = read_back.at(read_back.root);
  ASSERT_EQ(dict.items.size(), 2U);
  EXPECT_EQ(read_back.at(dict.items[0]).text, "k");
  EXPECT_EQ(read_back.at(dict.items[1]).integer, 7);
}

TEST(ParsePickle, IgnoresTheStateOfADictionary) {
  const std::string bytes = pickle(py_global("collections", "OrderedDict") + ")R(" + py_text("k") +
                                   py_int(7) + "u" + py_dict({{"_metadata", "}"}}) + "b");
  const Pickle read_back = read(bytes);
  EXPECT_EQ(read_back.at(read_back.root).items.size(), 2U);
}

TEST(ParsePickle, NamesWhatItRefusesToRun) {
  const auto sentence = [](const std::string& name) {
    return "x: not a readable checkpoint: it asks for '" + name +
           "', which is no tensor and no plain container; nothing of it was executed; save "
           "model.state_dict() alone";
  };
  EXPECT_EQ(pickle_refusal(py_global("posix", "system") + "(" + py_text("true") + "tR"),
            sentence("posix.system"));
  EXPECT_EQ(pickle_refusal(py_global("builtins", "eval")), sentence("builtins.eval"));
  EXPECT_EQ(pickle_refusal(py_global("torch._utils", "_rebuild_sparse_tensor")),
            sentence("torch._utils._rebuild_sparse_tensor"));
  EXPECT_EQ(pickle_refusal("\x8c\x02os\x8c\x06system\x93"), sentence("os.system"));
  EXPECT_EQ(pickle_refusal(py_global("a\x01\xff", "b")), sentence("a\\u0001\\ufffd.b"));
}

TEST(ParsePickle, RefusesOpcodesThatPyTorchDoesNotWrite) {
  EXPECT_EQ(pickle_refusal("I1\n"),
            pickle_why("uses opcode 0x49 at byte 2, which PyTorch does not write"));
  EXPECT_EQ(pickle_refusal("(iposix\nsystem\n"),
            pickle_why("uses opcode 0x69 at byte 3, which PyTorch does not write"));
  EXPECT_EQ(pickle_refusal("\x82\x01"),
            pickle_why("uses opcode 0x82 at byte 2, which PyTorch does not write"));
  EXPECT_EQ(pickle_refusal("\x97"),
            pickle_why("uses opcode 0x97 at byte 2, which PyTorch does not write"));
  EXPECT_EQ(pickle_refusal("\x80\x06"), pickle_why("has protocol 6; known are 2 to 5"));
}

TEST(ParsePickle, RefusesMisuseOfItsStack) {
  const std::string underflow = pickle_why("takes more from its stack than lies on it");
  EXPECT_EQ(pickle_refusal(""), underflow);
  EXPECT_EQ(pickle_refusal("K\x01(0"), underflow);  // not beyond the mark
  EXPECT_EQ(pickle_refusal("K\x01\x86"), underflow);
  EXPECT_EQ(pickle_refusal("q\x01"), underflow);
  EXPECT_EQ(pickle_refusal("t"), pickle_why("ends a group that it did not begin"));
  EXPECT_EQ(pickle_refusal("h\x01"), pickle_why("recalls value 1, which it never stored"));
}

TEST(ParsePickle, RefusesValuesOfTheWrongKind) {
  EXPECT_EQ(pickle_refusal("K\x01K\x02"
                           "a"),
            pickle_why("appends to something that is no list"));
  EXPECT_EQ(pickle_refusal("]K\x02K\x03s"),
            pickle_why("sets items of something that is no dictionary"));
  EXPECT_EQ(pickle_refusal("}(K\x02u"),
            pickle_why("sets items of something that is no dictionary"));
  EXPECT_EQ(pickle_refusal("K\x01)R"), pickle_why("calls something that is no name"));
  EXPECT_EQ(pickle_refusal(py_global("torch", "FloatStorage") + ")R"),
            pickle_why("calls 'torch.FloatStorage'"));
  EXPECT_EQ(pickle_refusal(py_global("torch", "Size") + ")R"),
            pickle_why("makes a size of something that is no tuple"));
  EXPECT_EQ(pickle_refusal("K\x01}b"), pickle_why("sets the state of something that has none"));
  EXPECT_EQ(pickle_refusal(py_global("torch._utils", "_rebuild_parameter") + "(K\x01tR"),
            pickle_why("makes a parameter of something that is no tensor"));
}

TEST(ParsePickle, RefusesUnknownStorages) {
  const std::string sentence = pickle_why("names a storage in an unknown way");
  EXPECT_EQ(pickle_refusal("K\x01Q"), sentence);
  EXPECT_EQ(pickle_refusal(py_tuple({py_text("module"), py_text("a"), py_text("b")}) + "Q"),
            sentence);
  EXPECT_EQ(pickle_refusal(py_storage("0", -1)), sentence);
  EXPECT_EQ(pickle_refusal(py_storage("0", std::int64_t{1} << 62)), sentence);
  EXPECT_EQ(pickle_refusal(py_storage(std::string(257, '0'), 1)), sentence);
  EXPECT_EQ(pickle_refusal(
                py_storage("0", 4, "FloatStorage", py_tuple({py_text("1"), py_int(3), py_int(2)}))),
            sentence);
}

TEST(ParsePickle, RefusesTensorsBeyondTheirStorage) {
  const std::string beyond =
      "x: not a readable checkpoint: a tensor reaches beyond its storage '0'";
  const std::int64_t huge = std::int64_t{1} << 62;
  const std::string storage = py_storage("0", 12);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, {12}, {1})), "accepted");
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 1, {12}, {1})), beyond);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, {3, 4}, {5, 1})), beyond);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, huge, {1}, {1})), beyond);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, {huge, huge}, {0, 0})), beyond);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, {0, huge, huge}, {0, 0, 0})), beyond);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, {3}, {huge})), beyond);
  const std::string kinds = pickle_why("makes a tensor of arguments of the wrong kind");
  EXPECT_EQ(pickle_refusal(py_tensor(storage, -1, {1}, {1})), kinds);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, {-1}, {1})), kinds);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, {1}, {-1})), kinds);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, {1, 1}, {1})), kinds);
  EXPECT_EQ(pickle_refusal(py_tensor(storage, 0, std::vector<std::int64_t>(65, 1),
                                     std::vector<std::int64_t>(65, 1))),
            kinds);
  EXPECT_EQ(pickle_refusal(py_tensor("K\x01", 0, {1}, {1})), kinds);
}

}  // namespace
}  // namespace probedarts::exchange
