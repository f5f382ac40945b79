#pragma once

#include <cstddef>
#include <string>

#include "data/dataset.hpp"

namespace probedarts::data {

/// What `data check` found. `text` is for people, `json` for programs (its keys: docs/data.md).
/// Both hold counts per split and class, groups, image sizes, mean and sd per channel (over all
/// pixels of the readable images of a split, 0..1), duplicates (equal decoded pixels and size),
/// unreadable files.
struct CheckReport {
  std::string text;
  std::string json;
  std::size_t unreadable = 0;                ///< images
  std::size_t duplicates_within_splits = 0;  ///< contents that one split holds more than once
  std::size_t duplicates_across_splits = 0;  ///< contents that more than one split holds
  std::size_t conflicting_labels = 0;        ///< contents that carry different labels
};

/// Reads every image of `dataset` once, on `threads` threads; the report does not depend on their
/// number. Unreadable images are counted and listed, not thrown.
/// \throws UserError when a CIFAR batch cannot be read.
CheckReport check_dataset(const Dataset& dataset, int threads);

}  // namespace probedarts::data
