#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "study/plan.hpp"
#include "study/run_study.hpp"

/// What the trained networks of a study cost, from their run folders.
namespace probedarts::study {

/// What a trained network costs for one image.
struct NetworkSize {
  std::int64_t parameters = 0;  ///< without auxiliary head
  std::int64_t macs = 0;        ///< multiply-accumulates, plain
  std::int64_t macs_paper = 0;  ///< as the paper counts them (nets/count.hpp)
};

/// Counts the network that a run folder holds, for one image of a size in px; nothing when the
/// folder does not tell. The caller brings it: this room does not know networks.
using CountNetwork =
    std::function<std::optional<NetworkSize>(const std::filesystem::path& run, int size_px)>;

/// A row's network, at the size of its test.
struct RowSize {
  NetworkSize network;
  int size_px = 0;
};

/// Nothing without a finished test, or a folder that tells the network.
std::optional<RowSize> size_of(const Row::Trained& trained, const Plan& plan,
                               const Progress& progress, const StudyFolder& folder,
                               const CountNetwork& count);

/// Side of the images, px, that a test printed; nothing before it is done.
std::optional<int> tested_size(const Progress& progress, std::size_t task);

}  // namespace probedarts::study
