#include "exchange/pickle.hpp"

#include <cstring>
#include <map>
#include <string>

#include <fmt/format.h>

#include "exchange/pickle_tensors.hpp"

namespace probedarts::exchange {
namespace {

using Kind = PickleValue::Kind;

/// Opcodes of protocols 2 to 5; those of one printable character are written as that below.
enum Opcode : unsigned char {
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  kByteArray8 = 0x96,
};

/// The stack machine. Values lie in one array and refer to each other by index, so that neither
/// circles nor deep nesting need recursion, here or in a destructor.
class Unpickler {
 public:
  Unpickler(std::string_view content, std::size_t begin, Allowance& allowance)
      : content_(content), at_(begin), allowance_(allowance) {}

  Pickle run() {
    for (;;) {
      const std::size_t place = at_;
      const auto opcode = static_cast<unsigned char>(take(1)[0]);
      if (opcode == '.') {
        pickle_.root = pop();
        pickle_.end = at_;
        return std::move(pickle_);
      }
      if (!number(opcode) && !text(opcode) && !container(opcode) && !stack_or_memo(opcode) &&
          !object(opcode)) {
        fail(fmt::format("uses opcode 0x{:02x} at byte {}, which PyTorch does not write", opcode,
                         place));
      }
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    refuse(allowance_.name(), "its pickle " + what);
  }

  // ---- bytes

  std::string_view take(std::uint64_t count) {
    if (count > content_.size() - at_) {
      fail("ends too early; the file is truncated or damaged");
    }
    const std::string_view taken = content_.substr(at_, count);
    at_ += count;
    return taken;
  }

  template <typename T>
  T take_number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string_view take_line() {
    const std::size_t end = content_.find('\n', at_);
    const std::string_view line =
        take(end == std::string_view::npos ? content_.size() - at_ + 1 : end - at_);
    ++at_;
    return line;
  }

  // ---- values

  PickleRef make(PickleValue value) {
    allowance_.charge(sizeof(PickleValue));
    pickle_.values.push_back(std::move(value));
    return static_cast<PickleRef>(pickle_.values.size() - 1);
  }

  void push_ref(PickleRef ref) {
    allowance_.charge(sizeof(PickleRef));
    stack_.push_back(ref);
  }

  void push(PickleValue value) { push_ref(make(std::move(value))); }
  void push(Kind kind) { push(PickleValue{kind, 0, {}, {}, nullptr}); }
  void push_integer(std::int64_t integer) {
    push(PickleValue{Kind::kInteger, integer, {}, {}, nullptr});
  }
  void push_text(Kind kind, std::string_view text) {
    push(PickleValue{kind, 0, text, {}, nullptr});
  }

  PickleValue& at(PickleRef ref) { return pickle_.values[ref]; }

  void need(std::size_t count) const {
    if (stack_.size() < (marks_.empty() ? 0 : marks_.back()) + count) {
      fail("takes more from its stack than lies on it");
    }
  }

  PickleRef pop() {
    need(1);
    const PickleRef ref = stack_.back();
    stack_.pop_back();
    return ref;
  }

  PickleRef top() const {
    need(1);
    return stack_.back();
  }

  /// The last `count` values, first to last.
  std::vector<PickleRef> pop_many(std::size_t count) {
    need(count);
    allowance_.charge(count * sizeof(PickleRef));
    std::vector<PickleRef> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  std::vector<PickleRef> pop_to_mark() {
    if (marks_.empty()) {
      fail("ends a group that it did not begin");
    }
    std::vector<PickleRef> items = pop_many(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  // ---- opcodes, in groups; false when `opcode` is of another group

  bool number(unsigned char opcode) {
    switch (opcode) {
      case 'N':
        push(Kind::kNone);
        return true;
      case kNewTrue:
      case kNewFalse:
        push_integer(opcode == kNewTrue ? 1 : 0);
        return true;
      case 'K':
        push_integer(take_number<std::uint8_t>());
        return true;
      case 'M':
        push_integer(take_number<std::uint16_t>());
        return true;
      case 'J':
        push_integer(take_number<std::int32_t>());
        return true;
      case 'G':  // a big-endian double, of no interest
        take(8);
        push(Kind::kOpaque);
        return true;
      case kLong1:
        push_long(take(take_number<std::uint8_t>()));
        return true;
      case kLong4:
        push_long(take(take_number<std::uint32_t>()));
        return true;
      default:
        return false;
    }
  }

  /// Little-endian two's complement of any length.
  void push_long(std::string_view bytes) {
    if (bytes.size() > 8) {
      push_text(Kind::kOpaque, bytes);
      return;
    }
    const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80U) != 0;
    std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    push_integer(static_cast<std::int64_t>(value));
  }

  bool text(unsigned char opcode) {
    switch (opcode) {
      case 'X':
      case 'T':  // Python 2's str
        push_text(Kind::kText, take(take_number<std::uint32_t>()));
        return true;
      case 'U':
      case kShortBinUnicode:
        push_text(Kind::kText, take(take_number<std::uint8_t>()));
        return true;
      case kBinUnicode8:
        push_text(Kind::kText, take(take_number<std::uint64_t>()));
        return true;
      case 'C':
        push_text(Kind::kOpaque, take(take_number<std::uint8_t>()));
        return true;
      case 'B':
        push_text(Kind::kOpaque, take(take_number<std::uint32_t>()));
        return true;
      case kBinBytes8:
      case kByteArray8:
        push_text(Kind::kOpaque, take(take_number<std::uint64_t>()));
        return true;
      default:
        return false;
    }
  }

  bool container(unsigned char opcode) {
    switch (opcode) {
      case '}':
        push(Kind::kDict);
        return true;
      case ']':
        push(Kind::kList);
        return true;
      case ')':
        push(Kind::kTuple);
        return true;
      case kEmptySet:
        push(Kind::kOpaque);
        return true;
      case 't':
        push(PickleValue{Kind::kTuple, 0, {}, pop_to_mark(), nullptr});
        return true;
      case kTuple1:
      case kTuple2:
      case kTuple3:
        push(PickleValue{Kind::kTuple, 0, {}, pop_many(opcode - kTuple1 + 1U), nullptr});
        return true;
      case kFrozenSet:
        pop_to_mark();
        push(Kind::kOpaque);
        return true;
      case 'a':
        add_items(Kind::kList, pop_many(1));
        return true;
      case 'e':
        add_items(Kind::kList, pop_to_mark());
        return true;
      case kAddItems:
        pop_to_mark();
        return true;
      case 's':
        add_items(Kind::kDict, pop_many(2));
        return true;
      case 'u':
        add_items(Kind::kDict, pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  void add_items(Kind kind, const std::vector<PickleRef>& items) {
    PickleValue& target = at(top());
    if (target.kind == Kind::kOpaque) {
      return;  // a Counter or the like, whose items nobody asks for
    }
    if (target.kind != kind || (kind == Kind::kDict && items.size() % 2 != 0)) {
      fail(kind == Kind::kDict ? "sets items of something that is no dictionary"
                               : "appends to something that is no list");
    }
    allowance_.charge(items.size() * sizeof(PickleRef));
    target.items.insert(target.items.end(), items.begin(), items.end());
  }

  bool stack_or_memo(unsigned char opcode) {
    switch (opcode) {
      case kProto:
        if (const auto protocol = take_number<std::uint8_t>(); protocol < 2 || protocol > 5) {
          fail(fmt::format("has protocol {}; known are 2 to 5", protocol));
        }
        return true;
      case kFrame:  // a hint for reading ahead
        take_number<std::uint64_t>();
        return true;
      case '(':
        allowance_.charge(sizeof(std::size_t));
        marks_.push_back(stack_.size());
        return true;
      case '0':
        pop();
        return true;
      case '1':
        pop_to_mark();
        return true;
      case '2':
        push_ref(top());
        return true;
      case 'q':
        remember(take_number<std::uint8_t>());
        return true;
      case 'r':
        remember(take_number<std::uint32_t>());
        return true;
      case kMemoize:
        remember(static_cast<std::uint32_t>(memo_.size()));
        return true;
      case 'h':
        recall(take_number<std::uint8_t>());
        return true;
      case 'j':
        recall(take_number<std::uint32_t>());
        return true;
      default:
        return false;
    }
  }

  void remember(std::uint32_t slot) {
    allowance_.charge(sizeof(PickleValue));  // about what a node of the map takes
    memo_[slot] = top();
  }

  void recall(std::uint32_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) {
      fail(fmt::format("recalls value {}, which it never stored", slot));
    }
    push_ref(found->second);
  }

  bool object(unsigned char opcode) {
    switch (opcode) {
      case 'c': {
        const std::string_view module = take_line();
        push_global(module, take_line());
        return true;
      }
      case kStackGlobal: {
        const PickleRef name = pop();
        const PickleRef module = pop();
        if (at(name).kind != Kind::kText || at(module).kind != Kind::kText) {
          fail("asks for a name that is no text");
        }
        push_global(at(module).text, at(name).text);
        return true;
      }
      case kNewObjEx:
        pop();  // keyword arguments
        [[fallthrough]];
      case 'R':
      case kNewObj: {
        const PickleRef arguments = pop();
        const PickleRef called = pop();
        push_ref(call(called, arguments));
        return true;
      }
      case 'b':
        build();
        return true;
      case 'Q':
        push_ref(make(pickled_storage(pickle_, pop(), allowance_)));
        return true;
      default:
        return false;
    }
  }

  void push_global(std::string_view module, std::string_view name) {
    const PickleGlobal* found = find_pickle_global(module, name);
    if (found == nullptr) {
      refuse(allowance_.name(),
             fmt::format("it asks for '{}.{}', which is no tensor and no plain container; nothing "
                         "of it was executed; save model.state_dict() alone",
                         printable(module), printable(name)));
    }
    push(PickleValue{Kind::kGlobal, 0, {}, {}, found});
  }

  /// State of a dictionary (`_metadata`) or of a tensor (attributes) is of no interest.
  void build() {
    pop();
    const Kind kind = at(top()).kind;
    if (kind != Kind::kDict && kind != Kind::kTensor && kind != Kind::kOpaque) {
      fail("sets the state of something that has none");
    }
  }

  PickleRef call(PickleRef called, PickleRef arguments) {
    const PickleGlobal* global = at(called).global;
    if (global == nullptr || at(arguments).kind != Kind::kTuple) {
      fail("calls something that is no name");
    }
    switch (global->role) {
      case PickleRole::kOpaque:
        return make(PickleValue{Kind::kOpaque, 0, {}, {}, nullptr});
      case PickleRole::kTuple:
        return make_tuple(arguments);
      case PickleRole::kDict:
        return make_dict(arguments);
      case PickleRole::kStorageType:
      case PickleRole::kDtype:
        fail(fmt::format("calls '{}.{}'", global->module, global->name));
      default:
        return rebuild(*global, arguments);
    }
  }

  /// A tensor that one of the rebuilders makes of its arguments.
  PickleRef rebuild(const PickleGlobal& global, PickleRef arguments) {
    if (global.role == PickleRole::kRebuildTensor || global.role == PickleRole::kRebuildTensorV3) {
      return make(pickled_tensor(pickle_, at(arguments).items, global.role, allowance_));
    }
    const std::vector<PickleRef>& items = at(arguments).items;
    if (global.role == PickleRole::kRebuildFromType) {
      // (rebuilder, class, arguments, state). One level only: it never rebuilds itself.
      const bool usual = items.size() >= 3 && at(items[0]).global != nullptr &&
                         at(items[1]).global != nullptr &&
                         at(items[1]).global->role == PickleRole::kTensorClass &&
                         at(items[0]).global->role != PickleRole::kRebuildFromType &&
                         at(items[2]).kind == Kind::kTuple;
      if (!usual) {
        fail("rebuilds a tensor of an unknown class");
      }
      return call(items[0], items[2]);
    }
    if (items.empty() || at(items[0]).kind != Kind::kTensor) {
      fail("makes a parameter of something that is no tensor");
    }
    return items[0];
  }

  /// torch.Size((2, 3)) is its argument.
  PickleRef make_tuple(PickleRef arguments) {
    const std::vector<PickleRef>& items = at(arguments).items;
    if (items.size() != 1 || at(items[0]).kind != Kind::kTuple) {
      fail("makes a size of something that is no tuple");
    }
    return items[0];
  }

  /// OrderedDict(), or OrderedDict([[key, value], ...]) as Python 2 wrote it; defaultdict(factory).
  PickleRef make_dict(PickleRef arguments) {
    PickleValue dict{Kind::kDict, 0, {}, {}, nullptr};
    const std::vector<PickleRef>& items = at(arguments).items;
    if (!items.empty() && at(items[0]).kind == Kind::kList) {
      for (const PickleRef pair : at(items[0]).items) {
        if (at(pair).items.size() != 2) {
          fail("makes a dictionary of something that is no list of pairs");
        }
        allowance_.charge(2 * sizeof(PickleRef));
        dict.items.insert(dict.items.end(), at(pair).items.begin(), at(pair).items.end());
      }
    }
    return make(std::move(dict));
  }

  std::string_view content_;
  std::size_t at_;
  Allowance& allowance_;
  Pickle pickle_;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint32_t, PickleRef> memo_;  // no hash table: the file chooses the slots
};

}  // namespace

Pickle parse_pickle(std::string_view content, std::size_t begin, Allowance& allowance) {
  return Unpickler(content, begin, allowance).run();
}

}  // namespace probedarts::exchange
