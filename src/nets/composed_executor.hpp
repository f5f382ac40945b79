#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "nets/executor.hpp"

namespace probedarts::nets {

/// The network as a function in LibTorch's autograd graph: the slow truth every other executor is
/// held against.
///
/// \param parameters  one tensor per entry of layout.parameters, with its shape.
/// \param alpha       [2, edges, 8] architecture logits; ignored by a derived network.
/// \param running     running statistics, used in kEvaluate; untouched.
/// \param batch       filled in kTrain with the batch's means and unbiased variances, layout as
///                    `running`.
/// \param drop_path   or null.
/// \param grouping    see make_composed_executor.
/// \param auxiliary_skip  see NetworkState.
Logits composed_logits(const NetworkLayout& layout, const std::vector<at::Tensor>& parameters,
                       const at::Tensor& alpha, const at::Tensor& running, at::Tensor& batch,
                       const at::Tensor& images, Mode mode, const DropPath* drop_path = nullptr,
                       Grouping grouping = Grouping::kOffTheCpu, double auxiliary_skip = 0.0);

/// One candidate by itself, in the graph: what it makes of a state [B, C, H, W], or of the C/K
/// channels of it that candidates see; zeros for `none`.
/// `batch` holds the statistics of its BNs afterwards, as above.
at::Tensor composed_candidate(const NetworkLayout& layout, const CandidateUnit& unit,
                              const std::vector<at::Tensor>& parameters, const at::Tensor& running,
                              at::Tensor& batch, const at::Tensor& state, Mode mode);

/// Logits of the auxiliary head from the output of its cell [B, C, H, W]; differentiable. `norm`
/// applies batch norm i of the layout to a map.
at::Tensor auxiliary_logits(
    const NetworkLayout& layout, const std::vector<at::Tensor>& parameters,
    const at::Tensor& features,
    const std::function<at::Tensor(const NormUnit&, const at::Tensor&)>& norm);

/// Views of a flat weight tensor, one per parameter; differentiable when `flat` is in a graph.
std::vector<at::Tensor> split_parameters(const TensorTable& table, const at::Tensor& flat);

/// Moves the running statistics towards those of a batch: r <- 0.9 r + 0.1 b.
void move_statistics(at::Tensor& running, const at::Tensor& batch);

}  // namespace probedarts::nets
