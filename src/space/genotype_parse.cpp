// Reading genotypes. The Python form is a fixed sentence, so a cursor that walks it once is enough:
// no recursion, and every failure knows its place.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "space/genotype.hpp"

namespace probedarts::space {
namespace {

using nlohmann::json;

constexpr std::string_view kPythonForm =
    "write Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range(2, 6), reduce=[...], "
    "reduce_concat=range(2, 6))";
constexpr std::string_view kJsonForm =
    "write {\"normal\": {\"genes\": [[\"sep_conv_3x3\", 1], ...], \"concat\": [2, 3]}, \"reduce\": "
    "{...}}";
constexpr std::size_t kMostItems =
    64;  // more than any legal list holds; validate() says what is legal

/// Foreign bytes made fit for a one-line message.
std::string shown(std::string_view text) {
  constexpr std::size_t kMostShown = 32;
  std::string clean;
  for (const char c : text.substr(0, kMostShown)) {
    clean += c >= ' ' && c <= '~' ? c : '?';
  }
  return text.size() > kMostShown ? clean + "..." : clean;
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Primitive known_primitive(std::string_view name, const std::string& where) {
  if (const std::optional<Primitive> primitive = primitive_named(name)) {
    return *primitive;
  }
  std::string known;
  for (std::size_t i = 1; i < kPrimitiveCount; ++i) {
    known += (i == 1 ? "" : ", ") + std::string(kPrimitives[i].name);
  }
  throw UserError(fmt::format("genotype: unknown primitive '{}', {}, use one of {}", shown(name),
                              where, known));
}

/// A place in the Python text; the functions skip white space first.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool take(char wanted) {
    skip_space();
    if (at_ < text_.size() && text_[at_] == wanted) {
      ++at_;
      return true;
    }
    return false;
  }

  void expect(char wanted) {
    if (!take(wanted)) {
      fail(fmt::format("'{}'", wanted));
    }
  }

  std::string_view word() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  std::string_view quoted() {
    skip_space();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) {
      fail("a quoted primitive");
    }
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) {
      at_ = text_.size();
      fail("the closing quote");
    }
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inside;
  }

  int number() {
    skip_space();
    int value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc{}) {
      fail("a whole number");
    }
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  std::string where() const { return fmt::format("at character {}", at_ + 1); }

  [[noreturn]] void fail(const std::string& wanted) {
    skip_space();
    const std::string found = at_ == text_.size()
                                  ? "the text ends"
                                  : fmt::format("'{}' stands", shown(text_.substr(at_, 1)));
    throw UserError(fmt::format("genotype: {} where {} should be, {}, {}", found, wanted, where(),
                                kPythonForm));
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// The bracket that closes the list or tuple which opens here.
char open_list(Cursor& cursor) {
  if (cursor.take('[')) {
    return ']';
  }
  if (cursor.take('(')) {
    return ')';
  }
  cursor.fail("'['");
}

/// Calls `item` for each element of a list or tuple; a trailing comma is legal, as in Python.
template <typename Item>
void read_list(Cursor& cursor, Item item) {
  const char close = open_list(cursor);
  for (std::size_t count = 0; !cursor.take(close); ++count) {
    if (count == kMostItems) {
      cursor.fail(fmt::format("the end of a list of at most {} items", kMostItems));
    }
    item();
    if (!cursor.take(',')) {
      cursor.expect(close);
      return;
    }
  }
}

std::vector<Gene> read_genes(Cursor& cursor) {
  std::vector<Gene> genes;
  read_list(cursor, [&] {
    const char close = open_list(cursor);
    const std::string where = cursor.where();
    const Primitive primitive = known_primitive(cursor.quoted(), where);
    cursor.expect(',');
    genes.push_back({primitive, cursor.number()});
    cursor.take(',');
    cursor.expect(close);
  });
  return genes;
}

std::vector<int> read_range(Cursor& cursor) {
  cursor.expect('(');
  const int begin = cursor.number();
  cursor.expect(',');
  const int end = cursor.number();
  cursor.expect(')');
  if (std::int64_t{end} - begin > static_cast<std::int64_t>(kMostItems)) {
    throw UserError(fmt::format("genotype: range({}, {}) is too long, {}, {}", begin, end,
                                cursor.where(), kPythonForm));
  }
  std::vector<int> states;
  for (int state = begin; state < end; ++state) {
    states.push_back(state);
  }
  return states;
}

std::vector<int> read_concat(Cursor& cursor) {
  const std::string_view word = cursor.word();
  if (word == "range") {
    return read_range(cursor);
  }
  if (!word.empty()) {
    cursor.fail("range(...) or a list");
  }
  std::vector<int> states;
  read_list(cursor, [&] { states.push_back(cursor.number()); });
  return states;
}

Genotype parse_python(std::string_view text) {
  constexpr std::array<std::string_view, 4> kFields = {"normal", "normal_concat", "reduce",
                                                       "reduce_concat"};
  std::array<bool, kFields.size()> seen{};
  Genotype genotype;
  Cursor cursor(text);
  if (cursor.word() != "Genotype") {
    throw UserError(fmt::format(
        "genotype: the text begins with '{}' instead of 'Genotype(' or '{{', at character 1, {}",
        shown(text), kPythonForm));
  }
  cursor.expect('(');
  while (!cursor.take(')')) {
    const std::string where = cursor.where();
    const std::string_view field = cursor.word();
    const auto found = std::find(kFields.begin(), kFields.end(), field);
    if (found == kFields.end()) {
      throw UserError(
          fmt::format("genotype: unknown field '{}', {}, {}", shown(field), where, kPythonForm));
    }
    const auto index = static_cast<std::size_t>(found - kFields.begin());
    if (seen[index]) {
      throw UserError(
          fmt::format("genotype: field '{}' is given twice, {}, give it once", field, where));
    }
    seen[index] = true;
    cursor.expect('=');
    CellGenotype& cell = index < 2 ? genotype.normal : genotype.reduce;
    if (index % 2 == 0) {
      cell.genes = read_genes(cursor);
    } else {
      cell.concat = read_concat(cursor);
    }
    if (!cursor.take(',')) {
      cursor.expect(')');
      break;
    }
  }
  if (!cursor.at_end()) {
    cursor.fail("the end of the text");
  }
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    if (!seen[i]) {
      throw UserError(fmt::format("genotype: field '{}' is missing, before the last ')', {}",
                                  kFields[i], kPythonForm));
    }
  }
  return genotype;
}

[[noreturn]] void fail_json(std::string_view what, const std::string& where) {
  throw UserError(fmt::format("genotype: {}, {}, {}", what, where, kJsonForm));
}

/// The member of this name, refusing an object with other members than `names`.
const json& member(const json& object, const std::vector<std::string>& names, std::size_t wanted,
                   const std::string& where) {
  if (!object.is_object()) {
    fail_json("an object is missing", where);
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(names.begin(), names.end(), key) == names.end()) {
      fail_json(fmt::format("unknown key '{}'", shown(key)), where);
    }
  }
  const auto found = object.find(names[wanted]);
  if (found == object.end()) {
    fail_json(fmt::format("key '{}' is missing", names[wanted]), where);
  }
  return *found;
}

int json_state(const json& value, const std::string& where) {
  constexpr std::int64_t kLargest =
      1'000'000;  // keeps the int exact; validate() says what is legal
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<std::uint64_t>() > kLargest) ||
      value.get<std::int64_t>() < -kLargest) {
    fail_json("a state is not a small whole number", where);
  }
  return value.get<int>();
}

CellGenotype parse_cell(const json& object, const std::string& where) {
  const std::vector<std::string> names = {"genes", "concat"};
  const json& genes = member(object, names, 0, where);
  const json& concat = member(object, names, 1, where);
  if (!genes.is_array() || !concat.is_array() ||
      std::max(genes.size(), concat.size()) > kMostItems) {
    fail_json(fmt::format("genes and concat must be lists of at most {} items", kMostItems), where);
  }
  CellGenotype cell;
  for (const json& gene : genes) {
    const std::string place = fmt::format("{} gene {}", where, cell.genes.size());
    if (!gene.is_array() || gene.size() != 2 || !gene[0].is_string()) {
      fail_json("a gene is not a pair of primitive and state", place);
    }
    const Primitive primitive = known_primitive(gene[0].get_ref<const std::string&>(), place);
    cell.genes.push_back({primitive, json_state(gene[1], place)});
  }
  for (const json& state : concat) {
    cell.concat.push_back(json_state(state, where + " concat"));
  }
  return cell;
}

json parsed_json(std::string_view text) {
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    fail_json("malformed JSON", fmt::format("at character {}", error.byte));
  } catch (const json::out_of_range&) {
    fail_json("a number is too large", "somewhere in the text");
  }
}

Genotype parse_json(std::string_view text) {
  const json object = parsed_json(text);
  const std::vector<std::string> names = {"normal", "reduce"};
  return {parse_cell(member(object, names, 0, "at the top"), "in normal"),
          parse_cell(member(object, names, 1, "at the top"), "in reduce")};
}

}  // namespace

Genotype parse_genotype(std::string_view text) {
  const auto first = std::find_if_not(text.begin(), text.end(), is_space);
  if (first == text.end()) {
    throw UserError(fmt::format("genotype: the text is empty, at character 1, {}", kPythonForm));
  }
  const Genotype genotype = *first == '{' ? parse_json(text) : parse_python(text);
  validate(genotype);
  return genotype;
}

}  // namespace probedarts::space
