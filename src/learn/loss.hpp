#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace probedarts::learn {

/// Images with their labels, on the device and in the dtype of the network.
struct LabelledBatch {
  at::Tensor images;  ///< [B, 3, H, W]
  at::Tensor labels;  ///< single label: int64 [B]; several: 0/1 in the images' dtype [B, classes]
  std::int64_t count() const { return images.size(0); }
};

/// Value and gradient of a mini-batch loss, and how many decisions were right.
struct LossResult {
  double loss = 0.0;           ///< mean over the batch
  at::Tensor logits_gradient;  ///< d loss / d logits, [B, classes]; undefined unless asked for
  double correct = 0.0;  ///< right top-1 decisions, or right (image, class) pairs at threshold 0.5
  double decisions = 0.0;  ///< B, or B * classes
};

/// The loss of a task: cross-entropy for one label an image,
///     L = -mean_b log softmax(z_b)[y_b],
/// multi-label soft margin for several (docs/method.md, "Losses"),
///     L = -mean_b mean_c weight_c (y log sigma(z) + (1 - y) log(1 - sigma(z))),
/// with weights that are not normalised. Both stay finite for any finite logits.
class Objective {
 public:
  static Objective cross_entropy();
  /// \param class_weight  [classes]; empty: 1 everywhere.
  static Objective multi_label(const at::Tensor& class_weight);

  LossResult evaluate(const at::Tensor& logits, const at::Tensor& labels, bool with_gradient) const;
  /// The loss in LibTorch's autograd graph, for exact derivatives in tests and probes.
  at::Tensor graph_loss(const at::Tensor& logits, const at::Tensor& labels) const;
  bool is_multi_label() const { return multi_label_; }

 private:
  bool multi_label_ = false;
  at::Tensor class_weight_;
};

}  // namespace probedarts::learn
