#include "nets/choose_executor.hpp"

#include "core/errors.hpp"

namespace probedarts::nets {

ChosenExecutor make_executor(const NetworkLayout& layout, const std::string& choice,
                             Precision precision, int threads) {
  if (choice == "fused" && precision != Precision::kFloat32) {
    throw UserError("--executor fused: computes in float32 only; use composed or auto for float64");
  }
  if (choice == "composed" || precision != Precision::kFloat32) {
    return {make_composed_executor(layout), "composed"};
  }
  return {make_fused_executor(layout, threads), "fused"};
}

}  // namespace probedarts::nets
