#pragma once

#include <optional>
#include <string_view>

namespace probedarts::explain {

/// How the maps A_k of a layer become one map of evidence for class c, whose logit is Y_c:
///
///     Grad-CAM   sum_k w_k A_k,   w_k = mean over positions of dY_c/dA_k
///     Grad-CAM++ sum_k w_k A_k,   w_k = sum over positions of a_k max(g_k, 0),   g_k = dY_c/dA_k,
///                a_k = g_k^2 / (2 g_k^2 + g_k^3 sum over positions of A_k), 0 where that is 0 / 0
///     HiResCAM   sum_k dY_c/dA_k * A_k, position by position
///
/// Sources: Selvaraju et al., "Grad-CAM", ICCV 2017, eq. 1 and 2; Chattopadhay et al.,
/// "Grad-CAM++", WACV 2018, eq. 9 and 19 for the class score exp(Y_c), without the factor exp(Y_c)
/// that all w_k share; Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful
/// explanations of convolutional neural networks", 2020.
/// Where only a global mean and one linear layer follow, Grad-CAM and HiResCAM are the same map.
enum class CamMethod { kGradCam, kGradCamPlusPlus, kHiResCam };

/// "gradcam", "gradcam++", "hirescam"; nothing for another text.
std::optional<CamMethod> cam_method_named(std::string_view name);

/// As papers write it: "Grad-CAM", "Grad-CAM++", "HiResCAM".
std::string_view title_of(CamMethod method);

}  // namespace probedarts::explain
