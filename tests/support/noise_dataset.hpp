#pragma once

// For tests: small data sets written into a scratch folder, without any layout
// reader.
#include <cstdint>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "data/dataset.hpp"
#include "data/image.hpp"
#include "data/loader.hpp"
#include "support/scratch_folder.hpp"

namespace probedarts::testing {

inline data::Image noise_image(int height, int width, std::uint64_t index) {
  Stream random(7, "noise image", 0, index);
  data::Image image{height, width, {}};
  for (int i = 0; i < 3 * height * width; ++i) {
    image.rgb.push_back(static_cast<std::uint8_t>(random.below(256)));
  }
  return image;
}

/// `train` + `valid` + `test` noise images in two classes and groups of three.
inline data::Dataset noise_dataset(const ScratchFolder& folder, int train, int valid, int test,
                                   data::LabelKind kind = data::LabelKind::kSingle) {
  data::Dataset dataset;
  dataset.root = folder.path();
  dataset.kind = kind;
  dataset.classes = {"benign", "tumour"};
  int number = 0;
  for (const auto& [samples, count] :
       {std::pair{&dataset.train, train}, {&dataset.valid, valid}, {&dataset.test, test}}) {
    for (int i = 0; i < count; ++i, ++number) {
      data::Sample sample;
      sample.file = folder.path() / (std::to_string(number) + ".png");
      sample.label = number % 2;
      if (kind == data::LabelKind::kMulti) {
        sample.labels = {static_cast<std::uint8_t>(number % 2),
                         static_cast<std::uint8_t>(number % 3 == 0)};
      }
      sample.group = "patient " + std::to_string(number / 3);
      data::write_png(sample.file, noise_image(20, 24, static_cast<std::uint64_t>(number)));
      samples->push_back(sample);
    }
  }
  return dataset;
}

inline data::CacheOptions cache_options(const ScratchFolder& folder, int size_px = 16) {
  data::CacheOptions options;
  options.size_px = size_px;
  options.folder = folder.path() / "cache";
  return options;
}

}  // namespace probedarts::testing
