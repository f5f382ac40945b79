#include "study/test_images.hpp"

#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "study/exact_tests.hpp"

namespace probedarts::study {
namespace {

/// Fields of one line of CSV as RFC 4180 has them; moves `at` behind it.
std::vector<std::string> next_record(const std::string& text, std::size_t& at) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char letter = text[at];
    if (letter == '"') {
      const bool twice = quoted && at + 1 < text.size() && text[at + 1] == '"';
      if (twice) {
        fields.back() += '"';
        ++at;
      } else {
        quoted = !quoted;
      }
    } else if (letter == ',' && !quoted) {
      fields.emplace_back();
    } else if (letter == '\n' && !quoted) {
      ++at;
      break;
    } else if (letter != '\r' || quoted) {
      fields.back() += letter;
    }
  }
  return fields;
}

template <class Number>
bool reads(const std::string& text, Number& value) {
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  return read.ec == std::errc{} && read.ptr == end;
}

std::optional<std::size_t> column(const std::vector<std::string>& head, const char* name) {
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (head[i] == name) {
      return i;
    }
  }
  return std::nullopt;
}

/// Sums over each group, or over each image where groups are not known.
std::vector<double> sums_of_groups(std::span<const double> values,
                                   const std::vector<std::uint64_t>& groups) {
  if (groups.empty()) {
    return {values.begin(), values.end()};
  }
  std::map<std::uint64_t, double> sums;
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[groups[i]] += values[i];
  }
  std::vector<double> list;
  list.reserve(sums.size());
  for (const auto& [group, sum] : sums) {
    list.push_back(sum);
  }
  return list;
}

std::optional<Interval> interval_of(std::span<const double> values,
                                    const std::vector<std::uint64_t>& groups) {
  return groups.empty() ? student_interval(values)
                        : bootstrap_interval_of_groups(values, groups, kBootstrapSeed);
}

std::vector<double> differences(const TestImages& first, const TestImages& second) {
  require(first.names == second.names, "only the same images are compared");
  std::vector<double> all(first.right.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = first.right[i] - second.right[i];
  }
  return all;
}

/// Of a test of these differences; `p` is its.
std::optional<Interval> interval_of_difference(const std::vector<double>& values,
                                               const std::vector<std::uint64_t>& groups, double p) {
  const std::vector<double> sums = sums_of_groups(values, groups);
  if (sums.size() > kExactPairs) {
    return widened(interval_of(values, groups), p);
  }
  const std::vector<double> ones(values.size(), 1.0);
  return sign_flip_interval(sums, sums_of_groups(ones, groups), kIntervalLevel);
}

Comparison compare(const ImageRow& a, const ImageRow& b, const CompareOptions& options) {
  const std::vector<double> values = differences(*a.images, *b.images);
  Comparison c;
  c.first = a.name;
  c.second = b.name;
  c.difference = mean_and_sd(values);
  c.pairs = sums_of_groups(values, a.images->groups).size();
  c.p = image_test_p(*a.images, *b.images, options.seed);
  c.interval = interval_of_difference(values, a.images->groups, c.p);
  return c;
}

std::string sentence_of(const Comparison& c, const TestImages& images, std::size_t comparisons) {
  const std::string where = images.groups.empty() ? fmt::format("On {} images", images.names.size())
                                                  : fmt::format("On {} images in {} groups",
                                                                images.names.size(), c.pairs);
  const std::string interval = least_sign_flip_p(c.pairs) > kIntervalLevel
                                   ? " (too few for a 95 % interval)"
                                   : interval_text(c);
  const std::string said =
      c.verdict == Verdict::kNotDistinguishable
          ? fmt::format("{} and {} are not distinguishable", c.first, c.second)
          : fmt::format("{} is {} than {}", c.first,
                        c.verdict == Verdict::kBetter ? "better" : "worse", c.second);
  return fmt::format("{}, {}: {:+.2f} points{}, {}.", where, said, 100.0 * c.difference.mean,
                     interval, p_text(c, comparisons));
}

}  // namespace

std::optional<TestImages> read_test_images(const std::filesystem::path& csv) {
  if (!std::filesystem::exists(csv)) {
    return std::nullopt;
  }
  const std::string text = read_file(csv);
  std::size_t at = 0;
  const std::vector<std::string> head = next_record(text, at);
  const auto image = column(head, "image");
  const auto group = column(head, "group");
  const auto right = column(head, "right");
  if (!image || !group || !right) {
    return std::nullopt;
  }
  TestImages images;
  std::map<std::string, std::uint64_t> numbers;
  std::uint64_t next = 0;
  bool grouped = false;
  while (at < text.size()) {
    const std::vector<std::string> fields = next_record(text, at);
    double value = 0.0;
    if (fields.size() != head.size() || !reads(fields[*right], value)) {
      throw UserError(
          fmt::format("study: '{}' is damaged; evaluate its training again", csv.string()));
    }
    images.names.push_back(fields[*image]);
    images.right.push_back(value);
    const std::string& name = fields[*group];
    const auto [place, is_new] = numbers.try_emplace(name, next);
    images.groups.push_back(is_new || name.empty() ? next++ : place->second);
    grouped = grouped || !name.empty();
  }
  if (!grouped) {
    images.groups.clear();
  }
  return images;
}

std::optional<TestImages> mean_over_runs(const std::vector<TestImages>& runs) {
  if (runs.empty()) {
    return std::nullopt;
  }
  TestImages mean = runs.front();
  for (std::size_t r = 1; r < runs.size(); ++r) {
    if (runs[r].names != mean.names) {
      return std::nullopt;
    }
    for (std::size_t i = 0; i < mean.right.size(); ++i) {
      mean.right[i] += runs[r].right[i];
    }
  }
  for (double& right : mean.right) {
    right /= static_cast<double>(runs.size());
  }
  return mean;
}

ImageScore score_of(const TestImages& images) {
  ImageScore score;
  score.accuracy = mean_and_sd(images.right).mean;
  score.images = images.names.size();
  score.groups = std::set<std::uint64_t>(images.groups.begin(), images.groups.end()).size();
  score.interval = interval_of(images.right, images.groups);
  return score;
}

double image_test_p(const TestImages& first, const TestImages& second, std::uint64_t seed) {
  return sign_flip_p(sums_of_groups(differences(first, second), first.groups), seed);
}

std::vector<Comparison> compare_on_images(const std::vector<ImageRow>& rows,
                                          const CompareOptions& options) {
  std::vector<Comparison> all;
  std::vector<const TestImages*> images;
  for (std::size_t a = 0; a < rows.size(); ++a) {
    for (std::size_t b = a + 1; b < rows.size(); ++b) {
      if (rows[a].images && rows[b].images && rows[a].data == rows[b].data &&
          rows[a].images->names == rows[b].images->names) {
        all.push_back(compare(rows[a], rows[b], options));
        images.push_back(&*rows[a].images);
      }
    }
  }
  judge_family(all, options.level);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].sentence = sentence_of(all[i], *images[i], all.size());
  }
  return all;
}

}  // namespace probedarts::study
