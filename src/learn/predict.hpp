#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include "learn/evaluate.hpp"
#include "learn/model_card.hpp"
#include "learn/options.hpp"

/// What a trained network says about image files (docs/evaluate.md).
namespace probedarts::learn {

/// Every option of a prediction.
struct PredictConfig : RunOptions {
  ModelRequest model;
  int size = 0;  ///< px; 0: what the model was trained at
  int batch = 32;
  bool skip_unreadable = false;
};

template <class Config, class Visit>
requires std::same_as<std::remove_const_t<Config>, PredictConfig>
void for_each_option(Config& c, Visit&& visit) {
  visit_model_options(c.model, visit);
  visit("size", c.size, "side that images are resized to, px; 0: what the model was trained at");
  visit("batch", c.batch, "images in a mini-batch");
  visit("skip-unreadable", c.skip_unreadable,
        "leave out unreadable images, counted and listed, instead of stopping");
  visit("threads", c.threads, "CPU threads");
  visit("executor", c.executor, "auto, composed (plain LibTorch) or fused");
}

struct PredictedImages {
  ModelCard card;
  std::string checkpoint;
  int size_px = 0;
  std::vector<std::string> files;       ///< in the order of the rows
  std::vector<std::string> unreadable;  ///< skipped
  std::vector<float> logits;            ///< [files, classes]
  std::vector<float> probabilities;     ///< softmax, or sigmoid for several labels

  /// Indices of the classes that an image is given: the largest, or all above 0.5.
  std::vector<std::size_t> labels(std::size_t image) const;
};

/// Predicts image files and the images of folders (data::list_images), the next batch being decoded
/// while the network computes. \throws UserError (open_model); for an unreadable image, unless
/// skip_unreadable. \throws Diverged (require_answer).
PredictedImages predict_images(const PredictConfig& config, const std::vector<std::string>& paths);

}  // namespace probedarts::learn
