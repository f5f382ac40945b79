#pragma once

#include <cstdint>
#include <filesystem>

#include "data/image.hpp"

namespace probedarts::data {

/// The embedded data set: procedural tissue in the colours of haematoxylin and eosin.
struct SynthOptions {
  int size_px = 64;
  int train = 600, valid = 120, test = 120;  ///< images in all, spread evenly over classes
  bool multi_label = false;
  std::uint64_t seed = 1;
};

/// Writes PNG files and labels.csv (with a `group` column) below `folder`. Deterministic: equal options give equal
/// bytes of pixels. \throws UserError when the folder exists and is not empty.
void write_synthetic_dataset(const std::filesystem::path& folder, const SynthOptions& options);

/// One synthetic patch. \param tissue  class index, 0..synthetic_class_count()-1.
Image synthetic_patch(int tissue, int size_px, std::uint64_t seed, std::uint64_t index);
int synthetic_class_count();
const char* synthetic_class_name(int tissue);

}  // namespace probedarts::data
