#pragma once

#include <string>
#include <vector>

/// Which instruction set the kernels run on: chosen at start by what the processor offers; bits of
/// results may differ between them.
namespace probedarts::kernels {

/// Targets that were built and that this processor runs, best first, for example {"AVX3", "AVX2",
/// "EMU128"}.
std::vector<std::string> simd_targets();

/// The one in use, for the run folder.
std::string simd_target();

/// Restricts the kernels to one of simd_targets() until the object goes; for tests and
/// measurements. Process-wide.
class ForcedSimdTarget {
 public:
  explicit ForcedSimdTarget(const std::string& name);
  ~ForcedSimdTarget();
  ForcedSimdTarget(const ForcedSimdTarget&) = delete;
  ForcedSimdTarget& operator=(const ForcedSimdTarget&) = delete;
};

}  // namespace probedarts::kernels
