#include "data/check.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "data/cifar.hpp"
#include "data/image.hpp"
#include "data/parallel.hpp"

namespace probedarts::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kSplits = {Split::kTrain, Split::kValid, Split::kTest};
constexpr std::size_t kLinesShown = 10;

/// One image after reading.
struct Finding {
  const Sample* sample = nullptr;
  Split split = Split::kTrain;
  std::string unreadable;  ///< why; empty when it was read
  int height = 0;
  int width = 0;
  std::string pixels_hash;
  // Whole numbers, so that sums do not depend on the order of adding.
  std::array<std::uint64_t, 3> sum{};
  std::array<std::uint64_t, 3> sum_of_squares{};
};

/// Images with equal pixels.
using DuplicateSet = std::vector<const Finding*>;

struct SplitSummary {
  std::size_t images = 0;
  std::size_t unreadable = 0;
  std::size_t without_class = 0;  ///< multi-label: no class at all
  std::size_t without_group = 0;
  std::vector<std::size_t> per_class;
  std::set<std::string> groups;
  std::uint64_t pixels = 0;
  std::array<std::uint64_t, 3> sum{};
  std::array<std::uint64_t, 3> sum_of_squares{};

  double mean(std::size_t channel) const {
    return pixels == 0 ? 0.0
                       : static_cast<double>(sum[channel]) / static_cast<double>(pixels) / 255.0;
  }
  double sd(std::size_t channel) const {
    if (pixels == 0) {
      return 0.0;
    }
    const double of_squares =
        static_cast<double>(sum_of_squares[channel]) / static_cast<double>(pixels) / 65025.0;
    return std::sqrt(std::max(0.0, of_squares - mean(channel) * mean(channel)));
  }
};

struct Summary {
  std::map<Split, SplitSummary> splits;
  std::vector<std::pair<std::pair<int, int>, std::size_t>> sizes;  ///< (width, height), most first
  std::vector<DuplicateSet> duplicates;
  std::vector<const Finding*> unreadable;
};

void measure(const Image& image, Finding& finding) {
  finding.height = image.height;
  finding.width = image.width;
  finding.pixels_hash = content_hash(
      std::string_view(reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()));
  for (std::size_t k = 0; k < image.rgb.size(); ++k) {
    const std::uint64_t value = image.rgb[k];
    finding.sum[k % 3] += value;
    finding.sum_of_squares[k % 3] += value * value;
  }
}

std::vector<Finding> read_all(const Dataset& dataset, int threads) {
  std::vector<Finding> findings;
  std::map<std::filesystem::path, std::string> batches;
  for (const Split split : kSplits) {
    for (const Sample& sample : dataset.of(split)) {
      Finding finding;
      finding.sample = &sample;
      finding.split = split;
      findings.push_back(std::move(finding));
      if (sample.record >= 0 && batches.count(sample.file) == 0) {
        batches[sample.file] = read_file(sample.file);
      }
    }
  }
  parallel_in_order(findings.size(), threads, [&](std::size_t k) {
    const Sample& sample = *findings[k].sample;
    try {
      measure(sample.record < 0
                  ? read_image(sample.file)
                  : cifar_image(batches.at(sample.file), dataset.cifar_label_bytes, sample.record),
              findings[k]);
    } catch (const UserError& error) {
      findings[k].unreadable = error.what();  // counted and listed: this is what `check` is for
    }
  });
  return findings;
}

void count_labels(const Dataset& dataset, const Sample& sample, SplitSummary& split) {
  if (dataset.kind == LabelKind::kSingle) {
    ++split.per_class[static_cast<std::size_t>(sample.label)];
    return;
  }
  bool any = false;
  for (std::size_t k = 0; k < sample.labels.size(); ++k) {
    split.per_class[k] += sample.labels[k];
    any = any || sample.labels[k] != 0;
  }
  split.without_class += any ? 0 : 1;
}

void add(const Dataset& dataset, const Finding& finding, SplitSummary& split) {
  ++split.images;
  count_labels(dataset, *finding.sample, split);
  if (finding.sample->group.empty()) {
    ++split.without_group;
  } else {
    split.groups.insert(finding.sample->group);
  }
  if (!finding.unreadable.empty()) {
    ++split.unreadable;
    return;
  }
  split.pixels +=
      static_cast<std::uint64_t>(finding.height) * static_cast<std::uint64_t>(finding.width);
  for (std::size_t channel = 0; channel < 3; ++channel) {
    split.sum[channel] += finding.sum[channel];
    split.sum_of_squares[channel] += finding.sum_of_squares[channel];
  }
}

Summary summarize(const Dataset& dataset, const std::vector<Finding>& findings) {
  Summary summary;
  for (const Split split : kSplits) {
    summary.splits[split].per_class.resize(dataset.classes.size());
  }
  std::map<std::pair<int, int>, std::size_t> sizes;
  std::map<std::string, std::size_t> place_of;
  std::vector<DuplicateSet> contents;  // in the order of their first image
  for (const Finding& finding : findings) {
    add(dataset, finding, summary.splits[finding.split]);
    if (!finding.unreadable.empty()) {
      summary.unreadable.push_back(&finding);
      continue;
    }
    ++sizes[{finding.width, finding.height}];
    const auto [place, fresh] = place_of.emplace(
        fmt::format("{}x{} {}", finding.width, finding.height, finding.pixels_hash),
        contents.size());
    if (fresh) {
      contents.emplace_back();
    }
    contents[place->second].push_back(&finding);
  }
  std::copy_if(contents.begin(), contents.end(), std::back_inserter(summary.duplicates),
               [](const DuplicateSet& set) { return set.size() > 1; });
  summary.sizes.assign(sizes.begin(), sizes.end());
  std::stable_sort(summary.sizes.begin(), summary.sizes.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return summary;
}

std::size_t splits_in(const DuplicateSet& set) {
  std::set<Split> splits;
  for (const Finding* finding : set) {
    splits.insert(finding->split);
  }
  return splits.size();
}

bool labels_differ(const DuplicateSet& set) {
  return std::any_of(set.begin(), set.end(), [&](const Finding* finding) {
    return finding->sample->label != set.front()->sample->label ||
           finding->sample->labels != set.front()->sample->labels;
  });
}

Json json_of(const Dataset& dataset, const SplitSummary& split) {
  Json per_class = Json::object();
  for (std::size_t k = 0; k < dataset.classes.size(); ++k) {
    per_class[dataset.classes[k]] = split.per_class[k];
  }
  Json json = {{"images", split.images},        {"unreadable", split.unreadable},
               {"per_class", per_class},        {"without_class", split.without_class},
               {"groups", split.groups.size()}, {"without_group", split.without_group}};
  if (split.pixels > 0) {
    json["mean"] = {split.mean(0), split.mean(1), split.mean(2)};
    json["sd"] = {split.sd(0), split.sd(1), split.sd(2)};
  }
  return json;
}

std::string write_json(const Dataset& dataset, const Summary& summary, const CheckReport& report) {
  Json json = {{"root", dataset.root.string()},
               {"layout", dataset.layout},
               {"labels", dataset.kind == LabelKind::kSingle ? "single" : "multi"},
               {"classes", dataset.classes},
               {"splits", Json::object()},
               {"sizes", Json::array()}};
  for (const auto& [split, counts] : summary.splits) {
    json["splits"][std::string(name_of(split))] = json_of(dataset, counts);
  }
  for (const auto& [size, images] : summary.sizes) {
    json["sizes"].push_back({{"width", size.first}, {"height", size.second}, {"images", images}});
  }
  Json sets = Json::array();
  for (const DuplicateSet& set : summary.duplicates) {
    Json members = Json::array();
    for (const Finding* finding : set) {
      members.push_back(
          {{"image", image_name(dataset, *finding->sample)}, {"split", name_of(finding->split)}});
    }
    sets.push_back(members);
  }
  json["duplicates"] = {{"within_splits", report.duplicates_within_splits},
                        {"across_splits", report.duplicates_across_splits},
                        {"conflicting_labels", report.conflicting_labels},
                        {"sets", sets}};
  json["unreadable"] = Json::array();
  for (const Finding* finding : summary.unreadable) {
    json["unreadable"].push_back({{"image", image_name(dataset, *finding->sample)},
                                  {"split", name_of(finding->split)},
                                  {"why", finding->unreadable}});
  }
  // File names need not be UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// The table of counts: one column per split.
class CountTable {
 public:
  CountTable(const Summary& summary, std::size_t name_width)
      : summary_(summary), name_width_(name_width) {
    text_ = fmt::format("{:{}}", "", name_width_);
    for (const Split split : kSplits) {
      text_ += fmt::format("{:>9}", name_of(split));
    }
    text_ += "\n";
  }

  template <typename Count>
  void row(const std::string& name, Count count) {
    text_ += fmt::format("{:{}}", name, name_width_);
    for (const auto& [split, counts] : summary_.splits) {
      text_ += fmt::format("{:>9}", count(counts));
    }
    text_ += "\n";
  }

  const std::string& text() const { return text_; }

 private:
  const Summary& summary_;
  std::size_t name_width_;
  std::string text_;
};

std::string count_table(const Dataset& dataset, const Summary& summary) {
  std::size_t width = 20;
  for (const std::string& name : dataset.classes) {
    width = std::max(width, name.size() + 3);
  }
  CountTable table(summary, width);
  table.row("images", [](const SplitSummary& split) { return split.images; });
  for (std::size_t k = 0; k < dataset.classes.size(); ++k) {
    table.row("  " + dataset.classes[k],
              [k](const SplitSummary& split) { return split.per_class[k]; });
  }
  if (dataset.kind == LabelKind::kMulti) {
    table.row("  (no class)", [](const SplitSummary& split) { return split.without_class; });
  }
  table.row("unreadable", [](const SplitSummary& split) { return split.unreadable; });
  const bool grouped = std::any_of(summary.splits.begin(), summary.splits.end(),
                                   [](const auto& split) { return !split.second.groups.empty(); });
  if (grouped) {
    table.row("groups", [](const SplitSummary& split) { return split.groups.size(); });
    table.row("without group", [](const SplitSummary& split) { return split.without_group; });
  }
  return table.text() + (grouped ? "" : "groups: none given\n");
}

/// At most kLinesShown lines, and how many were left out.
std::string first_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t k = 0; k < std::min(lines.size(), kLinesShown); ++k) {
    text += "  " + lines[k] + "\n";
  }
  if (lines.size() > kLinesShown) {
    text += fmt::format("  and {} more\n", lines.size() - kLinesShown);
  }
  return text;
}

std::string size_lines(const Summary& summary) {
  std::vector<std::string> lines;
  for (const auto& [size, images] : summary.sizes) {
    lines.push_back(fmt::format("{} x {}: {}", size.first, size.second, images));
  }
  return "sizes in pixels (width x height: images)\n" + first_lines(lines);
}

std::string colour_lines(const Summary& summary) {
  std::string text = "mean and sd of red, green, blue (0..1)\n";
  for (const auto& [split, counts] : summary.splits) {
    if (counts.pixels > 0) {
      text += fmt::format("  {:6} {:.4f} {:.4f} {:.4f}   {:.4f} {:.4f} {:.4f}\n", name_of(split),
                          counts.mean(0), counts.mean(1), counts.mean(2), counts.sd(0),
                          counts.sd(1), counts.sd(2));
    }
  }
  return text;
}

std::string duplicate_lines(const Dataset& dataset, const Summary& summary,
                            const CheckReport& report) {
  std::vector<std::string> lines;
  for (const DuplicateSet& set : summary.duplicates) {
    std::vector<std::string> members;
    for (const Finding* finding : set) {
      members.push_back(
          fmt::format("{} ({})", image_name(dataset, *finding->sample), name_of(finding->split)));
    }
    lines.push_back(fmt::format("{}", fmt::join(members, " = ")));
  }
  // Those across splits matter most: they let the test split leak into training.
  std::vector<std::size_t> order(lines.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    order[k] = k;
  }
  std::stable_partition(order.begin(), order.end(),
                        [&](std::size_t k) { return splits_in(summary.duplicates[k]) > 1; });
  std::vector<std::string> ordered;
  for (const std::size_t k : order) {
    ordered.push_back(lines[k]);
  }
  return fmt::format(
             "duplicates by content: {} across splits, {} within a split, {} with "
             "conflicting labels\n",
             report.duplicates_across_splits, report.duplicates_within_splits,
             report.conflicting_labels) +
         first_lines(ordered);
}

std::string unreadable_lines(const Summary& summary) {
  std::vector<std::string> lines;
  for (const Finding* finding : summary.unreadable) {
    lines.push_back(finding->unreadable);
  }
  return fmt::format("unreadable images: {}\n", lines.size()) + first_lines(lines);
}

}  // namespace

CheckReport check_dataset(const Dataset& dataset, int threads) {
  const std::vector<Finding> findings = read_all(dataset, threads);
  const Summary summary = summarize(dataset, findings);
  CheckReport report;
  report.unreadable = summary.unreadable.size();
  for (const DuplicateSet& set : summary.duplicates) {
    const std::size_t splits = splits_in(set);
    report.duplicates_across_splits += splits > 1 ? 1 : 0;
    report.duplicates_within_splits += set.size() > splits ? 1 : 0;
    report.conflicting_labels += labels_differ(set) ? 1 : 0;
  }
  report.json = write_json(dataset, summary, report);
  report.text = fmt::format("{}: {}, {}, {} classes\n", dataset.root.string(), dataset.layout,
                            dataset.kind == LabelKind::kSingle ? "one class per image"
                                                               : "any number of classes per image",
                            dataset.classes.size()) +
                count_table(dataset, summary) + size_lines(summary) + colour_lines(summary) +
                duplicate_lines(dataset, summary, report) + unreadable_lines(summary);
  return report;
}

}  // namespace probedarts::data
