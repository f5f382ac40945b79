#include <algorithm>

#include <gtest/gtest.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "space/genotype.hpp"

namespace probedarts::space {
namespace {

constexpr std::string_view kPython =
    "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0)], normal_concat=range(2, 3), "
    "reduce=[('max_pool_3x3', 0), ('dil_conv_5x5', 1)], reduce_concat=[2])";
constexpr std::string_view kJson =
    R"({"normal": {"genes": [["sep_conv_3x3", 1], ["skip_connect", 0]], "concat": [2]}, )"
    R"("reduce": {"genes": [["max_pool_3x3", 0], ["dil_conv_5x5", 1]], "concat": [2]}})";

const std::string kPythonForm =
    ", write Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range(2, 6), reduce=[...], "
    "reduce_concat=range(2, 6))";
const std::string kJsonForm =
    ", write {\"normal\": {\"genes\": [[\"sep_conv_3x3\", 1], ...], \"concat\": [2, 3]}, "
    "\"reduce\": {...}}";
const std::string kKnown =
    ", use one of max_pool_3x3, avg_pool_3x3, skip_connect, sep_conv_3x3, sep_conv_5x5, "
    "dil_conv_3x3, dil_conv_5x5";

Genotype one_node_genotype() {
  using enum Primitive;
  return {{{{kSepConv3x3, 1}, {kSkipConnect, 0}}, {2}},
          {{{kMaxPool3x3, 0}, {kDilConv5x5, 1}}, {2}}};
}

std::string refusal(std::string_view text) {
  try {
    parse_genotype(text);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

/// `text` with the first `from` replaced; fails the test when there is none.
std::string with(std::string_view text, std::string_view from, std::string_view to) {
  std::string changed(text);
  const std::size_t at = changed.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? changed : changed.replace(at, from.size(), to);
}

TEST(ParseGenotype, ReadsPythonText) { EXPECT_EQ(parse_genotype(kPython), one_node_genotype()); }

TEST(ParseGenotype, ReadsJson) { EXPECT_EQ(parse_genotype(kJson), one_node_genotype()); }

TEST(ParseGenotype, IgnoresWhiteSpace) {
  std::string spaced;
  for (const char c : kPython) {
    spaced += c == '(' || c == ')' || c == ',' || c == '[' || c == '='
                  ? std::string("\n ") + c + "\t "
                  : std::string(1, c);
  }
  EXPECT_EQ(parse_genotype(" \r\n" + spaced + "\n"), one_node_genotype());
  EXPECT_EQ(parse_genotype("\n\t" + std::string(kJson) + "\n"), one_node_genotype());
}

TEST(ParseGenotype, ReadsDoubleQuotes) {
  std::string text(kPython);
  std::replace(text.begin(), text.end(), '\'', '"');
  EXPECT_EQ(parse_genotype(text), one_node_genotype());
}

TEST(ParseGenotype, ReadsTuplesForListsAndListsForPairs) {
  EXPECT_EQ(parse_genotype("Genotype(normal=(['sep_conv_3x3', 1], ['skip_connect', 0]), "
                           "normal_concat=(2,), reduce=[('max_pool_3x3', 0), "
                           "('dil_conv_5x5', 1,),], reduce_concat=[2,],)"),
            one_node_genotype());
}

TEST(ParseGenotype, ReadsFieldsInAnyOrder) {
  EXPECT_EQ(parse_genotype("Genotype(reduce_concat=[2], normal_concat=[2], "
                           "reduce=[('max_pool_3x3', 0), ('dil_conv_5x5', 1)], "
                           "normal=[('sep_conv_3x3', 1), ('skip_connect', 0)])"),
            one_node_genotype());
}

TEST(ParseGenotype, ReadsBackWhatIsWritten) {
  for (int nodes = 1; nodes <= kMaxNodes; ++nodes) {
    for (std::uint64_t draw = 0; draw < 50; ++draw) {
      Stream stream(7, "round trip", static_cast<std::uint64_t>(nodes), draw);
      const Genotype genotype = random_genotype(nodes, stream);
      EXPECT_EQ(parse_genotype(to_python(genotype)), genotype) << to_python(genotype);
      EXPECT_EQ(parse_genotype(to_json(genotype)), genotype) << to_json(genotype);
      EXPECT_EQ(to_python(parse_genotype(to_json(genotype))), to_python(genotype));
    }
  }
}

TEST(ParseGenotype, RefusesEmptyText) {
  EXPECT_EQ(refusal(""), "genotype: the text is empty, at character 1" + kPythonForm);
  EXPECT_EQ(refusal(" \n"), "genotype: the text is empty, at character 1" + kPythonForm);
}

TEST(ParseGenotype, RefusesAnotherBeginning) {
  EXPECT_EQ(refusal("DARTS_V3"),
            "genotype: the text begins with 'DARTS_V3' instead of 'Genotype(' or '{', "
            "at character 1" +
                kPythonForm);
}

TEST(ParseGenotype, ShowsForeignBytesAsOneShortLine) {
  EXPECT_EQ(refusal("\x01\xff\n" + std::string(100, 'x')),
            "genotype: the text begins with '???" + std::string(29, 'x') +
                "...' instead of 'Genotype(' or '{', at character 1" + kPythonForm);
}

TEST(ParseGenotype, RefusesATruncatedText) {
  EXPECT_EQ(
      refusal(kPython.substr(0, 30)),
      "genotype: the text ends where the closing quote should be, at character 31" + kPythonForm);
  EXPECT_EQ(refusal(kPython.substr(0, kPython.size() - 1)),
            "genotype: the text ends where ')' should be, at character 156" + kPythonForm);
}

TEST(ParseGenotype, RefusesTextBehindTheEnd) {
  EXPECT_EQ(
      refusal(std::string(kPython) + "; x"),
      "genotype: ';' stands where the end of the text should be, at character 157" + kPythonForm);
}

TEST(ParseGenotype, RefusesAMissingBracket) {
  EXPECT_EQ(refusal(with(kPython, "[", "")),
            "genotype: ''' stands where '[' should be, at character 18" + kPythonForm);
}

TEST(ParseGenotype, RefusesAStateThatIsNoNumber) {
  EXPECT_EQ(refusal(with(kPython, "1)", "one)")),
            "genotype: 'o' stands where a whole number should be, at character 35" + kPythonForm);
}

TEST(ParseGenotype, RefusesAnUnknownPrimitive) {
  EXPECT_EQ(refusal(with(kPython, "sep_conv_3x3", "sep_conv_7x7")),
            "genotype: unknown primitive 'sep_conv_7x7', at character 19" + kKnown);
  EXPECT_EQ(refusal(with(kJson, "dil_conv_5x5", "conv")),
            "genotype: unknown primitive 'conv', in reduce gene 1" + kKnown);
}

TEST(ParseGenotype, RefusesAnUnknownField) {
  EXPECT_EQ(refusal(with(kPython, "normal=", "usual=")),
            "genotype: unknown field 'usual', at character 10" + kPythonForm);
}

TEST(ParseGenotype, RefusesAFieldGivenTwice) {
  EXPECT_EQ(refusal(with(kPython, "reduce=", "normal=")),
            "genotype: field 'normal' is given twice, at character 88, give it once");
}

TEST(ParseGenotype, RefusesAMissingField) {
  EXPECT_EQ(refusal(with(kPython, ", reduce_concat=[2]", "")),
            "genotype: field 'reduce_concat' is missing, before the last ')'" + kPythonForm);
}

TEST(ParseGenotype, RefusesAHugeRange) {
  EXPECT_EQ(refusal(with(kPython, "range(2, 3)", "range(-2147483648, 2147483647)")),
            "genotype: range(-2147483648, 2147483647) is too long, at character 105" + kPythonForm);
}

TEST(ParseGenotype, RefusesAConcatThatIsNeitherRangeNorList) {
  EXPECT_EQ(
      refusal(with(kPython, "range(2, 3)", "all")),
      "genotype: ',' stands where range(...) or a list should be, at character 78" + kPythonForm);
}

TEST(ParseGenotype, RefusesAnEndlessList) {
  std::string states = "[";
  for (int i = 0; i < 70; ++i) {
    states += "2,";
  }
  EXPECT_EQ(refusal(with(kPython, "range(2, 3)", states + "]")),
            "genotype: '2' stands where the end of a list of at most 64 items should be, "
            "at character 204" +
                kPythonForm);
}

TEST(ParseGenotype, ValidatesWhatItRead) {
  EXPECT_EQ(refusal(with(kPython, "'skip_connect', 0", "'skip_connect', 2")),
            "genotype: normal gene 1 ('skip_connect<-2') must come from a state in 0..1");
  EXPECT_EQ(refusal(with(kJson, "\"skip_connect\"", "\"none\"")),
            "genotype: normal gene 1 ('none<-0') must not be none; choose another primitive");
}

TEST(ParseGenotype, RefusesMalformedJson) {
  EXPECT_EQ(refusal("{\"normal\": }"), "genotype: malformed JSON, at character 12" + kJsonForm);
}

TEST(ParseGenotype, RefusesANumberBeyondEveryFloat) {
  EXPECT_EQ(refusal("{\"normal\": 1e999}"),
            "genotype: a number is too large, somewhere in the text" + kJsonForm);
}

TEST(ParseGenotype, RefusesJsonWithAnUnknownKey) {
  EXPECT_EQ(refusal(with(kJson, "\"normal\"", "\"usual\"")),
            "genotype: unknown key 'usual', at the top" + kJsonForm);
}

TEST(ParseGenotype, RefusesJsonWithAMissingKey) {
  EXPECT_EQ(refusal(with(kJson, ", \"concat\": [2]", "")),
            "genotype: key 'concat' is missing, in normal" + kJsonForm);
}

TEST(ParseGenotype, RefusesACellThatIsNoObject) {
  EXPECT_EQ(refusal("{\"normal\": 3, \"reduce\": {}}"),
            "genotype: an object is missing, in normal" + kJsonForm);
}

TEST(ParseGenotype, RefusesGenesThatAreNoList) {
  EXPECT_EQ(refusal(with(kJson, "[[\"sep_conv_3x3\", 1], [\"skip_connect\", 0]]", "{}")),
            "genotype: genes and concat must be lists of at most 64 items, in normal" + kJsonForm);
}

TEST(ParseGenotype, RefusesAGeneThatIsNoPair) {
  EXPECT_EQ(refusal(with(kJson, "[\"skip_connect\", 0]", "[\"skip_connect\"]")),
            "genotype: a gene is not a pair of primitive and state, in normal gene 1" + kJsonForm);
}

TEST(ParseGenotype, RefusesAStateThatIsNoSmallWholeNumber) {
  const std::string sentence =
      "genotype: a state is not a small whole number, in normal gene 0" + kJsonForm;
  EXPECT_EQ(refusal(with(kJson, "1]", "1.5]")), sentence);
  EXPECT_EQ(refusal(with(kJson, "1]", "18446744073709551615]")), sentence);
  EXPECT_EQ(refusal(with(kJson, "1]", "-9223372036854775808]")), sentence);
}

/// One random edit: overwrite, delete, insert, repeat or cut.
std::string mutated(std::string text, Stream& stream) {
  const std::string_view kBytes("()[]{},:=\"'0123456789 -+.eE\\_nrsxc\0\n\xff", 38);
  const auto at = static_cast<std::size_t>(stream.below(text.size() + 1));
  const auto length = static_cast<std::size_t>(stream.below(12));
  const char byte = kBytes[stream.below(kBytes.size())];
  switch (stream.below(6)) {
    case 0:
      return text.substr(0, at) + byte + (at < text.size() ? text.substr(at + 1) : "");
    case 1:
      return text.substr(0, at) + (at + length < text.size() ? text.substr(at + length) : "");
    case 2:
      return text.substr(0, at) + byte + text.substr(at);
    case 3:
      return text.substr(0, at) + text.substr(at, length) + text.substr(at);
    case 4:
      return text.substr(0, at) + static_cast<char>(stream.below(256)) + text.substr(at);
    default:
      return stream.below(8) == 0 ? text.substr(0, at) : text + byte;
  }
}

TEST(ParseGenotype, NeverCrashesOnMutatedText) {
  int accepted = 0;
  int refused = 0;
  for (std::uint64_t round = 0; round < 40'000; ++round) {
    Stream stream(11, "fuzz", 0, round);
    const Genotype genotype = random_genotype(1 + static_cast<int>(stream.below(8)), stream);
    std::string text = round % 2 == 0 ? to_python(genotype) : to_json(genotype);
    const std::uint64_t edits = 1 + stream.below(4);
    for (std::uint64_t i = 0; i < edits; ++i) {
      text = mutated(text, stream);
    }
    try {
      const Genotype read = parse_genotype(text);  // anything but UserError ends the test
      EXPECT_EQ(parse_genotype(to_json(read)), read);
      ++accepted;
    } catch (const UserError& error) {
      EXPECT_EQ(std::string_view(error.what()).substr(0, 10), "genotype: ");
      EXPECT_LT(std::string_view(error.what()).size(), 400U);
      ++refused;
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 10'000);
}

TEST(ParseGenotype, NeverCrashesOnDeepNesting) {
  EXPECT_EQ(refusal(std::string(100'000, '{')).substr(0, 24), "genotype: malformed JSON");
  std::string nested =
      "{\"normal\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_EQ(refusal(nested), "genotype: an object is missing, in normal" + kJsonForm);
}

}  // namespace
}  // namespace probedarts::space
