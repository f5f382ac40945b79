#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/loader.hpp"

/// Patches of equal content (pixels at training size) under different names: what would make
/// a measurement see what was learned.
namespace probedarts::data {

/// Names of the images of a split, in the order of the cache.
std::vector<std::string> cached_names(const Dataset& dataset, const PatchCache& cache, Split split);

/// For each patch of a split the place of the first with the same content: its own where none came
/// before. Cost: one hash of the split's pixels.
std::vector<std::size_t> first_equals(const PatchCache& cache, Split split);

/// One sentence about images of the valid split whose content the train split holds too, with their
/// number and the first pair; nothing where there is none.
std::optional<std::string> shared_images_sentence(const Dataset& dataset, const PatchCache& cache);

}  // namespace probedarts::data
