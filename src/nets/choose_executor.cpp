#include "nets/choose_executor.hpp"

#include "core/errors.hpp"
#include "nets/torch_runtime.hpp"

namespace probedarts::nets {

ChosenExecutor make_executor(const NetworkLayout& layout, const std::string& choice,
                             Precision precision, int threads) {
  if (choice == "fused" && precision != Precision::kFloat32) {
    throw UserError("--executor fused: computes in float32 only; use composed or auto for float64");
  }
  const bool partial = layout.spec.partial_channels > 1;
  if (choice == "fused" && partial) {
    throw UserError(
        "--executor fused: does not run partial channel connections; use --executor composed or "
        "auto");
  }
  if (choice == "composed" || partial || precision != Precision::kFloat32) {
    set_threads(threads);
    return {make_composed_executor(layout), "composed"};
  }
  // The kernels have threads of their own. LibTorch's would keep a core spinning after each of the
  // few small operations that are left to it.
  set_threads(1);
  return {make_fused_executor(layout, threads), "fused"};
}

}  // namespace probedarts::nets
