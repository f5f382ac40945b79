#include "explain/cam_method.hpp"

namespace probedarts::explain {

std::optional<CamMethod> cam_method_named(std::string_view name) {
  if (name == "gradcam") {
    return CamMethod::kGradCam;
  }
  if (name == "hirescam") {
    return CamMethod::kHiResCam;
  }
  return std::nullopt;
}

std::string_view title_of(CamMethod method) {
  return method == CamMethod::kGradCam ? "Grad-CAM" : "HiResCAM";
}

}  // namespace probedarts::explain
