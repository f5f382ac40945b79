#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/dataset.hpp"
#include "explain/cam_method.hpp"

/// Where networks look: heat maps of images as files, and a page that compares networks. No
/// LibTorch here.
namespace probedarts::explain {

/// A trained network and what its images must look like; open_network.hpp makes it.
struct TrainedNetwork;

/// What to explain.
struct ExplainOptions {
  /// Of each network: "top" (its first answer), "label" (every class of the image's label), names
  /// of classes, or their numbers.
  std::vector<std::string> targets = {"top"};
  CamMethod method = CamMethod::kGradCam;
  /// Of each network, or one for all: a layer or block, or "last_conv".
  std::vector<std::string> layers = {"last_conv"};
  int threads = 2;
};

/// An image, and its classes where they are known.
struct ImageToExplain {
  std::filesystem::path file;
  std::optional<std::vector<std::string>> label;
};

/// Reads images, explains each with each network, and makes the folder `out`:
///
///     index.html        the contact sheet
///     explain.json      networks, scores, files
///     IMAGE/NETWORK.CLASS.png       heat over the image, as the network sees it (its size)
///     IMAGE/NETWORK.CLASS.heat.npy  the same heat, 0..1, float32 [size, size]
///     IMAGE/NETWORK.CLASS.raw.npy   before ReLU and scaling, float32 [h, w] of the layer
///
/// The folder appears whole or not at all. \returns  what is in explain.json.
/// \throws UserError for an unknown layer or class, an image that cannot be read, a folder that
/// exists. \throws Diverged, Interrupted.
nlohmann::json explain_images(const std::vector<std::shared_ptr<const TrainedNetwork>>& networks,
                              const std::vector<ImageToExplain>& images,
                              const ExplainOptions& options, const std::filesystem::path& out);

/// Images with the labels that are known: those of `dataset`, where given (\throws UserError for an
/// image that is not in it), else the name of an image's folder where it is one of `classes`.
std::vector<ImageToExplain> label_images(const std::vector<std::filesystem::path>& files,
                                         const data::Dataset* dataset,
                                         const std::vector<std::string>& classes);

}  // namespace probedarts::explain
