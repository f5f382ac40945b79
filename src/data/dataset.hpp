#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace probedarts::data {

/// One image has one class, or any number of them.
enum class LabelKind { kSingle, kMulti };

enum class Split { kTrain, kValid, kTest };
std::string_view name_of(Split split);  ///< "train", "valid", "test"
/// What --split names. \throws UserError for anything but those three.
Split split_of_flag(std::string_view name);

/// One image of a data set, not yet read.
struct Sample {
  std::filesystem::path file;        ///< an image, or the batch file that holds a CIFAR record
  std::int64_t record = -1;          ///< record number inside `file` for CIFAR, else -1
  std::int32_t label = 0;            ///< single label
  std::vector<std::uint8_t> labels;  ///< multi-label: one 0/1 per class; else empty
  std::string group;                 ///< patient or slide; empty when not given
};

/// A data set on disk: classes and, per split, samples in a fixed order that does not depend on the
/// file system.
struct Dataset {
  std::filesystem::path root;
  std::string layout;  ///< "class folders", "labels.csv", "cifar", "adp", "bcss", "lists"
  LabelKind kind = LabelKind::kSingle;
  std::vector<std::string> classes;
  std::vector<Sample> train, valid, test;
  /// 1 (CIFAR-10) or 2 (CIFAR-100): label bytes before the 3072 pixel bytes of a record; else 0.
  int cifar_label_bytes = 0;
  const std::vector<Sample>& of(Split split) const;
  std::vector<Sample>& of(Split split);
};

/// An image as people name it: its path below the root of the data set, and which record of it.
std::string image_name(const Dataset& dataset, const Sample& sample);

/// What `open_dataset` may need to be told.
struct DatasetOptions {
  std::string layout = "auto";   ///< auto, folders, csv, cifar, adp, bcss, lists
  std::string adp_level = "L3";  ///< L1, L2, L3
  /// Multi-label columns of labels.csv. Empty: the unbroken run of 0/1 columns right after `split`.
  std::vector<std::string> label_columns;
  std::string group_column = "group";  ///< column of labels.csv with the patient or slide
  /// Share of train split off when the data set has no valid split: whole groups where known, no
  /// more images than asked for, and no class taken out of train.
  double valid_share = 0.0;
  std::uint64_t seed = 0;  ///< for that split
};

/// Finds out which layout `root` has (docs/data.md) and lists its samples, sorted by path (CIFAR:
/// as recorded). Images must be there but are not opened. \throws UserError one sentence for a
/// missing or empty folder, a class without images, a single class, CSV faults,
///         an index out of range in a split file, a group cut by a split.
Dataset open_dataset(const std::filesystem::path& root, const DatasetOptions& options = {});

}  // namespace probedarts::data
