#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/image.hpp"

/// The embedded data set: procedural tissue in the colours of haematoxylin and eosin. Source: ours.
/// It stands in for histology where no data are at hand (tests, demo); networks trained on it say
/// nothing about real tissue.
namespace probedarts::data {

struct SynthOptions {
  int size_px = 64;
  int train = 600, valid = 120, test = 120;  ///< images in all, spread evenly over classes
  bool multi_label = false;
  std::uint64_t seed = 1;
};

/// Writes PNG files and labels.csv below `folder`: columns file, split, label, group, or file,
/// split, one 0/1 column for each class, group. A group is a synthetic patient with a stain of its
/// own and belongs to one split. Deterministic: equal options give equal pixels on every machine.
/// The folder appears whole or not at all. \throws UserError when it exists and is not empty,
/// cannot be written, or the options make no data set; Interrupted after a signal. Cost: about 5 ms
/// per image of 64 px.
void write_synthetic_dataset(const std::filesystem::path& folder, const SynthOptions& options);

/// One synthetic patch, a field of 128 um at any size.
/// \param tissue   class index, 0..synthetic_class_count()-1
/// \param patient  whose stain it has: patches of one patient share colours, whatever they show
/// \throws Bug when tissue or size is out of range.
Image synthetic_patch(int tissue, int size_px, std::uint64_t seed, std::uint64_t index,
                      std::uint64_t patient = 0);

/// Several tissues in one patch, and which of them cover at least 15 % of it.
struct SyntheticMixture {
  Image image;
  std::vector<std::uint8_t> labels;  ///< one 0/1 per class, at least one 1
};
SyntheticMixture synthetic_mixture(int size_px, std::uint64_t seed, std::uint64_t index,
                                   std::uint64_t patient = 0);

int synthetic_class_count();
const char* synthetic_class_name(int tissue);

}  // namespace probedarts::data
