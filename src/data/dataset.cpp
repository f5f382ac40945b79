#include "data/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/random.hpp"
#include "data/layouts.hpp"

namespace probedarts::data {
namespace {

void check_root(const std::filesystem::path& root) {
  std::error_code error;
  if (!std::filesystem::exists(root, error)) {
    throw UserError(
        fmt::format("{}: there is no such folder; give the folder of the data set", root.string()));
  }
  if (!is_folder(root)) {
    throw UserError(
        fmt::format("{}: this is a file; give the folder of the data set", root.string()));
  }
  if (list_folder(root).empty()) {
    throw UserError(
        fmt::format("{}: the folder is empty; put the images of each class into a "
                    "folder of its name",
                    root.string()));
  }
}

/// The first layout that fits. CIFAR comes before labels.csv because a copy may carry both.
std::string detect_layout(const std::filesystem::path& root) {
  if (has_cifar(root)) {
    return "cifar";
  }
  if (has_adp(root)) {
    return "adp";
  }
  if (is_file(root / "labels.csv")) {
    return "csv";
  }
  if (has_bcss(root)) {
    return "bcss";
  }
  return has_lists(root) ? "lists" : "folders";
}

Dataset open_layout(const std::string& layout, const std::filesystem::path& root,
                    const DatasetOptions& options) {
  if (layout == "folders") {
    return open_folders(root);
  }
  if (layout == "csv") {
    return open_labels_csv(root, options);
  }
  if (layout == "cifar") {
    return open_cifar(root);
  }
  if (layout == "adp") {
    return open_adp(root, options);
  }
  if (layout == "bcss") {
    return open_bcss(root);
  }
  if (layout == "lists") {
    return open_lists(root);
  }
  throw UserError(fmt::format(
      "layout '{}' is unknown; use auto, folders, csv, cifar, adp, bcss or lists", layout));
}

void sort_samples(Dataset& dataset) {
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    std::vector<Sample>& samples = dataset.of(split);
    if (dataset.layout == "cifar") {
      continue;  // batch by batch, as recorded
    }
    std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
      return a.file.generic_string() < b.file.generic_string();
    });
  }
}

std::vector<std::size_t> images_per_class(const Dataset& dataset,
                                          const std::vector<Sample>& samples) {
  std::vector<std::size_t> count(dataset.classes.size());
  for (const Sample& sample : samples) {
    if (dataset.kind == LabelKind::kSingle) {
      ++count[static_cast<std::size_t>(sample.label)];
    } else {
      for (std::size_t k = 0; k < count.size(); ++k) {
        count[k] += sample.labels[k];
      }
    }
  }
  return count;
}

/// A class that training never sees cannot be learnt. A set without training images is for
/// evaluation only; the class names of CIFAR and ADP are fixed, so that an excerpt of them may well
/// lack some, but not one that is asked for.
void check_classes(const Dataset& dataset) {
  if (dataset.classes.size() < 2) {
    throw UserError(fmt::format("{}: '{}' is the only class; give images of at least two classes",
                                dataset.root.string(), fmt::join(dataset.classes, "")));
  }
  if (dataset.train.empty()) {
    return;
  }
  const bool fixed_names = dataset.layout == "cifar" || dataset.layout == "adp";
  const auto count = images_per_class(dataset, dataset.train);
  const auto valid = images_per_class(dataset, dataset.valid);
  const auto test = images_per_class(dataset, dataset.test);
  for (std::size_t k = 0; k < count.size(); ++k) {
    if (count[k] == 0 && (!fixed_names || valid[k] + test[k] > 0)) {
      throw UserError(
          fmt::format("{}: class '{}' has no image in the train split; add images or "
                      "remove the class",
                      dataset.root.string(), dataset.classes[k]));
    }
  }
}

/// Images that must stay together, in the order of their first one: a group, or a single image that
/// has none.
std::vector<std::vector<std::size_t>> units_of(const std::vector<Sample>& samples) {
  std::vector<std::vector<std::size_t>> units;
  std::map<std::string, std::size_t> unit_of;
  for (std::size_t k = 0; k < samples.size(); ++k) {
    if (samples[k].group.empty()) {
      units.push_back({k});
      continue;
    }
    const auto [unit, fresh] = unit_of.emplace(samples[k].group, units.size());
    if (fresh) {
      units.emplace_back();
    }
    units[unit->second].push_back(k);
  }
  return units;
}

/// Moves whole units, in a random order, from train to valid until round(share * images) images
/// have gone. A unit that would overshoot, or would leave train without one of its classes, stays.
void split_off_valid(Dataset& dataset, double share, std::uint64_t seed) {
  const auto wanted =
      static_cast<std::size_t>(std::llround(share * static_cast<double>(dataset.train.size())));
  const auto units = units_of(dataset.train);
  Stream stream(seed, "valid split");
  std::vector<char> moved(dataset.train.size(), 0);
  auto left = images_per_class(dataset, dataset.train);
  std::size_t count = 0;
  for (const std::size_t unit : random_order(units.size(), stream)) {
    std::vector<Sample> members;
    for (const std::size_t k : units[unit]) {
      members.push_back(dataset.train[k]);
    }
    const auto taken = images_per_class(dataset, members);
    bool spares = true;
    for (std::size_t k = 0; k < taken.size(); ++k) {
      spares = spares && (taken[k] == 0 || left[k] > taken[k]);
    }
    if (count + members.size() > wanted || !spares) {
      continue;
    }
    count += members.size();
    for (std::size_t k = 0; k < taken.size(); ++k) {
      left[k] -= taken[k];
    }
    for (const std::size_t k : units[unit]) {
      moved[k] = 1;
    }
  }
  if (count == 0) {
    throw UserError(
        fmt::format("{}: a valid share of {} takes no image or group out of train; "
                    "choose another share",
                    dataset.root.string(), share));
  }
  std::vector<Sample> train;
  for (std::size_t k = 0; k < dataset.train.size(); ++k) {
    (moved[k] != 0 ? dataset.valid : train).push_back(std::move(dataset.train[k]));
  }
  dataset.train = std::move(train);
}

}  // namespace

std::string_view name_of(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValid:
      return "valid";
    case Split::kTest:
      return "test";
  }
  report_bug("name_of: no such split", __FILE__, __LINE__);
}

std::string image_name(const Dataset& dataset, const Sample& sample) {
  const std::string file = sample.file.lexically_proximate(dataset.root).generic_string();
  return sample.record < 0 ? file : fmt::format("{} record {}", file, sample.record);
}

Split split_of_flag(std::string_view name) {
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    if (name_of(split) == name) {
      return split;
    }
  }
  throw UserError(fmt::format("--split: '{}' is unknown; use one of train, valid, test", name));
}

const std::vector<Sample>& Dataset::of(Split split) const {
  return split == Split::kTrain ? train : split == Split::kValid ? valid : test;
}

std::vector<Sample>& Dataset::of(Split split) {
  return split == Split::kTrain ? train : split == Split::kValid ? valid : test;
}

Dataset open_dataset(const std::filesystem::path& root, const DatasetOptions& options) {
  if (!(options.valid_share >= 0.0 && options.valid_share < 1.0)) {
    throw UserError(
        fmt::format("valid share {} is outside 0..1; give the share of the training "
                    "images to validate on, for example 0.2",
                    options.valid_share));
  }
  check_root(root);
  Dataset dataset =
      open_layout(options.layout == "auto" ? detect_layout(root) : options.layout, root, options);
  dataset.root = root;
  sort_samples(dataset);
  check_classes(dataset);
  if (dataset.valid.empty() && !dataset.train.empty() && options.valid_share > 0.0) {
    split_off_valid(dataset, options.valid_share, options.seed);
  }
  return dataset;
}

}  // namespace probedarts::data
