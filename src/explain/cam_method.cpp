#include "explain/cam_method.hpp"

#include "core/errors.hpp"

namespace probedarts::explain {

std::optional<CamMethod> cam_method_named(std::string_view name) {
  if (name == "gradcam") {
    return CamMethod::kGradCam;
  }
  if (name == "gradcam++") {
    return CamMethod::kGradCamPlusPlus;
  }
  if (name == "hirescam") {
    return CamMethod::kHiResCam;
  }
  return std::nullopt;
}

std::string_view title_of(CamMethod method) {
  switch (method) {
    case CamMethod::kGradCam:
      return "Grad-CAM";
    case CamMethod::kGradCamPlusPlus:
      return "Grad-CAM++";
    case CamMethod::kHiResCam:
      return "HiResCAM";
  }
  report_bug("unknown method", __FILE__, __LINE__);
}

}  // namespace probedarts::explain
