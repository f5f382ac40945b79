#include "data/equal_patches.hpp"

#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "core/errors.hpp"
#include "core/files.hpp"

namespace probedarts::data {
namespace {

std::string content_of(const PatchCache& cache, Split split, std::size_t index) {
  const auto side = static_cast<std::size_t>(cache.size_px());
  const std::uint8_t* pixels = cache.pixels(split, index);
  return content_hash({reinterpret_cast<const char*>(pixels), 3 * side * side});
}

}  // namespace

std::vector<std::string> cached_names(const Dataset& dataset, const PatchCache& cache,
                                      Split split) {
  const std::set<std::string> missing(cache.unreadable().begin(), cache.unreadable().end());
  std::vector<std::string> names;
  for (const Sample& sample : dataset.of(split)) {
    if (missing.count(sample.file.string()) == 0) {
      names.push_back(image_name(dataset, sample));
    }
  }
  require(names.size() == cache.count(split), "one name for each cached image");
  return names;
}

std::vector<std::size_t> first_equals(const PatchCache& cache, Split split) {
  std::map<std::string, std::size_t> first;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < cache.count(split); ++i) {
    places.push_back(first.try_emplace(content_of(cache, split, i), i).first->second);
  }
  return places;
}

std::optional<std::string> shared_images_sentence(const Dataset& dataset, const PatchCache& cache) {
  std::map<std::string, std::size_t> learned;
  const std::size_t valid = cache.count(Split::kValid);
  for (std::size_t i = 0; valid > 0 && i < cache.count(Split::kTrain); ++i) {
    learned.try_emplace(content_of(cache, Split::kTrain, i), i);
  }
  std::vector<std::pair<std::size_t, std::size_t>> shared;  // places in valid and train
  for (std::size_t i = 0; i < valid; ++i) {
    const auto same = learned.find(content_of(cache, Split::kValid, i));
    if (same != learned.end()) {
      shared.emplace_back(i, same->second);
    }
  }
  if (shared.empty()) {
    return std::nullopt;
  }
  return fmt::format(
      "{} of {} images of the valid split are in the train split too, '{}' as '{}' for one; find "
      "them with: probedarts data check {}",
      shared.size(), valid, cached_names(dataset, cache, Split::kValid)[shared[0].first],
      cached_names(dataset, cache, Split::kTrain)[shared[0].second], dataset.root.string());
}

}  // namespace probedarts::data
