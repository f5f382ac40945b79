#include "kernels/simd_target.hpp"

#include <cstdint>

#include <hwy/highway.h>
#include <hwy/targets.h>

#include "core/errors.hpp"

namespace probedarts::kernels {

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    names.emplace_back(hwy::TargetName(target));
  }
  return names;
}

std::string simd_target() { return simd_targets().front(); }

ForcedSimdTarget::ForcedSimdTarget(const std::string& name) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (name == hwy::TargetName(target)) {
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
      return;
    }
  }
  report_bug("this SIMD target was not built or does not run here", __FILE__, __LINE__);
}

ForcedSimdTarget::~ForcedSimdTarget() {
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace probedarts::kernels
