#pragma once

#include <string>

#include "data/dataset.hpp"

namespace probedarts::data {

/// What `data check` found. `text` is for people, `json` for programs; both hold counts per split and class, image
/// sizes, mean and sd, duplicates within and across splits (by pixel content), unreadable files, groups.
struct CheckReport {
  std::string text;
  std::string json;
  std::size_t unreadable = 0;
  std::size_t duplicates_across_splits = 0;
};

CheckReport check_dataset(const Dataset& dataset, int threads);

}  // namespace probedarts::data
