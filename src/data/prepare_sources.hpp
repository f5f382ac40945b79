#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/prepare.hpp"

/// Inside of the room: what a release holds, before anything is cut.
namespace probedarts::data {

/// One large image.
struct Source {
  std::filesystem::path file;
  std::string name;   ///< path below the release's folder, with '/'
  std::string label;  ///< single label
  std::string group;
  std::optional<Split> split;  ///< always set by `list_sources`
  std::filesystem::path mask;  ///< several labels: codes of classes, one for each pixel
};

/// The classes of a mask: which code means which class.
struct MaskCodes {
  std::vector<std::string> classes;
  std::array<int, 256> class_of{};  ///< index into classes; -1: none; -2: a code that is not known
};

struct SourceList {
  std::vector<Source> sources;  ///< sorted by name
  MaskCodes codes;              ///< of a release with masks
};

/// Finds the images of a release with labels, groups and splits. \throws UserError
SourceList list_sources(const PrepareOptions& options, const Release& release);

}  // namespace probedarts::data
