// Files made to crash a reader, to fill its memory or to keep it busy for ever.
#include <gtest/gtest.h>

#include "core/random.hpp"
#include "exchange/read_checkpoint.hpp"
#include "support/mutation.hpp"
#include "support/torch_bytes.hpp"

namespace probedarts::exchange {
namespace {

using probedarts::testing::float_bytes;
using probedarts::testing::kTwelve;
using probedarts::testing::mutate;
using probedarts::testing::pickle;
using probedarts::testing::py_dict;
using probedarts::testing::py_global;
using probedarts::testing::py_storage;
using probedarts::testing::py_tensor;
using probedarts::testing::py_text;
using probedarts::testing::py_tuple;
using probedarts::testing::py_vector;
using probedarts::testing::refusal_of;
using probedarts::testing::Storages;
using probedarts::testing::torch_legacy;
using probedarts::testing::torch_zip;
using namespace std::string_literals;

std::string refusal(const std::string& content) {
  return refusal_of([&content]() { parse_checkpoint(content, "x"); });
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) {
    result += text;
  }
  return result;
}

constexpr const char* kTooLarge64 =
    "x: not a readable checkpoint: it would unpack to more than 64 MiB, far more than its own "
    "length";

TEST(HostileCheckpoint, CannotViewOneNumberAsALargeMatrix) {
  const std::int64_t side = std::int64_t{1} << 20;
  EXPECT_EQ(
      refusal(torch_zip(py_dict({{"w", py_tensor(py_storage("0", 12), 0, {side, side}, {0, 0})}}),
                        kTwelve)),
      kTooLarge64);
}

TEST(HostileCheckpoint, CannotNameOneStorageAThousandTimes) {
  const std::string megabyte(1 << 20, '\1');
  std::vector<std::pair<std::string, std::string>> items;
  items.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    items.emplace_back(std::to_string(i), py_vector("0", 1 << 18));
  }
  EXPECT_EQ(refusal(torch_zip(py_dict(items), {{"0", megabyte}})),
            "x: not a readable checkpoint: it would unpack to more than 73 MiB, far more than its "
            "own length");
}

TEST(HostileCheckpoint, CannotMakeMillionsOfEmptyLists) {
  EXPECT_EQ(refusal(torch_zip(repeated("]", 2'000'000))),
            "x: not a readable checkpoint: it would unpack to more than 79 MiB, far more than its "
            "own length");
}

TEST(HostileCheckpoint, CannotNestUntilAStackOverflows) {
  const std::size_t depth = 500'000;
  EXPECT_EQ(refusal(torch_zip(repeated("]", depth) + repeated("a", depth - 1))),
            "x: not a readable checkpoint: it holds no dictionary of tensors");
  EXPECT_EQ(refusal(torch_zip(")" + repeated("\x85", depth))),
            "x: not a readable checkpoint: it holds no dictionary of tensors");
}

TEST(HostileCheckpoint, CannotHoldItself) {
  EXPECT_EQ(refusal(torch_zip("}q\x00("s + py_text("state_dict") + "h\x00u"s)),
            "x: not a readable checkpoint: it holds no tensors at its top or below 'state_dict', "
            "'model' and the like; its keys begin with 'state_dict'");
}

/// A dictionary whose nine wrapper keys all lead to the same next one, four levels deep, the last
/// with many items: looked at once, not 9^4 times.
TEST(HostileCheckpoint, CannotMultiplyByReferring) {
  const std::vector<std::string> wrappers = {"state_dict", "model_state_dict", "model_state",
                                             "model",      "network",          "net",
                                             "weights",    "params",           "module"};
  std::string inner = "}(" + repeated(py_text("a") + "N", 100'000) + "u";
  for (int level = 0; level < 4; ++level) {
    const std::string slot(1, static_cast<char>(level));
    std::string outer = inner;
    outer.append("q").append(slot).append("0}(");
    for (const std::string& wrapper : wrappers) {
      outer += py_text(wrapper) + "h" + slot;
    }
    inner = outer + "u";
  }
  EXPECT_EQ(refusal(torch_zip(inner)),
            "x: not a readable checkpoint: it holds no tensors at its top or below 'state_dict', "
            "'model' and the like; its keys begin with 'state_dict', 'model_state_dict', "
            "'model_state', 'model', 'network'");
}

TEST(HostileCheckpoint, CannotRepeatAnEndlessName) {
  const std::string name(5000, 'n');
  EXPECT_EQ(refusal(torch_zip(py_dict({{name, py_vector("0", 12)}}), kTwelve)),
            "x: not a readable checkpoint: the name '" + std::string(100, 'n') +
                "...' of a tensor is longer than 4096 bytes");
}

TEST(HostileCheckpoint, CannotDeclareLengthsBeyondItsEnd) {
  const std::string early =
      "x: not a readable checkpoint: its pickle ends too early; the file is truncated or damaged";
  EXPECT_EQ(refusal(torch_zip("X\xff\xff\xff\xff"s)), early);
  EXPECT_EQ(refusal(torch_zip("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"s)), early);
  EXPECT_EQ(refusal(torch_zip("\x8b\xff\xff\xff\xff"s)), early);
  EXPECT_EQ(refusal(torch_zip("cno newline")), early);
  std::string legacy = torch_legacy(py_dict({{"w", py_vector("0", 12)}}), kTwelve);
  legacy.replace(legacy.size() - 56, 8, 8, '\x7f');  // elements of the only storage
  EXPECT_EQ(refusal(legacy),
            "x: not a readable checkpoint: it ends inside storage '0'; the file is truncated");
}

TEST(HostileCheckpoint, CannotHideMetadataThatIsNoText) {
  const auto with_metadata = [](const std::string& json) {
    ZipWriter zip;
    zip.add("f/data.pkl", pickle(py_dict({{"w", py_vector("0", 12)}})));
    zip.add("f/data/0", kTwelve[0].second);
    zip.add("f/extra/probedarts.json", json);
    return zip.finish();
  };
  const std::string sentence =
      "x: not a readable checkpoint: 'extra/probedarts.json' in it is not an object of texts";
  EXPECT_EQ(refusal(with_metadata("{\"a\": \"b\"}")), "accepted");
  EXPECT_EQ(refusal(with_metadata("{\"a\": 1}")), sentence);
  EXPECT_EQ(refusal(with_metadata("{")), sentence);
  EXPECT_EQ(refusal(with_metadata(std::string(1'000'000, '['))), sentence);
}

/// Outcomes of reading many damaged versions of a file; anything but a UserError ends the test.
struct Outcomes {
  int refused = 0;
  int accepted = 0;
};

template <typename Damage>
Outcomes read_damaged(int rounds, Damage damage) {
  Outcomes outcomes;
  for (int round = 0; round < rounds; ++round) {
    Stream stream(17, "checkpoint mutation", 0, static_cast<std::uint64_t>(round));
    const std::string sentence = refusal(damage(stream));
    if (sentence == "accepted") {
      ++outcomes.accepted;
    } else {
      EXPECT_TRUE(sentence.starts_with("x: not a ")) << sentence;
      ++outcomes.refused;
    }
  }
  return outcomes;
}

/// Rich in opcodes: two views, a parameter, a nested dictionary, other values.
std::string rich_object() {
  const std::string parameter = py_global("torch._utils", "_rebuild_parameter") +
                                py_tuple({py_vector("0", 12), "\x88", "}"}) + "R";
  return py_dict(
      {{"epoch", "K\x07"},
       {"state_dict", py_dict({{"module.a", py_tensor(py_storage("0", 12), 0, {4, 3}, {1, 4})},
                               {"module.b", parameter + "q\x01"},
                               {"module.c", "h\x01"}}) +
                          py_dict({{"_metadata", "}"}}) + "b"},
       {"args",
        "](K\x01M\x01\x02J\x01\x02\x03\x04"
        "Ne"}});
}

TEST(HostileCheckpoint, NeverCrashesOnDamagedZipFiles) {
  const std::string content = torch_zip(rich_object(), kTwelve);
  ASSERT_EQ(refusal(content), "accepted");
  const Outcomes outcomes =
      read_damaged(20'000, [&](Stream& stream) { return mutate(content, stream); });
  EXPECT_GT(outcomes.refused, 10'000);
}

/// Checksums catch nearly all damage of a zip file, so pickles are damaged before they are zipped;
/// every other one in a single byte, which reaches further in.
TEST(HostileCheckpoint, NeverCrashesOnDamagedPickles) {
  const Outcomes outcomes = read_damaged(40'000, [](Stream& stream) {
    std::string object = rich_object();
    if (stream.below(2) == 0) {
      object = mutate(object, stream);
    } else {
      object[stream.below(object.size())] = static_cast<char>(stream.below(256));
    }
    return torch_zip(object, kTwelve);
  });
  EXPECT_GT(outcomes.refused, 10'000);
  EXPECT_GT(outcomes.accepted, 1'000);
}

TEST(HostileCheckpoint, NeverCrashesOnDamagedFilesOfTheOlderForm) {
  const std::string content = torch_legacy(rich_object(), kTwelve);
  ASSERT_EQ(refusal(content), "accepted");
  const Outcomes outcomes =
      read_damaged(40'000, [&](Stream& stream) { return mutate(content, stream); });
  EXPECT_GT(outcomes.refused, 10'000);
  EXPECT_GT(outcomes.accepted, 500);
}

TEST(HostileCheckpoint, NeverCrashesOnDamagedSafetensors) {
  const std::string content =
      format_tensor_file(parse_checkpoint(torch_zip(rich_object(), kTwelve), "x"));
  const Outcomes outcomes =
      read_damaged(20'000, [&](Stream& stream) { return mutate(content, stream); });
  EXPECT_GT(outcomes.refused, 10'000);
  EXPECT_GT(outcomes.accepted, 500);
}

}  // namespace
}  // namespace probedarts::exchange
