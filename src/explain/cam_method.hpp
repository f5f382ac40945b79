#pragma once

#include <optional>
#include <string_view>

namespace probedarts::explain {

/// How the maps A_k of a layer become one map of evidence for class c, whose logit is Y_c:
///
///     Grad-CAM   sum_k w_k A_k,   w_k = mean over positions of dY_c/dA_k
///     HiResCAM   sum_k dY_c/dA_k * A_k, position by position
///
/// Sources: Selvaraju et al., "Grad-CAM", ICCV 2017, eq. 1 and 2; Draelos & Carin, "Use HiResCAM
/// instead of Grad-CAM for faithful explanations of convolutional neural networks", 2020.
/// Where only a global mean and one linear layer follow, both are the same map.
enum class CamMethod { kGradCam, kHiResCam };

/// "gradcam", "hirescam"; nothing for another text.
std::optional<CamMethod> cam_method_named(std::string_view name);

/// As papers write it: "Grad-CAM", "HiResCAM".
std::string_view title_of(CamMethod method);

}  // namespace probedarts::explain
