#include "study/search_trace.hpp"

#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "space/primitive.hpp"

namespace probedarts::study {
namespace {

enum class Step { kGoOn, kStop, kMalformed };

/// Walks over JSON text without keeping it. Whoever is handed a member or an element takes its
/// value, or skips it.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  /// \param take  (key) -> Step, behind the colon.
  Step members(const auto& take) {
    if (!eat('{')) {
      return Step::kMalformed;
    }
    if (eat('}')) {
      return Step::kGoOn;
    }
    do {
      std::string_view key;
      if (!text(key) || !eat(':')) {
        return Step::kMalformed;
      }
      if (const Step step = take(key); step != Step::kGoOn) {
        return step;
      }
    } while (eat(','));
    return eat('}') ? Step::kGoOn : Step::kMalformed;
  }

  /// \param take  () -> Step, at each element.
  Step elements(const auto& take) {
    if (!eat('[')) {
      return Step::kMalformed;
    }
    if (eat(']')) {
      return Step::kGoOn;
    }
    do {
      if (const Step step = take(); step != Step::kGoOn) {
        return step;
      }
    } while (eat(','));
    return eat(']') ? Step::kGoOn : Step::kMalformed;
  }

  /// NaN for null.
  Step number(double& value) {
    pass_space();
    if (end_ - at_ >= 4 && std::string_view(at_, 4) == "null") {
      at_ += 4;
      value = std::numeric_limits<double>::quiet_NaN();
      return Step::kGoOn;
    }
    const auto read = std::from_chars(at_, end_, value);
    at_ = read.ptr;
    return read.ec == std::errc{} ? Step::kGoOn : Step::kMalformed;
  }

  /// Passes over one value of any kind.
  Step skip() {
    pass_space();
    int depth = 0;
    do {
      if (at_ == end_) {
        return Step::kMalformed;
      }
      const char c = *at_;
      if (c == '"') {
        std::string_view ignored;
        if (!text(ignored)) {
          return Step::kMalformed;
        }
        continue;
      }
      if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
        return Step::kGoOn;  // behind a number or a word
      }
      depth += (c == '{' || c == '[') ? 1 : (c == '}' || c == ']') ? -1 : 0;
      ++at_;
    } while (depth > 0 || (at_ != end_ && is_word(*at_)));
    return Step::kGoOn;
  }

 private:
  static bool is_word(char c) {
    return c != ',' && c != '}' && c != ']' && c != ' ' && c != '\t' && c != '\r';
  }

  void pass_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r')) {
      ++at_;
    }
  }

  bool eat(char wanted) {
    pass_space();
    if (at_ == end_ || *at_ != wanted) {
      return false;
    }
    ++at_;
    return true;
  }

  /// As written, escapes and all: the keys that count have none.
  bool text(std::string_view& found) {
    if (!eat('"')) {
      return false;
    }
    const char* begin = at_;
    for (; at_ != end_ && *at_ != '"'; ++at_) {
      if (*at_ == '\\' && ++at_ == end_) {
        return false;
      }
    }
    if (at_ == end_) {
      return false;
    }
    found = {begin, static_cast<std::size_t>(at_ - begin)};
    ++at_;
    return true;
  }

  const char* at_;
  const char* end_;
};

/// Takes one line and adds it to a trace.
class LineReader {
 public:
  LineReader(std::string_view line, SearchTrace& trace) : scanner_(line), trace_(trace) {}

  /// Whether the line could be read as far as it was wanted.
  bool read() {
    const Step step = scanner_.members([&](std::string_view key) {
      const Step taken = key == "train"           ? error(train_)
                         : key == "valid"         ? error(valid_)
                         : key == "alpha_softmax" ? softmax()
                         : key == "probe"         ? stable_rank()
                                                  : scanner_.skip();
      const bool has_all = train_ && valid_ && weights_ > 0 && ranks_ > 0;
      return taken == Step::kGoOn && has_all ? Step::kStop : taken;
    });
    return step != Step::kMalformed;
  }

  std::optional<double> train_, valid_;
  std::size_t weights_ = 0, ranks_ = 0;  ///< numbers added

 private:
  Step error(std::optional<double>& into) {
    return scanner_.members([&](std::string_view key) {
      double value = 0.0;
      const Step step = key == "error" ? scanner_.number(value) : scanner_.skip();
      if (key == "error" && step == Step::kGoOn) {
        into = value;
      }
      return step;
    });
  }

  Step add_number(std::vector<float>& to, std::size_t& count) {
    double value = 0.0;
    const Step step = scanner_.number(value);
    to.push_back(static_cast<float>(value));
    ++count;
    return step;
  }

  Step softmax() {
    return scanner_.members([&](std::string_view) {
      return scanner_.elements(
          [&] { return scanner_.elements([&] { return add_number(trace_.softmax, weights_); }); });
    });
  }

  Step stable_rank() {
    Step after = Step::kGoOn;
    const Step step = scanner_.members([&](std::string_view key) {
      if (key != "stable_rank") {
        return scanner_.skip();
      }
      const Step taken = scanner_.elements([&] { return add_number(trace_.stable_rank, ranks_); });
      // The rest of the probe is four fifths of a line.
      after = taken == Step::kGoOn && train_ && valid_ && weights_ > 0 ? Step::kStop : taken;
      return after;
    });
    return step == Step::kStop ? Step::kGoOn : step;
  }

  Scanner scanner_;
  SearchTrace& trace_;
};

}  // namespace

float SearchTrace::weight(std::size_t epoch, std::size_t kind, std::size_t edge,
                          std::size_t primitive) const {
  return softmax[((epoch * 2 + kind) * edges + edge) * space::kPrimitiveCount + primitive];
}

SearchTrace read_search_trace(const std::filesystem::path& epochs_jsonl) {
  const std::string text = read_file(epochs_jsonl);
  SearchTrace trace;
  std::size_t begin = 0;
  const auto refuse = [&](const std::string& complaint) {
    throw UserError(
        fmt::format("run folder: line {} of '{}' {}; restore the file or repeat the run",
                    trace.epochs() + 1, epochs_jsonl.string(), complaint));
  };
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    LineReader line(std::string_view(text).substr(begin, end - begin), trace);
    if (!line.read()) {
      refuse("is no valid JSON");
    }
    if (!line.train_ || !line.valid_) {
      refuse("has no training and validation error");
    }
    const std::size_t edges = line.weights_ / (2 * space::kPrimitiveCount);
    if (trace.epochs() == 0) {
      trace.layers = line.ranks_;
      trace.edges = edges;
    }
    if (line.ranks_ != trace.layers || edges != trace.edges ||
        line.weights_ != edges * 2 * space::kPrimitiveCount) {
      refuse(fmt::format("has {} stable ranks and {} edge weights where {} and {} belong",
                         line.ranks_, line.weights_, trace.layers,
                         trace.edges * 2 * space::kPrimitiveCount));
    }
    trace.train_error.push_back(*line.train_);
    trace.valid_error.push_back(*line.valid_);
    begin = end + 1;
  }
  return trace;
}

}  // namespace probedarts::study
